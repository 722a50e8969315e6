"""From estimates and true ages to the figures people compare. NumPy only.

Every labelled face counts in `mae`, `within5`, `bias`, `coverage` and `width`: one without an answer counts with its
hidden estimate, one that no detector found with the estimate of the whole picture. So no model looks better for
refusing.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from contracts.errors import InvalidInput, Reason
from model.faces import AgeEstimate

NEAR: Final = 5.0
"""An estimate this close to the true age, years, is within5."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One labelled face and what a preset made of it."""

    age: float
    estimate: AgeEstimate
    missed: bool
    abstained: str | None
    """Reason code, or None."""
    groups: dict[str, str]


def figures(faces: Sequence[Judged]) -> dict[str, Any]:
    """The figures of one set of faces.

    Returns:
        n; missed, abstained, within5, coverage: shares 0..1; missed_n, abstained_n: counts; mae, bias (estimate minus
        true age), width (of the interval): years; mae_answered: mean absolute error of the faces a user would get an
        answer for (found, not abstained), None when there is none.

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
    return {
        "n": len(faces),
        "missed": _round(missed.mean(), 4),
        "missed_n": int(missed.sum()),
        "mae": _round(error.mean(), 3),
        "within5": _round((error <= NEAR).mean(), 4),
        "bias": _round((years - ages).mean(), 3),
        "abstained": _round(abstained.mean(), 4),
        "abstained_n": int(abstained.sum()),
        "mae_answered": _round(error[answered].mean(), 3) if answered.any() else None,
        "coverage": _round(((low <= ages) & (ages <= high)).mean(), 4),
        "width": _round((high - low).mean(), 2),
    }


def summary(faces: Sequence[Judged]) -> dict[str, Any]:
    """Figures of all faces, of every decade of true age and of every value of every grouping column.

    `decades` is keyed by the decade's first age ("0", "10", ...). `mae_balanced` is the mean of the decades' errors,
    each decade counting the same. `abstentions` counts the reasons.
    """
    decades = _figures_by((str(int(face.age // 10) * 10), face) for face in faces)
    groups = (
        {column: _figures_by((face.groups[column], face) for face in faces) for column in sorted(faces[0].groups)}
        if faces
        else {}
    )
    reasons = [face.abstained for face in faces if face.abstained is not None]
    return {
        **figures(faces),
        "mae_balanced": _round(float(np.mean([found["mae"] for found in decades.values()])), 3),
        "abstentions": {reason: reasons.count(reason) for reason in sorted(set(reasons))},
        "decades": dict(sorted(decades.items(), key=lambda item: int(item[0]))),
        "groups": {column: dict(sorted(values.items())) for column, values in groups.items()},
    }


def _figures_by(faces: Iterable[tuple[str, Judged]]) -> dict[str, dict[str, Any]]:
    grouped: dict[str, list[Judged]] = defaultdict(list)
    for name, face in faces:
        grouped[name].append(face)
    return {name: figures(chosen) for name, chosen in grouped.items()}


def _round(value: float, digits: int) -> float:
    return round(float(value), digits)
