"""The study's page holds what was measured, and its tables say what the runs say."""

import json
import shutil
from pathlib import Path

import pytest

from contracts.errors import InvalidInput
from model.training import study_report

DOCS = Path(__file__).parents[3] / "docs"


def run(arm: str, seed: int, mae: float, parameters: int, ms: float) -> dict[str, object]:
    told = {"mae": mae, "mae_balanced": mae + 1, "old": mae + 2, "gender": 0.9, "ethnicity": 0.7}
    curve = [{"train_mae": 9.0, "validation_mae": mae + 1}, {"train_mae": 8.0, "validation_mae": mae}]
    return {"arm": arm, "seed": seed, **told, "parameters": parameters, "cpu_ms_per_face": ms, "curve": curve}


STUDY = {
    "runs": {
        "large 2": run("large", 2, 5.2, 2_000_000, 4.0),
        "large 1": run("large", 1, 5.0, 2_000_000, 5.0),
        "small 1": run("small", 1, 5.9, 100_000, 1.0),
        "small 2": run("small", 2, 6.1, 100_000, 1.0),
    },
    "ensembles": {"large": {"1": 5.0, "2": 4.8}, "small": {"1": 5.9, "2": 5.7}},
}
SPEED = [
    {"preset": "known", "parameters": 5_000_000, "threads": 2, "cpu_ms_per_face": {"16": 0.5}},
    {"preset": "known", "parameters": 5_000_000, "threads": 1, "cpu_ms_per_face": {"16": 0.1}},
    {"preset": "unmeasured", "parameters": 1, "threads": 2, "cpu_ms_per_face": {"16": 0.1}},
]


def test_a_row_gives_the_mean_of_the_seeds_and_their_range() -> None:
    rows = study_report.arms_table(STUDY).splitlines()
    assert "| large | 2.00 M | 4.5 | 5.10 (5.00 to 5.20) |" in rows[2]
    assert "| 2 2 | 5.00 / 4.80 |" in rows[2]
    assert rows[3].startswith("| small | 0.10 M")


def test_the_smallest_and_the_quickest_within_an_allowance_are_named() -> None:
    found = study_report.candidates(STUDY, {"known": 5.5}, SPEED)
    assert {one.name for one in found} == {"large", "large, 2 together", "small", "small, 2 together", "`known`"}
    assert next(one for one in found if one.name == "small, 2 together").parameters == 200_000
    half, one_year, two, _ = study_report.smallest_table(found).splitlines()[2:]
    assert half.endswith("| large: 2.00 M, 5.10 | large: 4.5 ms, 5.10 |")
    assert one_year.endswith("| small, 2 together: 0.20 M, 5.70 | `known`: 0.5 ms, 5.50 |")
    assert "| small: 0.10 M, 6.00 |" in two


def test_what_does_harm_is_told_by_knob() -> None:
    def level(value: float, mae: float, change: float, low: float) -> dict[str, object]:
        told = {"missed": 0.1, "abstained": 0.2, "coverage": 0.7}
        return {"level": value, "mae": mae, "change": change, "change_95": [low, change + 1], **told}

    blur = [level(1, 4.1, 0.1, 0.05), level(2, 4.9, 0.9, -0.1), level(3, 4.8, 0.8, 0.2), level(5, 9, 5, 4)]
    sweeps = {"blur": {"unit": "%", "levels": blur}, "JPEG quality": {"unit": "", "levels": blur[:2]}}
    first, second = study_report.limits_table({"sweeps": sweeps}).splitlines()[2:]
    assert first == "| blur, % | 3 5 | 5 | 9.0 (+5.0) | 10% | 20% | 70% |"
    assert second == "| JPEG quality | nothing tried | 2 | 4.9 (+0.9) | 10% | 20% | 70% |"


def test_what_was_not_timed_or_not_finished_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"not timed by `mairror bench --model`: \{'other'\}"):
        study_report.candidates(STUDY, {"other": 5.5}, SPEED)
    with pytest.raises(InvalidInput, match=r"arms without all seeds: \{'small'\}"):
        study_report.candidates({**STUDY, "ensembles": {"large": {"2": 4.8}}}, {}, SPEED)


def test_the_committed_page_holds_the_committed_figures(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    shutil.copytree(DOCS / "results", tmp_path / "results")
    shutil.copy(DOCS / "study.md", tmp_path / "study.md")
    study_report.write(tmp_path)
    assert (tmp_path / "study.md").read_text() == (DOCS / "study.md").read_text()
    for name in ("study-light", "study-dark", "sweeps-light", "sweeps-dark"):
        assert (tmp_path / f"pictures/{name}.svg").read_text() == (DOCS / f"pictures/{name}.svg").read_text()
    for left_open in ("CONCLUSIONS", "SWEEPS", "WRONG"):
        assert left_open not in (DOCS / "study.md").read_text()
    study = json.loads((DOCS / "results/study.json").read_text())["figures"]
    assert {run["seed"] for run in study["runs"].values()} == {1, 2, 3}
    (tmp_path / "study.md").write_text("no marks")
    with pytest.raises(InvalidInput, match="has not both marks"):
        study_report.write(tmp_path)
