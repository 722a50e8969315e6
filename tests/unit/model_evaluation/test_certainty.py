"""Risk-coverage and reliability of constructed intervals."""

from statistics import NormalDist

import numpy as np
import pytest

from model.evaluation.certainty import LEVELS, reliability, risk_coverage
from tests.unit.model_evaluation.making import face


def test_the_most_certain_come_first() -> None:
    faces = [face(30, error, half=error) for error in (7, 3, 10, 1, 5, 8, 2, 9, 4, 6)]
    found = risk_coverage(faces)
    assert found is not None
    assert found["width"]["shares"] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert found["width"]["mae"] == [(most + 1) / 2 for most in range(1, 11)]
    assert found["width"]["ratio_80"] == pytest.approx(4.5 / 5.5, abs=1e-4)
    low, high = found["width"]["ratio_80_95"]
    assert low < 4.5 / 5.5 < high < 1


def test_certainty_that_says_nothing_gives_a_ratio_of_one() -> None:
    found = risk_coverage([face(30, 4, half=half) for half in range(1, 51)])
    assert found is not None
    assert (found["spread"]["ratio_80"], found["spread"]["ratio_80_95"]) == (1.0, [1.0, 1.0])


def test_answers_without_an_interval_have_neither() -> None:
    faces = [face(30, 4, half=0, coverage=0.0)] * 5
    assert risk_coverage(faces) is None
    assert reliability(faces) is None


def test_an_interval_that_fits_is_on_the_diagonal() -> None:
    half = 5 * NormalDist().inv_cdf(0.9)  # holds 80 % of normal errors with a standard deviation of 5 years
    errors = np.random.default_rng(0).normal(scale=5, size=20_000)
    found = reliability([face(50, float(error), half=half) for error in errors], draws=100)
    assert found is not None
    assert [one["nominal"] for one in found["levels"]] == list(LEVELS)
    for one in found["levels"]:
        assert one["actual"] == pytest.approx(one["nominal"], abs=0.012)


def test_narrow_intervals_that_hold_too_seldom_are_seen() -> None:
    narrow = [face(30, 0 if index % 2 else 3, half=2) for index in range(40)]
    wide = [face(30, 3, half=10) for _ in range(160)]
    found = reliability(wide + narrow)
    assert found is not None
    assert [(part["n"], part["width"], part["coverage"]) for part in found["parts"]] == [
        (40, 4.0, 0.5), (40, 20.0, 1.0), (40, 20.0, 1.0), (40, 20.0, 1.0), (40, 20.0, 1.0)
    ]  # fmt: skip
