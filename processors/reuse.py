"""Which faces need a new age: a face that is followed keeps its own for a fifth of a second.

Frames closer in time are near copies, and the fused age counts one of them anyway (`processors/fusion.py`), so a
network that costs more than detection need not see them all: boxes come with every frame, ages five times a second.
Guarantees: an age is taken over only from the same stream, from a face that overlaps it frame by frame and looks the
same, at most `seconds` younger; uploads, frames that never expire, retried and late frames are always estimated.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from model.faces import AgeEstimate, Detection
from processors.frames import Held
from processors.pipeline import Looked

OVERLAP: Final = 0.5
"""Least intersection over union of a face with itself in the frame before."""

ALIKE: Final = 0.7
"""Least correlation of the aligned face with that of the frame before. In 5 s of the sample stream, where two portraits
move, 99 % of the neighbours are above 0.75 (median 0.98), the two people with each other at most 0.59."""

GLANCE: Final = 16
"""Side of the small grey picture that is compared, pixels."""

STREAMS: Final = 256
"""Streams remembered; the longest silent one is forgotten first."""

Glance = npt.NDArray[np.float32]


@dataclass(eq=False)
class Look:
    """One age, once it is there, and the face it belongs to."""

    at: float
    """When the frame was captured, seconds."""
    estimate: AgeEstimate | None = None


@dataclass
class _Followed:
    sequence: int = -1
    faces: list[tuple[Detection, Glance, Look]] = field(default_factory=list)


class AgeMemory:
    """Ages of the faces in the newest frame of every live stream. One thread at a time.

    Args:
        seconds: how long an age is kept; 0 keeps none.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._streams: OrderedDict[tuple[str, str], _Followed] = OrderedDict()

    def plan_batch(self, frames: Sequence[tuple[Held, Looked]]) -> tuple[list[list[Look]], list[list[int]]]:
        """For the frames of a batch, in order: the look of every face, and the numbers of the faces to estimate.

        A look that several frames share is estimated where it comes first.
        """
        planned = [self.plan(held, looked) for held, looked in frames]
        known: set[int] = set()
        wanted = []
        for looks in planned:
            numbers = [number for number, look in enumerate(looks) if look.estimate is None and id(look) not in known]
            known |= {id(looks[number]) for number in numbers}
            wanted.append(numbers)
        return planned, wanted

    def plan(self, held: Held, looked: Looked) -> list[Look]:
        """The look of every face of a frame: one that has, or will have, an age; or a new one, to be estimated."""
        at = held.frame.captured_at.timestamp()
        fresh = [Look(at) for _ in looked.detections]
        if not self._seconds or held.frame.is_upload or not held.expires or held.attempts:
            return fresh
        followed = self._streams.setdefault((held.frame.stream, held.frame.connection), _Followed())
        self._streams.move_to_end((held.frame.stream, held.frame.connection))
        if held.frame.sequence <= followed.sequence:
            return fresh
        glances = [_glance(chip) for chip in looked.chips]
        looks = [
            self._same(followed.faces, detection, glance, at) or new
            for detection, glance, new in zip(looked.detections, glances, fresh, strict=True)
        ]
        followed.sequence = held.frame.sequence
        followed.faces = list(zip(looked.detections, glances, looks, strict=True))
        while len(self._streams) > STREAMS:
            self._streams.popitem(last=False)
        return looks

    def drop_unfinished(self) -> None:
        """Forget faces whose batch failed: nobody will estimate them any more."""
        for followed in self._streams.values():
            followed.faces = [known for known in followed.faces if known[2].estimate is not None]

    def _same(
        self, faces: Sequence[tuple[Detection, Glance, Look]], detection: Detection, glance: Glance, at: float
    ) -> Look | None:
        nearest = max(faces, key=lambda known: _overlap(known[0], detection), default=None)
        if nearest is None or _overlap(nearest[0], detection) < OVERLAP:
            return None
        _, before, look = nearest
        young = 0 <= at - look.at < self._seconds
        return look if young and float((before * glance).mean()) >= ALIKE else None


def _glance(chip: npt.NDArray[np.uint8]) -> Glance:
    """The chip small, grey, and brought to mean 0 and variance 1, so that the mean of a product is a correlation."""
    small = cv2.resize(cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY), (GLANCE, GLANCE), interpolation=cv2.INTER_AREA)
    values = small.astype(np.float32)
    return np.asarray((values - values.mean()) / max(float(values.std()), 1e-3), dtype=np.float32)


def _overlap(a: Detection, b: Detection) -> float:
    """Intersection over union of two boxes."""
    wide = max(0.0, min(a.x + a.width, b.x + b.width) - max(a.x, b.x))
    high = max(0.0, min(a.y + a.height, b.y + b.height) - max(a.y, b.y))
    shared = wide * high
    return shared / (a.width * a.height + b.width * b.height - shared)
