"""Gaps between groups at equal ages, worked out by hand."""

import pytest

from model.evaluation.labels import NOT_GIVEN
from model.evaluation.matched import matched_gap
from tests.unit.model_evaluation.making import face


def group(name: str, young: int, old: int, extra: float = 0.0) -> list:  # type: ignore[type-arg]
    """Errors of 2 years at 25 and of 10 at 65, `extra` more for everybody."""
    groups = {"gender": name}
    return [face(25, 2 + extra, groups=groups)] * young + [face(65, 10 + extra, groups=groups)] * old


def test_a_group_with_more_old_faces_is_no_worse_at_equal_ages() -> None:
    gap = matched_gap(group("F", 50, 50) + group("M", 90, 10), "gender")
    assert gap is not None
    # raw errors are 6.0 and 2.8; both weigh 140 young to 60 old here
    assert {name: one["mae"] for name, one in gap["groups"].items()} == {"F": 4.4, "M": 4.4}
    assert (gap["largest_gap"], gap["largest_gap_95"]) == (0.0, [0.0, 0.0])


def test_a_constant_disadvantage_is_the_gap() -> None:
    gap = matched_gap(group("F", 50, 50) + group("M", 90, 10, extra=1.5), "gender")
    assert gap is not None
    assert (gap["largest_gap"], gap["between"], gap["largest_gap_95"]) == (1.5, ["M", "F"], [1.5, 1.5])
    assert (gap["n"], gap["ages"], gap["stratum"]) == (200, [20, 60], 10)


def test_small_groups_and_unknown_ones_are_left_out_by_name() -> None:
    faces = group("F", 50, 0) + group("M", 60, 4) + group("X", 49, 0, extra=9) + group(NOT_GIVEN, 90, 0, extra=9)
    gap = matched_gap(faces, "gender")
    assert gap is not None
    assert set(gap["groups"]) == {"F", "M"}
    assert gap["left_out"] == {"X": 49}
    assert gap["ages"] == [20]  # four old men and no old woman are no stratum


def test_the_interval_holds_the_true_gap_of_noisy_errors() -> None:
    faces = [
        face(20 + index % 10, 4 + (index % 7) + extra, groups={"gender": name})
        for name, extra in (("F", 0.0), ("M", 1.0))
        for index in range(700)
    ]
    gap = matched_gap(faces, "gender")
    assert gap is not None
    low, high = gap["largest_gap_95"]
    assert gap["largest_gap"] == pytest.approx(1.0)
    assert 0.7 < low < 1.0 < high < 1.3


def test_one_group_has_no_gap() -> None:
    assert matched_gap(group("F", 50, 50), "gender") is None
