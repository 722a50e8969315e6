"""Turns a cached chip into one of the many pictures the same face could have given.

Geometry (the landmarks of the detector scatter), colour (lamps, old prints, grey cameras), and loss of detail (blur,
JPEG, small faces, something before the face). Each picture depends on its random generator alone.
"""

from typing import Final

import cv2
import msgspec
import numpy as np
import numpy.typing as npt

from model.alignment import sampled

Picture = npt.NDArray[np.uint8]
Generator = np.random.Generator

FRAME: Final = (0.08, 0.24)
"""How far a frame reaches into the chip from each side, shares of the side."""

BLACK: Final = 2
"""Largest value of a pixel outside the picture: 0, and what resampling makes of it."""

LEAST_BLACK: Final = 0.05
"""Share of black pixels from which a chip counts as surrounded by nothing."""


class Augmentation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often and how far. Shares are probabilities, 0..1.

    Attributes:
        frame: chips cut down to the face alone, black around it, as UTKFace's crops are; fill: the black around such
            crops given another colour. Without both, the black border would stand for one data set's labels.
        turn: largest rotation, degrees. scale: largest change of size, a share. shift: largest shift, a share of the
            side; beyond the cached margin the edge is continued.
        light: largest change of contrast and brightness, a share. colour: largest change of saturation, a share.
        small_from: smallest side a chip is shrunk to before it is enlarged again, pixels.
    """

    flip: float = 0.5
    frame: float = 0.25
    fill: float = 0.4
    turn: float = 6.0
    scale: float = 0.06
    shift: float = 0.03
    light: float = 0.3
    colour: float = 0.4
    grey: float = 0.15
    tint: float = 0.15
    blur: float = 0.15
    jpeg: float = 0.25
    jpeg_from: int = 25
    small: float = 0.25
    small_from: int = 40
    noise: float = 0.1
    occlusion: float = 0.15


def augmented(chip: Picture, size: int, how: Augmentation, rng: Generator) -> Picture:
    """RGB uint8 [size, size, 3] from a cached chip RGB uint8 [side, side, 3] with side >= size."""
    picture = _placed(chip, size, how, rng)
    _surround(picture, how, rng)
    picture = _coloured(picture, how, rng)
    picture = _worn(picture, how, rng)
    if rng.random() < how.occlusion:
        _occlude(picture, rng)
    return picture


def plain(chips: Picture, size: int) -> Picture:
    """What serving sees: the middle of cached chips [n, side, side, 3] or [side, side, 3]."""
    margin = (chips.shape[-2] - size) // 2
    return np.ascontiguousarray(chips[..., margin : margin + size, margin : margin + size, :])


class Shrunk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The smaller chip a network sees: its side, pixels, and dlib's padding."""

    size: int
    padding: float

    def of(self, chip: Picture, padding: float) -> Picture:
        """The smaller chip, uint8 [size, size, 3], out of a prepared one, uint8 [side, side, 3], of the given padding.

        Sampled as `model.alignment.chip` samples a picture.
        """
        steps = (chip.shape[0] - 1) / (1 + 2 * padding)
        step = (1 + 2 * self.padding) / (self.size - 1) * steps
        first = (padding - self.padding) * steps
        matrix = np.array([[step, 0, first], [0, step, first]])
        return sampled(chip, matrix, self.size, step)


def _placed(chip: Picture, size: int, how: Augmentation, rng: Generator) -> Picture:
    """Turned, scaled, shifted and perhaps mirrored, sampled once."""
    angle = np.deg2rad(rng.uniform(-how.turn, how.turn))
    zoom = 1 + rng.uniform(-how.scale, how.scale)
    side = -1.0 if rng.random() < how.flip else 1.0
    linear = np.array([[np.cos(angle) * side, -np.sin(angle)], [np.sin(angle) * side, np.cos(angle)]]) * zoom
    middle, centre = (chip.shape[0] - 1) / 2, (size - 1) / 2
    shift = rng.uniform(-how.shift, how.shift, 2) * size
    matrix = np.column_stack([linear, middle + shift - linear @ np.array([centre, centre])])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(chip, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8
    )


def _surround(picture: Picture, how: Augmentation, rng: Generator) -> None:
    """Takes surroundings away, or gives the black of missing ones another colour."""
    size = picture.shape[0]
    if rng.random() < how.frame:
        edges = rng.uniform(*FRAME, 4) * size * np.array([1, 1, -1, -1]) + np.array([0, 0, size, size])
        box = cv2.boxPoints(((edges[[0, 2]].mean(), edges[[1, 3]].mean()), edges[2:] - edges[:2], rng.uniform(-8, 8)))
        outside = np.ones((size, size), dtype=np.uint8)
        cv2.fillConvexPoly(outside, np.asarray(box, dtype=np.int32), 0)
        picture[outside > 0] = 0
    if rng.random() < how.fill:
        black = picture.max(axis=2) <= BLACK
        if black.mean() > LEAST_BLACK:
            picture[black] = rng.integers(0, 256, 3)


def _coloured(picture: Picture, how: Augmentation, rng: Generator) -> Picture:
    """One linear map of the colours: contrast, brightness, saturation (or grey), and a tint."""
    contrast = 1 + rng.uniform(-how.light, how.light)
    brightness = rng.uniform(-how.light, how.light) * 80
    saturation = 0.0 if rng.random() < how.grey else 1 + rng.uniform(-how.colour, how.colour)
    luma = np.tile([0.299, 0.587, 0.114], (3, 1))
    matrix = contrast * (saturation * np.eye(3) + (1 - saturation) * luma)
    if rng.random() < how.tint:
        matrix = np.diag(rng.uniform(0.8, 1.2, 3)) @ matrix
    offset = brightness + 128 * (1 - contrast)
    table = np.column_stack([matrix, np.full(3, offset)])
    return np.asarray(cv2.transform(picture, table), dtype=np.uint8)


def _worn(picture: Picture, how: Augmentation, rng: Generator) -> Picture:
    """Blurred, shrunk and enlarged again, noisy, compressed: each now and then."""
    size = picture.shape[0]
    if rng.random() < how.blur:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 2.2)), dtype=np.uint8)
    if rng.random() < how.small:
        small = int(np.exp(rng.uniform(np.log(how.small_from), np.log(size))))
        shrunk = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA)
        picture = np.asarray(cv2.resize(shrunk, (size, size), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    if rng.random() < how.noise:
        grain = rng.integers(-12, 13, (size, size, 1), dtype=np.int16) * int(rng.integers(1, 3))
        picture = np.clip(picture.astype(np.int16) + grain, 0, 255).astype(np.uint8)
    if rng.random() < how.jpeg:
        quality = int(rng.integers(how.jpeg_from, 91))
        coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        picture = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), dtype=np.uint8)
    return picture


def _occlude(picture: Picture, rng: Generator) -> None:
    """A plain or noisy rectangle somewhere, up to a third of the side: a hand, a mask, a caption."""
    size = picture.shape[0]
    height, width = (int(size * share) for share in rng.uniform(0.08, 0.35, 2))
    top, left = int(rng.integers(0, size - height + 1)), int(rng.integers(0, size - width + 1))
    fill = rng.integers(0, 256, (height, width, 3) if rng.random() < 0.5 else (1, 1, 3))
    picture[top : top + height, left : left + width] = fill
