"""Draws an answer on its picture: a box and the age for every face, for people.

Lines and letters scale with the picture and the face. A light line on a dark edge and light letters on a dark plate
are readable on any background. Labels stay inside the picture and off each other as far as there is room.
A face without an age is drawn grey and dashed, with the reason. Pure: the input picture is not changed.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from contracts.answers import Answer, Face

Picture = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

AGED: Colour = (94, 214, 255)
"""Amber, BGR: stands out from skin, sky and foliage."""
ABSTAINED: Colour = (185, 185, 185)
DARK: Colour = (24, 20, 18)
WHITE: Colour = (255, 255, 255)
PLATE_OPACITY = 0.82
WEIGHT = 600
LEAST_FONT = 9
REASONS = {
    "too_small": "too small",
    "too_blurred": "too blurred",
    "turned_away": "turned away",
    "spread_too_wide": "unsure",
}


class Rect(NamedTuple):
    """Pixels; right and bottom are outside."""

    left: int
    top: int
    right: int
    bottom: int

    def overlaps(self, other: "Rect") -> bool:
        """Do they share a pixel?"""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


def label_of(face: Face) -> str:
    """`34 (29-40)`: years with their interval, fused over the track where there is one; or why there is no age."""
    if face.age is not None:
        years, low, high = face.age.for_people()
        return f"{years:.0f} ({low:.0f}-{high:.0f})"
    return REASONS[face.abstained.reason] if face.abstained else "no age"


def annotate(bgr: Picture, answer: Answer) -> Picture:
    """Draw every face of an answer.

    Args:
        bgr: uint8 [height, width, 3], the answered picture at any size (boxes are fractions of it).
        answer: what was answered.

    Returns:
        A new picture of the same shape.

    Raises:
        ValueError: not a BGR uint8 picture.
    """
    if bgr.ndim != 3 or bgr.shape[2] != 3 or bgr.dtype != np.uint8 or bgr.size == 0:
        raise ValueError(f"annotate takes BGR uint8 [height, width, 3], got {bgr.dtype} {bgr.shape}")
    picture = np.ascontiguousarray(bgr).copy()
    height, width = picture.shape[:2]
    boxes = [box_in_pixels(face, width, height) for face in answer.faces]
    thickness = max(1, round(max(height, width) / 480))
    for face, box in zip(answer.faces, boxes, strict=True):
        _draw_box(picture, box, thickness, dashed=face.age is None)
    taken: list[Rect] = []
    # large faces choose their place first
    for face, box in sorted(zip(answer.faces, boxes, strict=True), key=lambda item: item[1].left - item[1].right):
        taken.append(_draw_label(picture, label_of(face), box, thickness, taken, muted=face.age is None))
    return picture


def box_in_pixels(face: Face, width: int, height: int) -> Rect:
    """The face's box on a picture of this size, clipped to it, at least one pixel large."""
    left = min(max(round(face.box.x * width), 0), width - 1)
    top = min(max(round(face.box.y * height), 0), height - 1)
    right = min(max(round((face.box.x + face.box.width) * width), left + 1), width)
    bottom = min(max(round((face.box.y + face.box.height) * height), top + 1), height)
    return Rect(left, top, right, bottom)


def _draw_box(picture: Picture, box: Rect, thickness: int, dashed: bool) -> None:
    if dashed:
        thickness = max(1, thickness // 2)
        for start, end in _dashes(box, 5 * thickness + 2):
            cv2.line(picture, start, end, DARK, thickness + 2)
            cv2.line(picture, start, end, ABSTAINED, thickness)
        return
    corner, opposite = (box.left, box.top), (box.right - 1, box.bottom - 1)
    cv2.rectangle(picture, corner, opposite, DARK, thickness + 2, cv2.LINE_AA)
    cv2.rectangle(picture, corner, opposite, AGED, thickness, cv2.LINE_AA)


def _dashes(box: Rect, length: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Line pieces of `length` pixels with gaps as long, along the four sides."""
    right, bottom = box.right - 1, box.bottom - 1
    found = []
    for x in range(box.left, right, 2 * length):
        end = min(x + length, right)
        found += [((x, y), (end, y)) for y in (box.top, bottom)]
    for y in range(box.top, bottom, 2 * length):
        end = min(y + length, bottom)
        found += [((x, y), (x, end)) for x in (box.left, right)]
    return found


def _draw_label(picture: Picture, text: str, box: Rect, thickness: int, taken: Sequence[Rect], *, muted: bool) -> Rect:
    """Letters on a plate near the box; returns the plate."""
    height, width = picture.shape[:2]
    edge = max(height, width)
    # a plate about 1.5 faces wide, but never illegible at the usual display size and never a headline
    font = int(np.clip((box.right - box.left) * 0.26, max(LEAST_FONT + 2, edge / 75), max(LEAST_FONT + 2, edge / 26)))
    while (plate := _plate_size(text, font))[0] > width and font > LEAST_FONT:
        font -= 1
    if plate[0] > width:
        text = text.split(" ")[0]
        plate = _plate_size(text, font)
    place = _place(box, plate, (width, height), thickness, taken)
    shade = picture[place.top : place.bottom, place.left : place.right]
    shade[:] = (shade * (1 - PLATE_OPACITY) + np.array(DARK) * PLATE_OPACITY).astype(np.uint8)
    bar = max(1, font // 7)
    shade[:, :bar] = ABSTAINED if muted else AGED
    baseline = place.top + round(plate[1] * 0.5 + font * 0.36)
    origin = (place.left + bar + round(font * 0.4), baseline)
    cv2.putText(picture, text, origin, ABSTAINED if muted else WHITE, _font(), font, WEIGHT)
    return place


def _plate_size(text: str, font: int) -> tuple[int, int]:
    """Width and height of the plate, pixels."""
    # measured on an endless line: by default text breaks at the picture's edge
    _, _, width, _ = cv2.getTextSize((1 << 20, 1 << 10), text, (0, 0), _font(), font, WEIGHT)
    return round(width + font * 0.95), round(font * 1.5)


def _place(box: Rect, plate: tuple[int, int], picture: tuple[int, int], thickness: int, taken: Sequence[Rect]) -> Rect:
    """Above the box, below it, or inside at its top or bottom: the first that is free and inside the picture."""
    width, height = picture
    plate_width, plate_height = min(plate[0], width), min(plate[1], height)
    left = min(max(box.left - thickness, 0), width - plate_width)
    centred = min(max((box.left + box.right - plate_width) // 2, 0), width - plate_width)
    tops = (box.top - plate_height - thickness, box.bottom + thickness, box.top, box.bottom - plate_height)
    choices = [
        Rect(x, top, x + plate_width, top + plate_height)
        for top in tops
        for x in (left, centred)
        if 0 <= top <= height - plate_height
    ]
    inside = min(max(box.top, 0), height - plate_height)
    last = Rect(left, inside, left + plate_width, inside + plate_height)
    return next((place for place in choices if not any(place.overlaps(other) for other in taken)), last)


@lru_cache(maxsize=1)
def _font() -> cv2.FontFace:
    """OpenCV's own sans-serif, a variable font in the library itself."""
    return cv2.FontFace("sans")
