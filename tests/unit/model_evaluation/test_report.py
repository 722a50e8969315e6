"""The folder `mairror evaluate --out` writes, from judged faces made to order."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from model.evaluation import plots
from model.evaluation.certainty import reliability
from model.evaluation.drawing import draw
from model.evaluation.figures import Judged
from model.evaluation.markdown import page, table
from model.evaluation.plots import PLOTS
from model.evaluation.report import write_report
from model.evaluation.rivals.comparing import side_by_side
from model.evaluation.run import figures_of
from model.preset_figures import Curves
from tests.unit.model_evaluation.making import face


def faces(scale: float, coverage: float = 0.8) -> list[Judged]:
    """240 faces of 2 to 89 years, both genders, with heads."""
    rng = np.random.default_rng(5)
    return [
        face(
            float(2 + index % 88),
            float(rng.normal(scale=scale)),
            half=4 + index % 5,
            coverage=coverage,
            groups={"gender": "FM"[index % 2], "ethnicity": ("White", "Asian")[index % 2]},
            gender=float(rng.random()) if coverage else None,
            ethnicity=tuple(rng.random(5)) if coverage else None,
        )
        for index in range(240)
    ]


def measured() -> dict[str, Any]:
    judged = {"ours": faces(5), "theirs": faces(9, coverage=0.0)}
    extra = {"first_sight": 0.9, "ms_per_face": 3.0}
    found = {"first_sight": 216, "with_a_border": 20, "not_found": 4}
    change = {"change": 0.5, "change_95": [0.1, 0.9], "moved": 1.0}
    ours = figures_of(judged["ours"], 100, 0) | {"version": "1", "preset": "ours", "skipped_n": 3} | extra
    swept = [ours | change | {"level": level} for level in (1, 2)]
    ours["sweeps"] = {"n": 240, "untouched": dict(ours), "sweeps": {"blur": {"unit": "%", "levels": swept}}}
    return {
        "commit": "abc",
        "machine": {"cores": 2, "cpu": "a processor"},
        "figures": {
            "labels": "labels.csv",
            "split": None,
            "presets": {"ours": ours},
            "rivals": {"theirs": figures_of(judged["theirs"], 100, 0) | {"found": found} | extra},
            "rivals_left_out": {"another": "node is not installed"},
            "side_by_side": side_by_side(judged, 100, 0),
        },
    }


def test_tables_and_plots_for_light_and_dark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "curves", lambda _: Curves([1, 2], [9.0, 8.0], [9.5, 8.4]))
    files = write_report(tmp_path, measured())
    assert {file.name for file in files} == {path.name for path in tmp_path.iterdir()}
    text = (tmp_path / "README.md").read_text()
    for words in (
        "240 faces of labels.csv",
        "another was left out: node is not installed",
        "4 not found",
        "ours minus it",
    ):
        assert words in text
    for name in PLOTS:
        for theme in ("light", "dark"):
            drawing = (tmp_path / f"{name}-{theme}.svg").read_text()
            ElementTree.fromstring(drawing)
            assert "<image" not in drawing  # nothing but lines and letters
            assert f"{name}-{theme}.svg" in text
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("| **all**")}
    assert widths == {12}
    again = json.loads((tmp_path / "report.json").read_text())
    assert again["figures"]["presets"]["ours"]["reliability"] == reliability(faces(5), 100, 0)


def test_the_same_figures_give_the_same_file(tmp_path: Path) -> None:
    drawn = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        drawn.append(draw("reliability", PLOTS["reliability"], measured()["figures"], folder))
    assert [file.read_bytes() for file in drawn[0]] == [file.read_bytes() for file in drawn[1]]


def test_one_preset_alone_has_no_side_by_side(tmp_path: Path) -> None:
    alone = measured()["figures"]
    for key in ("rivals", "rivals_left_out", "side_by_side"):
        del alone[key]
    assert draw("side-by-side", PLOTS["side-by-side"], alone, tmp_path) == []
    assert "Side by side" not in "\n".join(page(alone, set()))


def test_side_by_side_is_face_by_face() -> None:
    ours = [face(30, 1), face(40, 2), face(50, 3, missed=True)]
    theirs = [face(30, 3), face(40, 4), face(50, 5)]
    found = side_by_side({"ours": ours, "theirs": theirs}, 100, 0)
    assert found["against"]["theirs"] == {"mae_less": -2.0, "mae_less_95": [-2.0, -2.0]}
    assert found["found_by_all"] == {"n": 2, "mae": {"ours": 1.5, "theirs": 3.5}}


def test_a_short_row_is_filled_up_and_bars_are_escaped() -> None:
    assert table(["a", "b"], [["x|y"]]).splitlines() == ["| a | b |", "| :-- | --: |", "| x\\|y |  |"]
