"""Figures against figures worked out by hand."""

import pytest

from model.evaluation.figures import Judged, summary
from model.faces import AgeEstimate


def judged(age: float, years: float, **changes: object) -> Judged:
    """An estimate with an interval of 10 years around it."""
    estimate = AgeEstimate(years, years - 5, years + 5, 0.8, 4.0)
    fields: dict[str, object] = {"missed": False, "abstained": None, "groups": {"gender": "F"}, "estimate": estimate}
    return Judged(age, **(fields | changes))  # type: ignore[arg-type]


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


def test_intervals_pooled_ages_and_decades_with_enough_faces() -> None:
    faces = [judged(25, 27)] * 120 + [judged(64, 60)] * 30 + [judged(85, 75)] * 30
    found = summary(faces, draws=200)
    assert found["intervals"]["mae"][0] < found["mae"] < found["intervals"]["mae"][1]
    assert found["decades"]["20"]["intervals"] == {"mae": [2.0, 2.0], "bias": [2.0, 2.0], "coverage": [1.0, 1.0]}
    assert {decade: part["enough"] for decade, part in found["decades"].items()} == {
        "20": True,
        "60": False,
        "80": False,
    }
    assert set(found["pooled"]) == {"60+"}
    assert (found["pooled"]["60+"]["n"], found["pooled"]["60+"]["mae"]) == (60, 7.0)
    assert found["mae_balanced_95"] == [5.333, 5.333]
    assert found["decades"]["20"]["width_over_mae"] == 5.0


def test_answers_without_an_interval_have_no_coverage() -> None:
    found = summary([judged(25, 27, estimate=AgeEstimate(27, 27, 27, 0.0, 0.0))], draws=100)
    assert (found["coverage"], found["width"], found["width_over_mae"]) == (None, None, None)
    assert set(found["intervals"]) == {"mae", "bias"}
