"""Judged faces made to order."""

from model.evaluation.figures import Judged
from model.faces import AgeEstimate


def face(
    age: float,
    error: float,
    *,
    half: float = 5.0,
    coverage: float = 0.8,
    gender: float | None = None,
    ethnicity: tuple[float, ...] | None = None,
    **changes: object,
) -> Judged:
    """A face whose estimate is `error` years off (above), with an interval of `half` years on both sides."""
    years = age + error
    estimate = AgeEstimate(years, years - half, years + half, coverage, half / 2, gender, ethnicity)
    fields: dict[str, object] = {"missed": False, "abstained": None, "groups": {"gender": "F"}}
    return Judged(age, estimate, **(fields | changes))  # type: ignore[arg-type]
