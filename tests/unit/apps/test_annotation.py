"""Drawn pictures: every face marked, labels inside the picture and readable on any background, input untouched."""

from datetime import UTC, datetime

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from apps.annotation import ABSTAINED, AGED, Rect, annotate, box_in_pixels, label_of
from contracts.answers import Abstained, Age, Answer, Box, Face, FrameInfo, ModelInfo, QualityInfo, Timing


def a_face(x: float, y: float, width: float, height: float, *, years: float | None = 34.2) -> Face:
    age = None if years is None else Age(years, max(0.0, years - 5), years + 6, 0.8, None, 1)
    return Face(
        track=None,
        box=Box(x, y, width, height),
        score=0.9,
        landmarks=[(0.5, 0.5)] * 5,
        quality=QualityInfo(60, 0.5, 0.5, 0, 0),
        age=age,
        abstained=Abstained("too_small", "face 18 px, needs 28") if years is None else None,
    )


def an_answer(*faces: Face) -> Answer:
    frame = FrameInfo("f", "c", 0, datetime.now(UTC), 1, 1, "upload")
    timing = Timing(1, 1, 1, 1, 1, 1, 1, "ok")
    return Answer("a", "upload/x", frame, list(faces), ModelInfo("p", "1", "0" * 64, "d"), timing, {})


def plain(value: int, height: int = 300, width: int = 400) -> npt.NDArray[np.uint8]:
    return np.full((height, width, 3), value, np.uint8)


def test_a_label_tells_years_and_interval_and_prefers_the_smoothed_estimate() -> None:
    assert label_of(a_face(0, 0, 0.1, 0.1)) == "34 (29-40)"
    smoothed = Age(34.2, 29.2, 40.2, 0.8, 51.4, 9)
    with_track = Face("t", Box(0, 0, 1, 1), 0.9, [(0.0, 0.0)] * 5, QualityInfo(9, 0, 0, 0, 0), smoothed, None)
    assert label_of(with_track) == "51 (29-40)", "as writers before the fused interval have it"
    fused = Age(34.2, 29.2, 40.2, 0.8, 51.4, 9, 44.4, 58.9, 52, 44, 58)
    assert label_of(msgspec.structs.replace(with_track, age=fused)) == "52 (44-58)", "what stands still is shown"
    assert label_of(a_face(0, 0, 0.1, 0.1, years=None)) == "too small"


@pytest.mark.parametrize("value", [0, 128, 255])
def test_box_and_letters_stand_out_on_any_background(value: int) -> None:
    picture = plain(value)
    drawn = annotate(picture, an_answer(a_face(0.3, 0.3, 0.4, 0.4)))
    colours = {tuple(pixel) for pixel in drawn.reshape(-1, 3).tolist()}
    assert tuple(AGED) in colours
    # letters on their plate: the lightest and the darkest pixel of the label lie far apart
    plate = drawn[60:90, 118:260].astype(int).sum(axis=2)
    assert plate.max() - plate.min() > 400
    assert (picture == value).all()


@pytest.mark.parametrize("corner", [(0.0, 0.0), (0.9, 0.0), (0.0, 0.92), (0.92, 0.93)])
def test_a_label_of_a_face_in_a_corner_stays_whole(corner: tuple[float, float]) -> None:
    drawn = annotate(plain(255), an_answer(a_face(*corner, 0.08, 0.07)))
    middle = annotate(plain(255), an_answer(a_face(0.5, 0.5, 0.08, 0.07)))
    # as much ink as in the middle of the picture, where nothing can be cut off (the box itself may lose its edge)
    assert np.count_nonzero(drawn != 255) > 0.85 * np.count_nonzero(middle != 255)


def test_labels_of_neighbours_do_not_cover_each_other() -> None:
    one = annotate(plain(255), an_answer(a_face(0.4, 0.4, 0.1, 0.15)))
    two = annotate(plain(255), an_answer(a_face(0.4, 0.4, 0.1, 0.15), a_face(0.5, 0.4, 0.1, 0.15)))
    assert np.count_nonzero((two != 255).any(axis=2)) > 1.6 * np.count_nonzero((one != 255).any(axis=2))


def test_a_face_without_an_age_is_dashed_and_grey() -> None:
    drawn = annotate(plain(0), an_answer(a_face(0.2, 0.4, 0.5, 0.5, years=None)))
    top = drawn[120, 82:278]
    grey = (top == ABSTAINED).all(axis=1)
    assert 0.3 < grey.mean() < 0.7
    assert not (drawn == AGED).all(axis=2).any()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (8, 300), (300, 8), (24, 32)])
def test_a_picture_too_small_for_letters_is_still_drawn(height: int, width: int) -> None:
    drawn = annotate(plain(90, height, width), an_answer(a_face(0, 0, 1, 1), a_face(0.9, 0.9, 0.1, 0.1)))
    assert drawn.shape == (height, width, 3)


def test_boxes_scale_with_the_picture_and_are_clipped_to_it() -> None:
    face = a_face(0.5, 0.25, 0.7, 0.5)
    assert box_in_pixels(face, 100, 200) == Rect(50, 50, 100, 150)
    assert box_in_pixels(face, 1000, 2000) == Rect(500, 500, 1000, 1500)


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="BGR uint8"):
        annotate(np.zeros((10, 10), np.uint8), an_answer())
