"""How well the drawn boxes sit on the face, from what `camera.READ` collected in the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.browser.camera import FPS, Box

Floats = npt.NDArray[np.float64]
WARM_UP = 5
"""Samples left out: the track begins."""
WINDOW = 12
"""Samples of one lag: about two seconds."""
SHIFTS = np.arange(-12.0, 30.0, 0.25)
"""Frames by which the drawn path may lag behind the true one."""


@dataclass(frozen=True)
class Following:
    """Overlap (0..1) of each sample, milliseconds of lag of each window, pictures shown a second."""

    overlaps: Floats
    lags_ms: Floats
    preview_fps: float
    without_box: float
    """Share of samples without any box."""

    def share(self, least: float) -> float:
        """Share of samples with at least this overlap."""
        return float((self.overlaps >= least).mean()) if len(self.overlaps) else 0.0

    def lag(self, percent: float) -> float:
        """A percentile of the lags, milliseconds."""
        return float(np.percentile(self.lags_ms, percent))


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes."""
    wide = max(0.0, min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0]))
    high = max(0.0, min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1]))
    shared = wide * high
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def follow(log: list[Any], frames: list[Any], boxes: list[Box], *, mirrored: bool = True) -> Following:
    """Measure.

    Args:
        log: [time ms, number of the shown frame, drawn box or null] of every sample.
        frames: [time ms, pictures presented so far] of every picture.
        boxes: the true box of every frame.
        mirrored: the preview and its boxes are shown as in a mirror.
    """
    seen = [(number, box) for _, number, box in log[WARM_UP:] if number < len(boxes)]
    drawn = [(number, [1 - box[0] - box[2], *box[1:]] if mirrored else box) for number, box in seen if box]
    numbers = np.array([number for number, _ in drawn], float)
    centres = np.array([box[0] + box[2] / 2 for _, box in drawn])
    lags = [
        _lag(numbers[at : at + WINDOW], centres[at : at + WINDOW], boxes)
        for at in range(0, len(drawn) - WINDOW + 1, WINDOW // 2)
    ]
    seconds = (frames[-1][0] - frames[0][0]) / 1000
    return Following(
        np.array([overlap(box, boxes[number]) for number, box in drawn]),
        np.array(lags) * 1000 / FPS,
        (frames[-1][1] - frames[0][1]) / seconds,
        1 - len(drawn) / max(1, len(seen)),
    )


def _lag(numbers: Floats, centres: Floats, boxes: list[Box]) -> float:
    """The shift, in frames, that best aligns drawn and true path; a constant offset of the detector is no lag."""
    errors = []
    for shift in SHIFTS:
        away = centres - _true_centre(numbers - shift, boxes)
        errors.append(float(np.abs(away - np.median(away)).mean()))
    return float(SHIFTS[int(np.argmin(errors))])


def _true_centre(numbers: Floats, boxes: list[Box]) -> Floats:
    """Middle of the face between frames too; the file plays over and over."""
    path = np.array([x + width / 2 for x, _, width, _ in boxes])
    return np.interp(numbers % len(boxes), np.arange(len(boxes) + 1), np.append(path, path[0]))
