"""Figures against figures worked out by hand."""

import pytest

from model.evaluation.figures import Judged, summary
from model.faces import AgeEstimate


def judged(age: float, years: float, **changes: object) -> Judged:
    """An estimate with an interval of 10 years around it."""
    estimate = AgeEstimate(years, years - 5, years + 5, 0.8, 4.0)
    fields: dict[str, object] = {"missed": False, "abstained": None, "groups": {"gender": "F"}}
    return Judged(age, estimate, **(fields | changes))  # type: ignore[arg-type]


def test_every_face_counts() -> None:
    faces = [
        judged(20, 21),
        judged(25, 20, groups={"gender": "M"}),
        judged(40, 60, abstained="too_small"),
        judged(8, 14, missed=True),
    ]
    found = summary(faces)
    assert (found["n"], found["missed"], found["missed_n"]) == (4, 0.25, 1)
    assert (found["abstained"], found["abstained_n"], found["abstentions"]) == (0.25, 1, {"too_small": 1})
    assert found["mae"] == pytest.approx((1 + 5 + 20 + 6) / 4)
    assert found["bias"] == pytest.approx((1 - 5 + 20 + 6) / 4)
    assert found["mae_answered"] == pytest.approx((1 + 5) / 2)
    assert (found["within5"], found["coverage"], found["width"]) == (0.5, 0.5, 10.0)
    assert {decade: part["n"] for decade, part in found["decades"].items()} == {"0": 1, "20": 2, "40": 1}
    assert found["decades"]["40"]["mae_answered"] is None
    assert found["mae_balanced"] == pytest.approx((6 + 3 + 20) / 3, abs=1e-3)
    assert found["groups"]["gender"]["M"]["mae"] == 5.0
    assert found["groups"]["gender"]["F"]["n"] == 3
