"""The ways a picture is changed in a sweep: one knob each, from easy to hard.

Guarantee: a change depends on the picture, its face and the level alone, so every preset and run sees the same picture.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from model.faces import Detection
from model.images import decode_jpeg, encode_jpeg

Picture = npt.NDArray[np.uint8]
Change = Callable[[Picture, Detection, float], Picture]

MOST_PIXELS: Final = 1 << 26
"""A JPEG of a sweep is of our own making; this only bounds it."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """One knob: what it is called, what its levels mean, the levels, and what turns it."""

    name: str
    unit: str
    levels: tuple[float, ...]
    change: Change


def resized(picture: Picture, face: Detection, pixels: float) -> Picture:
    """The whole picture scaled so that the shorter side of the face has `pixels`."""
    scale = pixels / min(face.width, face.height)
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width, height), interpolation=method), np.uint8)


def lit(picture: Picture, _face: Detection, factor: float) -> Picture:
    """Grey values times `factor`, cut off at white."""
    return np.asarray(cv2.convertScaleAbs(picture, alpha=factor), np.uint8)


def blurred(picture: Picture, face: Detection, percent: float) -> Picture:
    """A Gaussian whose sigma is `percent` of the face's width."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), max(0.05, face.width * percent / 100)), np.uint8)


def packed(picture: Picture, _face: Detection, quality: float) -> Picture:
    """Through JPEG of that quality."""
    return decode_jpeg(encode_jpeg(picture, round(quality)), MOST_PIXELS)


def turned(picture: Picture, _face: Detection, degrees: float) -> Picture:
    """Turned clockwise around its middle; the canvas grows, corners are black."""
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -degrees, 1.0)
    cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
    across, along = round(width * cosine + height * sine), round(width * sine + height * cosine)
    matrix[:, 2] += ((across - width) / 2, (along - height) / 2)
    return np.asarray(cv2.warpAffine(picture, matrix, (across, along), flags=cv2.INTER_LINEAR), np.uint8)


def padded(picture: Picture, face: Detection, percent: float) -> Picture:
    """Black around the picture until the face's width is `percent` of it; a picture that is there already stays."""
    width = picture.shape[1]
    border = max(0, round((face.width * 100 / percent - width) / 2))
    return np.asarray(cv2.copyMakeBorder(picture, border, border, border, border, cv2.BORDER_CONSTANT), np.uint8)


SWEEPS: Final = (
    Sweep("face size", "px", (32, 48, 64, 96, 128, 192, 256, 384, 512), resized),
    Sweep("brightness", "x", (0.15, 0.3, 0.5, 0.75, 1.5, 2.0, 3.0), lit),
    Sweep("blur", "% of the face", (0.5, 1, 2, 3, 5, 8), blurred),
    Sweep("JPEG quality", "", (90, 70, 50, 30, 20, 10, 5), packed),
    Sweep("rotation", "degrees", (-45, -30, -15, 15, 30, 45, 90, 180), turned),
    Sweep("share of the face", "% of the width", (50, 35, 25, 15, 10, 5), padded),
)
