"""From estimates and true ages to the figures people compare. NumPy only.

Every labelled face counts in `mae`, `within5`, `bias`, `coverage` and `width`: one without an answer counts with its
hidden estimate, one that no detector found with the estimate of the whole picture. So no model looks better for
refusing.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from contracts.errors import InvalidInput, Reason
from model.evaluation.bootstrap import draws_of_means, interval
from model.faces import AgeEstimate

NEAR: Final = 5.0
"""An estimate this close to the true age, years, is within5."""

ENOUGH: Final = 100
"""From this many faces on a decade's figures are held against a bar."""

POOLED: Final = (("0-9", 0.0, 10.0), ("60+", 60.0, 200.0))
"""Ages looked at together: name, first age, age behind the last."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One labelled face and what a preset made of it."""

    age: float
    estimate: AgeEstimate
    missed: bool
    abstained: str | None
    """Reason code, or None."""
    groups: dict[str, str]


def has_intervals(faces: Sequence[Judged]) -> bool:
    """Whether the answers come with an interval; those of other projects' models state a coverage of 0."""
    return bool(faces) and all(face.estimate.coverage > 0 for face in faces)


def figures(faces: Sequence[Judged], draws: int = 0, seed: int = 0) -> dict[str, Any]:
    """The figures of one set of faces.

    Args:
        draws: bootstrap draws behind `intervals`; 0 leaves them out.

    Returns:
        n; missed, abstained, within5, coverage: shares 0..1; missed_n, abstained_n: counts; mae, bias (estimate minus
        true age), width (of the interval): years; mae_answered: mean absolute error of the faces a user would get an
        answer for (found, not abstained), None when there is none; width_over_mae; intervals: [low, high] of mae,
        bias and coverage at 95 %. coverage, width and width_over_mae are None when the answers have no interval.

    Raises:
        InvalidInput: no face.
    """
    if not faces:
        raise InvalidInput(Reason.EMPTY, "no face to judge")
    ages = np.array([face.age for face in faces])
    years = np.array([face.estimate.years for face in faces])
    low, high = (np.array([getattr(face.estimate, side) for face in faces]) for side in ("low", "high"))
    missed = np.array([face.missed for face in faces])
    abstained = np.array([face.abstained is not None for face in faces])
    error = np.abs(years - ages)
    answered = ~missed & ~abstained
    holds, ranged = (low <= ages) & (ages <= high), has_intervals(faces)
    found: dict[str, Any] = {
        "n": len(faces),
        "missed": _round(missed.mean(), 4),
        "missed_n": int(missed.sum()),
        "mae": _round(error.mean(), 3),
        "within5": _round((error <= NEAR).mean(), 4),
        "bias": _round((years - ages).mean(), 3),
        "abstained": _round(abstained.mean(), 4),
        "abstained_n": int(abstained.sum()),
        "mae_answered": _round(error[answered].mean(), 3) if answered.any() else None,
        "coverage": _round(holds.mean(), 4) if ranged else None,
        "width": _round((high - low).mean(), 2) if ranged else None,
        "width_over_mae": _round((high - low).mean() / error.mean(), 3) if ranged and error.any() else None,
    }
    if draws:
        drawn = draws_of_means(np.stack([error, years - ages, holds], axis=1).astype(np.float64), draws, seed)
        names = ("mae", "bias", "coverage") if ranged else ("mae", "bias")
        found["intervals"] = {name: interval(drawn[:, column]) for column, name in enumerate(names)}
    return found


def summary(faces: Sequence[Judged], draws: int = 0, seed: int = 0) -> dict[str, Any]:
    """Figures of all faces, of every decade of true age, of the `POOLED` ages, and of every value of every column.

    `decades` is keyed by the decade's first age ("0", "10", ...); `enough` tells whether a decade has `ENOUGH` faces to
    be held against a bar. `mae_balanced` is the mean of the decades' errors, each decade counting the same.
    `abstentions` counts the reasons.
    """
    by = partial(_figures_by, draws=draws, seed=seed)
    decades = by((str(int(face.age // 10) * 10), face) for face in faces)
    pooled = by((name, face) for face in faces for name, first, behind in POOLED if first <= face.age < behind)
    groups = (
        {column: by((face.groups[column], face) for face in faces) for column in sorted(faces[0].groups)}
        if faces
        else {}
    )
    reasons = [face.abstained for face in faces if face.abstained is not None]
    balanced = _round(float(np.mean([found["mae"] for found in decades.values()])), 3)
    return {
        **figures(faces, draws, seed),
        "mae_balanced": balanced,
        **({"mae_balanced_95": _balanced_interval(faces, draws, seed)} if draws else {}),
        "abstentions": {reason: reasons.count(reason) for reason in sorted(set(reasons))},
        "decades": {
            decade: {**found, "enough": found["n"] >= ENOUGH}
            for decade, found in sorted(decades.items(), key=lambda item: int(item[0]))
        },
        "pooled": pooled,
        "groups": {column: dict(sorted(values.items())) for column, values in groups.items()},
    }


def _balanced_interval(faces: Sequence[Judged], draws: int, seed: int) -> list[float]:
    """Faces are drawn anew within their decades, every decade by draws of its own."""
    errors: dict[int, list[float]] = defaultdict(list)
    for face in faces:
        errors[int(face.age // 10)].append(abs(face.estimate.years - face.age))
    drawn = [draws_of_means(np.array(errors[one])[:, None], draws, seed + one) for one in sorted(errors)]
    return interval(np.concatenate(drawn, axis=1).mean(axis=1))


def _figures_by(faces: Iterable[tuple[str, Judged]], draws: int, seed: int) -> dict[str, dict[str, Any]]:
    grouped: dict[str, list[Judged]] = defaultdict(list)
    for name, face in faces:
        grouped[name].append(face)
    return {name: figures(chosen, draws, seed) for name, chosen in grouped.items()}


def _round(value: float, digits: int) -> float:
    return round(float(value), digits)
