"""What a face is to the rest of the system: where it is, how good it looks, how old it seems, or why nobody can tell.

All coordinates are pixels of the picture the face was found in, x to the right, y down.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

ETHNICITIES: Final = ("White", "Black", "Asian", "Indian", "Others")
"""UTKFace's five groups, in the order of its file names: what the optional ethnicity head was taught. They are other
people's impressions of photographs, not what anybody says of themselves."""


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One face found in one picture. The box lies inside the picture; landmarks may lie slightly outside.

    Attributes:
        x, y: top left corner, pixels.
        width, height: pixels, > 0.
        score: the detector's confidence, 0..1.
        landmarks: float32 [5, 2], pixels, YuNet order: the person's right eye, left eye, tip of the nose,
            right and left corner of the mouth (the person's right is the picture's left).
    """

    x: float
    y: float
    width: float
    height: float
    score: float
    landmarks: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Quality:
    """How well a face can be seen.

    Attributes:
        size_px: the shorter side of the box, pixels.
        sharpness: 0 (nothing but blur) .. 1.
        brightness: mean grey value, 0 (black) .. 1 (white).
        yaw: degrees, positive when the nose points to the picture's right; approximate.
        roll: degrees, positive when the head leans clockwise in the picture.
    """

    size_px: float
    sharpness: float
    brightness: float
    yaw: float
    roll: float


@dataclass(frozen=True, slots=True)
class AgeEstimate:
    """An age with its interval.

    Attributes:
        years: the estimate.
        low, high: the interval, years, low <= years <= high.
        coverage: share of faces whose true age the interval is calibrated to hold, 0..1.
        spread: standard deviation of the predicted distribution over ages, years.
        gender: probability of male, None unless switched on.
        ethnicity: probabilities of `ETHNICITIES`, None unless switched on.
    """

    years: float
    low: float
    high: float
    coverage: float
    spread: float
    gender: float | None = None
    ethnicity: tuple[float, ...] | None = None


class AbstentionReason(StrEnum):
    """Why a face got no age. Codes are part of the contract: never reuse one."""

    TOO_SMALL = "too_small"
    TOO_BLURRED = "too_blurred"
    TURNED_AWAY = "turned_away"
    SPREAD_TOO_WIDE = "spread_too_wide"


@dataclass(frozen=True, slots=True)
class Abstention:
    """Why a face got no age: a code for programs and a sentence for people ("face 18 px, needs 28")."""

    reason: AbstentionReason
    detail: str
