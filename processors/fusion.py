"""One age out of many looks at one person: robust, weighted by what each look is worth, steady for the eye.

Each fifth of a second gives one look, its best; the last `LOOKS` are kept, and a biweight mean of them is the fused
age, with the interval of the same looks. Guarantees: memory is bounded; low <= years <= high; what is shown differs
from what is fused by less than a year; somebody else under the same track is believed after `CHANGE_SECONDS`.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from model.faces import AgeEstimate, Quality

LOOK_SECONDS: Final = 0.2
"""Frames closer in time are near copies and share their error: of each such time the frame that weighs most counts.
So the fused age does not depend on the frame rate either."""

LOOKS: Final = 64
"""Looks kept, 12.8 s. Light, distance and pose of somebody before a camera come round within some seconds, and 32 or
128 looks move the fused ages of tests/unit/processors/moving.py by less than 0.2 years."""

FRAME_YEARS: Final = 4.0
"""How far estimates of one person lie apart from frame to frame (standard deviation): 3.9 years for `cydral` on the
moving portrait of Eileen Collins, 1.3 for `mairror-age-1`. It comes on top of a frame's own spread (weights of a
random-effects mean: DerSimonian & Laird 1986), so that no frame rules alone because its distribution happens to be
narrow."""

SCALE_FLOOR: Final = 2.0
"""Years: differences below it mean nothing, however alike the looks are. The margin of the preset's interval."""

MAD_TO_SIGMA: Final = 1.4826
"""Median absolute deviation to standard deviation, for normal errors (1 / the normal's third quartile)."""

BIWEIGHT: Final = 4.685
"""Deviations at which a look counts nothing: 95 % efficiency for normal errors (Beaton & Tukey 1974)."""

OUTLIER: Final = 3.0
"""Deviations from which a look is called an outlier (Hampel's identifier: Davies & Gather 1993)."""

CHANGE_SECONDS: Final = 2.0
"""Outliers and nothing else for this long are no outliers: the track is somebody else now."""

CHANGE_LOOKS: Final = 3
"""And at least so many, for slow streams."""

HYSTERESIS: Final = 1.0
"""Years the fused value must move before another number is shown. At 33 a 34 is shown when the fused value is 34,
and a 33 again when it is back at 33: noise of less than a year cannot toggle it."""

Looks = npt.NDArray[np.float64]
WHEN, WEIGHT, YEARS, LOW, HIGH = range(5)


@dataclass(frozen=True, slots=True)
class Fused:
    """A person's age: as fused (years) and as shown (whole years)."""

    years: float
    low: float
    high: float
    shown_years: int
    shown_low: int
    shown_high: int


class AgeFusion:
    """The age of one track. Feed it the frames that gave an age, in their order; the others do not move it."""

    def __init__(self) -> None:
        self._looks: Looks = np.empty((LOOKS, 5))
        self._count = 0
        self.frames = 0
        """How many frames are behind the fused age; begins anew with another person."""
        self.fused: Fused | None = None
        """What is known now; None before the first frame."""

    def add(self, at: float, estimate: AgeEstimate, quality: Quality) -> None:
        """Take one more frame in.

        Args:
            at: when it was captured, seconds.
            estimate: its age.
            quality: how well the face can be seen.
        """
        self.frames += 1
        if self._keep((at, weight(estimate, quality), estimate.years, estimate.low, estimate.high)):
            self._fuse(at)

    def _keep(self, look: tuple[float, ...]) -> bool:
        """Whether this frame is one of the looks."""
        newest = self._looks[self._count - 1] if self._count else None
        # a clock that was set back begins a new look
        if newest is not None and 0 <= look[WHEN] - newest[WHEN] < LOOK_SECONDS:
            if look[WEIGHT] <= newest[WEIGHT]:
                return False
            newest[WEIGHT:] = look[WEIGHT:]
            return True
        if self._count == LOOKS:
            self._looks[:-1] = self._looks[1:]
            self._count -= 1
        self._looks[self._count] = look
        self._count += 1
        return True

    def _fuse(self, at: float) -> None:
        looks = self._looks[: self._count]
        deviations = _deviations(looks)
        if _changed(looks, deviations, at):
            looks = self._forget_before(at - CHANGE_SECONDS)
            deviations = _deviations(looks)
        weights = looks[:, WEIGHT] * np.maximum(0.0, 1.0 - (deviations / BIWEIGHT) ** 2) ** 2
        years, low, high = (float(value) for value in weights @ looks[:, YEARS:] / weights.sum())
        now = (shown(years), shown(low), shown(high))
        if self.fused:
            stands = (self.fused.shown_years, self.fused.shown_low, self.fused.shown_high)
            now = (shown(years, stands[0]), shown(low, stands[1]), shown(high, stands[2]))
        self.fused = Fused(years, low, high, *now)

    def _forget_before(self, at: float) -> Looks:
        kept = self._looks[: self._count]
        kept = kept[kept[:, WHEN] > at].copy()
        self._count = self.frames = len(kept)
        self._looks[: self._count] = kept
        return kept


def weight(estimate: AgeEstimate, quality: Quality) -> float:
    """What one frame is worth: 1 / its variance, times how well the face can be seen."""
    visible = max(0.05, quality.sharpness) * max(0.1, math.cos(math.radians(min(abs(quality.yaw), 85.0))))
    return visible / (FRAME_YEARS**2 + estimate.spread**2)


def shown(value: float, before: int | None = None) -> int:
    """The whole number to show for a value, given the one that stands there."""
    return round(value) if before is None or abs(value - before) >= HYSTERESIS else before


def _deviations(looks: Looks) -> Looks:
    """How far each look lies from the weighted median, in robust standard deviations."""
    away = np.abs(looks[:, YEARS] - _median(looks[:, YEARS], looks[:, WEIGHT]))
    return np.asarray(away / max(SCALE_FLOOR, MAD_TO_SIGMA * _median(away, looks[:, WEIGHT])))


def _median(values: Looks, weights: Looks) -> float:
    order = values.argsort()
    below = weights[order].cumsum()
    return float(values[order[below.searchsorted(below[-1] / 2)]])


def _changed(looks: Looks, deviations: Looks, at: float) -> bool:
    """Were all looks of the last `CHANGE_SECONDS` outliers, after others that were none?"""
    recent = looks[:, WHEN] > at - CHANGE_SECONDS
    late = deviations[recent]
    return CHANGE_LOOKS <= len(late) < len(looks) and bool((late > OUTLIER).all())
