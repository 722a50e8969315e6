"""`mairror evaluate` as people and programs run it, on two portraits and noise."""

import json
import os
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from apps.cli.__main__ import app


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own: TensorFlow takes its threads once."""
    wide = os.environ | {"COLUMNS": "200"}
    command = [sys.executable, "-m", "apps.cli", "evaluate", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=wide)


def test_two_portraits_noise_and_rows_that_cannot_be_used(folder: Path) -> None:
    done = run(str(folder / "labels.csv"), "--preset", "cydral", "--split", "test", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["preset"], found["n"], found["missed_n"], found["missed"]) == ("cydral", 4, 1, 0.25)
    assert found["decades"]["40"]["n"] == 2
    assert found["decades"]["40"]["mae"] < 20
    assert found["decades"]["70"]["mae"] < 20
    assert found["decades"]["30"]["missed"] == 1.0
    assert found["decades"]["30"]["mae_answered"] is None
    assert set(found["groups"]) == {"dress"}
    assert found["groups"]["dress"]["space"]["n"] == 2
    assert found["ms_per_face"] > 0
    assert found["skipped_n"] == 5
    reasons = {one["line"]: one["reason"] for one in found["skipped"]}
    assert reasons[6] == "No such file or directory"
    assert "ends before its end marker" in reasons[7]
    assert sorted(reasons) == [6, 7, 8, 9, 10]
    assert {one["file"] for one in found["skipped"]} == {str(folder / "labels.csv")}


def test_people_read_a_table_and_the_rows_left_out(folder: Path) -> None:
    done = run(str(folder / "labels.csv"), "--split", "test", "--limit", "6")
    assert done.returncode == 0, done.stderr
    for words in ("each decade the same", "dress navy", "line 6: ", "5 rows could not be used"):
        assert words in done.stderr


def test_an_unknown_preset_names_those_there_are(folder: Path) -> None:
    done = run(str(folder / "labels.csv"), "--preset", "nobody")
    assert done.returncode == 1
    assert "choose one of" in done.stderr
    assert "cydral" in done.stderr


def test_help_names_the_columns() -> None:
    done = CliRunner().invoke(app, ["evaluate", "--help"])
    assert done.exit_code == 0
    assert "path" in done.output


def test_sweeps_and_a_folder_of_tables_and_plots(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    sweeps = ("--sweeps", "--sweep-faces", "2")
    done = run(str(folder / "labels.csv"), "--preset", "cydral", "--split", "test", *sweeps, "--out", str(out))
    assert done.returncode == 0, done.stderr
    first = done.stderr.splitlines()[0]
    assert first.startswith("cydral: error ")
    assert "each decade the same" in first
    assert "rotation 180 degrees" in done.stderr
    figures = json.loads((out / "report.json").read_text())["figures"]["presets"]["cydral"]
    low, high = figures["intervals"]["mae"]
    assert low <= figures["mae"] <= high
    swept = figures["sweeps"]
    assert swept["n"] + swept["left_out"] == 2
    levels = {level["level"]: level for level in swept["sweeps"]["face size"]["levels"]}
    assert abs(levels[256]["change"]) < 6  # nearly what it was
    assert levels[32]["n"] == swept["n"]
    page = (out / "README.md").read_text()
    assert "sweeps-dark.svg" in page
    assert str(tmp_path) not in page


def test_a_folder_that_cannot_be_made_is_told_before_the_work(folder: Path) -> None:
    done = run(str(folder / "labels.csv"), "--out", str(folder / "collins.png" / "report"))
    assert done.returncode == 2
    assert "--out" in done.stderr
    assert "error" not in done.stderr.split("--out")[0]
