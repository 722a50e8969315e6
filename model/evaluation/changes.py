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


def drained(picture: Picture, _face: Detection, percent: float) -> Picture:
    """`percent` of the colours' saturation: 0 is a black-and-white photo."""
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return np.asarray(cv2.addWeighted(picture, percent / 100, grey, 1 - percent / 100, 0), np.uint8)


def aged(picture: Picture, _face: Detection, percent: float) -> Picture:
    """`percent` of an old print's brown, as camera filters give it."""
    brown = np.clip(picture.astype(np.float32) @ SEPIA.T, 0, 255)
    mixed = picture * np.float32(1 - percent / 100) + brown * np.float32(percent / 100)
    return np.asarray(np.round(mixed), np.uint8)


def smoothed(picture: Picture, face: Detection, strength: float) -> Picture:
    """A beauty filter: skin smoothed and edges kept (bilateral), over `strength` grey values and 4 % of the face.

    At most over `WIDEST` pixels: the filter's time grows with the square of its reach.
    """
    reach = min(max(1.0, face.width * 0.04), WIDEST)
    return np.asarray(cv2.bilateralFilter(picture, 0, strength, reach), np.uint8)


def masked(picture: Picture, face: Detection, percent: float) -> Picture:
    """The lower `percent` of the face behind a plain light blue mask."""
    top, bottom = round(face.y + face.height * (1 - percent / 100)), round(face.y + face.height)
    left, right = round(face.x), round(face.x + face.width)
    changed = picture.copy()
    changed[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = MASK
    return changed


def accompanied(picture: Picture, _face: Detection, percent: float) -> Picture:
    """A second face beside it: the whole picture again, mirrored, `percent` as large, at the same height."""
    height, width = picture.shape[:2]
    size = (max(1, round(width * percent / 100)), max(1, round(height * percent / 100)))
    other = cv2.resize(cv2.flip(picture, 1), size, interpolation=cv2.INTER_AREA)
    top = (height - size[1]) // 2
    other = cv2.copyMakeBorder(other, top, height - size[1] - top, 0, 0, cv2.BORDER_CONSTANT)
    return np.asarray(np.hstack([picture, other]), np.uint8)


WIDEST: Final = 8.0

SEPIA: Final = np.array([[0.131, 0.534, 0.272], [0.168, 0.686, 0.349], [0.189, 0.769, 0.393]], np.float32)
"""From blue, green, red to the same: the brown usually meant (Microsoft's sepia matrix)."""

MASK: Final = (222, 205, 170)
"""Blue, green, red of a surgical mask."""

SWEEPS: Final = (
    Sweep("face size", "px", (32, 48, 64, 96, 128, 192, 256, 384, 512), resized),
    Sweep("brightness", "x", (0.15, 0.3, 0.5, 0.75, 1.5, 2.0, 3.0), lit),
    Sweep("blur", "% of the face", (0.5, 1, 2, 3, 5, 8), blurred),
    Sweep("JPEG quality", "", (90, 70, 50, 30, 20, 10, 5), packed),
    Sweep("rotation", "degrees", (-45, -30, -15, 15, 30, 45, 90, 180), turned),
    Sweep("share of the face", "% of the width", (50, 35, 25, 15, 10, 5), padded),
    Sweep("colour", "% of it", (75, 50, 25, 0), drained),
    Sweep("sepia", "%", (25, 50, 75, 100), aged),
    Sweep("smoothed skin", "grey values", (15, 30, 60, 120), smoothed),
    Sweep("masked", "% of the face", (20, 35, 50, 65), masked),
    Sweep("a second face beside", "% as large", (25, 50, 75, 90), accompanied),
)
