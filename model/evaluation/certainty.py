"""What a preset's own certainty is worth: risk-coverage curve, reliability of the interval.

Certainty is the width of the interval (or the spread of the distribution): the narrower, the surer.
"""

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from model.evaluation.bootstrap import DRAWS, interval, mean_interval
from model.evaluation.figures import Judged, has_intervals

Values = npt.NDArray[np.float64]

SHARES: Final = tuple(tenth / 10 for tenth in range(1, 11))
"""Shares of the most certain faces, points of the risk-coverage curve."""

SURE: Final = 0.8
"""The share of most certain answers whose error is compared with that of all."""

LEVELS: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Nominal coverages of the reliability diagram."""

PARTS: Final = 5
"""Parts of equal size, from the narrowest intervals to the widest."""


def risk_coverage(faces: Sequence[Judged], draws: int = DRAWS, seed: int = 0) -> dict[str, Any] | None:
    """Error of the most certain faces, by `width` and by `spread`; None when the answers have no interval.

    Returns:
        By measure of certainty: shares, mae (of that share of faces), ratio_80 (error of the most certain 80 % divided
        by that of all) and ratio_80_95.
    """
    if not has_intervals(faces):
        return None
    error = np.array([abs(face.estimate.years - face.age) for face in faces])
    width = np.array([face.estimate.high - face.estimate.low for face in faces])
    spread = np.array([face.estimate.spread for face in faces])
    return {name: _curve(error, by, draws, seed) for name, by in (("width", width), ("spread", spread))}


def _curve(error: Values, uncertainty: Values, draws: int, seed: int) -> dict[str, Any]:
    ordered = error[np.argsort(uncertainty, kind="stable")]
    count = len(ordered)
    kept = [_share_of(share, count) for share in SHARES]
    found: dict[str, Any] = {
        "shares": list(SHARES),
        "mae": [round(float(ordered[:most].mean()), 3) for most in kept],
    }
    everything = float(ordered.mean())
    sure = _share_of(SURE, count)
    found["ratio_80"] = round(float(ordered[:sure].mean()) / everything, 4) if everything else None
    found["ratio_80_95"] = interval(_ratios(ordered, sure, draws, seed)) if everything else None
    return found


def _ratios(ordered: Values, sure: int, draws: int, seed: int) -> Values:
    """A draw is ordered by certainty once its places are sorted; one draw at a time, so memory stays small."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        drawn = ordered[np.sort(rng.integers(0, len(ordered), len(ordered)))]
        mean = drawn.mean()
        found.append(drawn[:sure].mean() / mean if mean else 1.0)
    return np.array(found)


def _share_of(share: float, count: int) -> int:
    return max(1, round(share * count))


def reliability(faces: Sequence[Judged], draws: int = DRAWS, seed: int = 0) -> dict[str, Any] | None:
    """How often intervals hold the true age; None when the answers have none.

    Returns:
        `levels`: nominal and actual coverage. Only the preset's own level is promised; the others stretch the interval
        as a normal distribution's would be. `parts`: faces from the narrowest intervals to the widest, each with n,
        width, mae, coverage and coverage_95 at the preset's own level.
    """
    if not has_intervals(faces):
        return None
    ages, years, low, high = (
        np.array(column)
        for column in zip(
            *((face.age, face.estimate.years, face.estimate.low, face.estimate.high) for face in faces), strict=True
        )
    )
    own = faces[0].estimate.coverage
    # how many half widths away the truth is; a half of no width holds nothing but the estimate itself
    half = np.where(ages < years, years - low, high - years)
    away = np.abs(ages - years)
    distance = np.where(away == 0, 0.0, away / np.where(half > 0, half, 1e-9))
    levels = [
        {"nominal": level, "actual": round(float((distance <= _stretch(level, own)).mean()), 4)} for level in LEVELS
    ]
    return {"nominal": own, "levels": levels, "parts": _parts(distance <= 1, away, high - low, draws, seed)}


def _stretch(level: float, own: float) -> float:
    normal = NormalDist()
    return normal.inv_cdf((1 + level) / 2) / normal.inv_cdf((1 + own) / 2)


def _parts(holds: npt.NDArray[np.bool_], error: Values, width: Values, draws: int, seed: int) -> list[dict[str, Any]]:
    order = np.argsort(width, kind="stable")
    return [
        {
            "n": len(part),
            "width": round(float(width[part].mean()), 2),
            "mae": round(float(error[part].mean()), 3),
            "coverage": round(float(holds[part].mean()), 4),
            "coverage_95": mean_interval(holds[part].astype(np.float64), draws, seed),
        }
        for part in np.array_split(order, PARTS)
        if len(part)
    ]
