"""Finds the faces of an uploaded photo: group pictures with small faces as well as portraits that fill the frame.

A live frame gets one quick look. A photo is looked at twice, at the live size and at a larger one, and the finds are
joined; when neither shows a face, once more with a border, for crops that leave nothing around the face.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from model.detector import FaceDetector
from model.evaluation.finding import BORDER, detect_with_border
from model.faces import Detection

LARGE_EDGE: Final = 800
"""Of 20 drawn faces 58 pixels high in a photo of 2,000 pixels YuNet finds 0 at 320 and 20 at 800; of faces 45 pixels
high 17 at 800 and 20 at 1152, which takes twice the time (41 and 83 ms on one core)."""

SAME_FACE: Final = 0.5
"""Boxes of the two looks of which one holds more than this share of the other are one face."""


class ThoroughDetector:
    """YuNet at two sizes. Safe to use from any number of threads.

    Args:
        weights, edge, score: as for `model.detector.FaceDetector`; `edge` is the size of the first look.
    """

    def __init__(self, weights: Path, edge: int = 320, score: float = 0.7) -> None:
        self._quick = FaceDetector(weights, edge, score)
        self._large = FaceDetector(weights, max(LARGE_EDGE, edge), score)
        self._second = ThreadPoolExecutor(1, "second-look")

    def detect(self, bgr: npt.NDArray[np.uint8]) -> list[Detection]:
        """Faces of both looks, largest first. `bgr` is uint8 [height, width, 3], not empty."""
        quick = self._second.submit(self._quick.detect, bgr)
        large = self._large.detect(bgr)
        faces = joined(quick.result(), large)
        return faces or detect_with_border(self._quick, bgr, BORDER)


def joined(first: Sequence[Detection], second: Sequence[Detection]) -> list[Detection]:
    """The faces of two looks at one picture, each once, largest first; `first` gives the landmarks of common ones."""
    found = list(first)
    found += [face for face in second if all(overlap(face, known) <= SAME_FACE for known in first)]
    return sorted(found, key=lambda face: face.width * face.height, reverse=True)


def overlap(one: Detection, other: Detection) -> float:
    """Share of the smaller box that lies in the other, 0..1: a box inside another one is the same face."""
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / min(one.width * one.height, other.width * other.height)
