"""The real detector, the real model and the tracker on one person who moves, is re-lit, blurred and leans."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from contracts.answers import Face
from contracts.settings import ProcessorSettings, Settings
from model.abstention import decide
from model.images import encode_jpeg
from model.weights import fetch
from processors import answering
from processors.pipeline import Pipeline
from processors.tracking import StreamTracker
from processors.worker import build_pipeline
from producers.sample import public_domain_pictures
from producers.sources import read_picture
from tests.unit.processors.moving import FPS, portrait_sequence

FRAMES = 240
FIRST_SECOND = int(FPS)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    """Detector and model as a processor builds them; as many threads as every test of this process."""
    settings = Settings(processor=ProcessorSettings(batch_sizes=(1,), model_threads=2))
    fetch(settings.cache)
    return build_pipeline(settings)


def answered(pipeline: Pipeline, tracker: StreamTracker, number: int, jpeg: bytes) -> list[Face]:
    """One frame's faces, as the engine answers them."""
    looked = pipeline.look(jpeg)
    (estimates,) = pipeline.estimate([looked])
    abstentions = [
        decide(quality, found, pipeline.settings) for quality, found in zip(looked.qualities, estimates, strict=True)
    ]
    boxes = [answering.box_of(found, looked.width, looked.height) for found in looked.detections]
    ages = [None if abstained else found for found, abstained in zip(estimates, abstentions, strict=True)]
    seen = BEGIN + timedelta(seconds=number / FPS)
    tracked, _ = tracker.update(seen, boxes, looked.detections, ages, looked.qualities)
    return [
        answering.face_of(looked, index, estimates[index], abstentions[index], tracked[index])
        for index in range(len(estimates))
    ]


@pytest.mark.parametrize("name", ["collins", "hopper"])
def test_the_shown_age_of_a_moving_person_stands_still(
    pipeline: Pipeline, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    portrait = read_picture(public_domain_pictures()[name])
    still = pipeline.look(encode_jpeg(portrait, 90)).detections[0]
    face = (still.x + still.width / 2, still.y + still.height / 2, still.width)
    tracker = StreamTracker("moving", "c", 1, "cydral")
    faces: list[Face] = []
    for number, picture in enumerate(portrait_sequence(portrait, face, FRAMES)):
        faces += answered(pipeline, tracker, number, encode_jpeg(picture, 80))
    widths = [found.box.width for found in faces]
    assert max(widths) / min(widths) > 1.8, "near and far"
    ages = [found.age for found in faces if found.age is not None]
    assert len(faces) >= 0.98 * FRAMES
    assert len(ages) >= 0.95 * FRAMES
    assert faces[0].track is None, "a face has its track from its second frame on"
    assert len({found.track for found in faces[1:]}) == 1, "one person, one track"

    settled = ages[FIRST_SECOND:]
    single = np.array([age.years for age in settled])
    fused = np.array([age.smoothed_years for age in settled], float)
    shown = np.array([age.shown_years for age in settled], float)
    with capsys.disabled():
        print(  # the figures are what the test is for
            f"\n{name}: standard deviation of single frames {single.std():.2f}, fused {fused.std():.2f}, "
            f"shown {shown.std():.2f} years; {np.count_nonzero(np.diff(shown))} changes of the shown number"
        )
    assert shown.std() <= 1.0
    assert fused.std() <= 1.0
    assert np.count_nonzero(np.diff(shown)) <= 3
    for age in ages[1:]:
        assert age.smoothed_low is not None
        assert age.smoothed_high is not None
        assert age.smoothed_years is not None
        assert age.smoothed_low <= age.smoothed_years <= age.smoothed_high
        assert age.for_people() == (age.shown_years, age.shown_low, age.shown_high)
    if name == "collins":
        assert single.std() > 1.2, "else the sequence would not ask much"
