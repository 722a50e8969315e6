"""`processors.reuse`: a followed face keeps its age for a moment; anything uncertain is estimated."""

import dataclasses
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pytest

from contracts.frames import Frame
from model.faces import AgeEstimate, Detection, Quality
from processors.frames import Held
from processors.pipeline import Looked
from processors.reuse import AgeMemory, Look

START = datetime(2026, 1, 1, tzinfo=UTC)
AGED = AgeEstimate(34, 29, 40, 0.8, 4)
Chip = npt.NDArray[np.uint8]


def chip(seed: int) -> Chip:
    """Somebody's face: a smooth random pattern."""
    small = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return np.ascontiguousarray(small.repeat(8, axis=0).repeat(8, axis=1))


def held(sequence: int, ms: float, *, stream: str = "cam", origin: str = "camera", live: bool = True) -> Held:
    captured = START + timedelta(milliseconds=ms)
    frame = Frame(
        stream, "c-1", sequence, captured, 640, 480, origin, "public-domain",
        expires_at=captured + timedelta(seconds=5) if live else None,
    )  # fmt: skip
    return Held(frame, b"", "frames", 0, sequence, captured.timestamp(), None)


def looked(*faces: tuple[float, Chip]) -> Looked:
    """A frame with faces of 100 pixels at the given left edges."""
    points = np.zeros((5, 2), dtype=np.float32)
    return Looked(
        width=640,
        height=480,
        detections=[Detection(left, 100, 100, 100, 0.9, points) for left, _ in faces],
        qualities=[Quality(100, 0.8, 0.5, 0, 0) for _ in faces],
        chips=np.stack([picture for _, picture in faces]) if faces else np.zeros((0, 64, 64, 3), dtype=np.uint8),
        decode_ms=1,
        detect_ms=1,
    )


def first(memory: AgeMemory, *faces: tuple[float, Chip]) -> list[Look]:
    looks = memory.plan(held(0, 0), looked(*faces))
    for look in looks:
        look.estimate = AGED
    return looks


def test_a_face_that_moves_keeps_its_age_for_its_time_and_no_longer() -> None:
    memory = AgeMemory(0.2)
    (start,) = first(memory, (100, chip(1)))
    for number, ms in enumerate((33, 66, 100, 133, 166, 199), start=1):
        (look,) = memory.plan(held(number, ms), looked((100 + 20 * number, chip(1))))
        assert look is start, f"{20 * number} pixels away by now, in small steps"
    (late,) = memory.plan(held(7, 200), looked((240, chip(1))))
    assert late.estimate is None


def test_two_people_do_not_swap_their_ages() -> None:
    memory = AgeMemory(0.2)
    left, right = first(memory, (100, chip(1)), (300, chip(2)))
    found = memory.plan(held(1, 33), looked((310, chip(2)), (90, chip(1))))
    assert [one is other for one, other in zip(found, (right, left), strict=True)] == [True, True]


@pytest.mark.parametrize(
    ("frame", "seen"),
    [
        (held(1, 33), looked((100, chip(2)))),
        (held(1, 33), looked((160, chip(1)))),
        (held(0, 33), looked((100, chip(1)))),
        (held(1, -33), looked((100, chip(1)))),
        (held(1, 33, stream="other"), looked((100, chip(1)))),
        (held(1, 33, live=False), looked((100, chip(1)))),
        (held(1, 33, origin="upload"), looked((100, chip(1)))),
        (dataclasses.replace(held(1, 33), attempts=1), looked((100, chip(1)))),
    ],
    ids=["a cut", "elsewhere", "late", "clock", "stream", "every frame", "upload", "retry"],
)
def test_anything_uncertain_is_estimated(frame: Held, seen: Looked) -> None:
    memory = AgeMemory(0.2)
    first(memory, (100, chip(1)))
    (look,) = memory.plan(frame, seen)
    assert look.estimate is None


def test_a_batch_that_failed_leaves_no_face_without_an_age() -> None:
    memory = AgeMemory(0.2)
    memory.plan(held(0, 0), looked((100, chip(1))))  # never estimated
    memory.drop_unfinished()
    (look,) = memory.plan(held(1, 33), looked((100, chip(1))))
    assert look.at == pytest.approx(START.timestamp() + 0.033)


def test_within_a_batch_a_face_is_estimated_where_it_comes_first() -> None:
    memory = AgeMemory(0.2)
    frames = [(held(0, 0), looked((100, chip(1)))), (held(1, 33), looked((110, chip(1)), (300, chip(2))))]
    planned, wanted = memory.plan_batch(frames)
    assert wanted == [[0], [1]]
    assert planned[1][0] is planned[0][0]


def test_it_can_be_switched_off_and_does_not_grow() -> None:
    off = AgeMemory(0)
    first(off, (100, chip(1)))
    assert off.plan(held(1, 33), looked((100, chip(1))))[0].estimate is None
    memory = AgeMemory(0.2)
    for number in range(600):
        memory.plan(held(0, 0, stream=f"s{number}"), looked((100, chip(1))))
    assert len(memory._streams) <= 256
