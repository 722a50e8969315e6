"""`mairror bench --model`: presets alone, each in a process of its own."""

import json
import subprocess
import sys

from contracts.settings import Settings
from model.weights import fetch


def test_a_preset_alone_is_timed_by_batch_and_threads() -> None:
    fetch(Settings().cache)
    command = [sys.executable, "-m", "apps.cli", "bench", "--model", "--preset", "cydral", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["presets"]
    assert rows[0]["threads"] == 1
    for row in rows:
        assert row["preset"] == "cydral"
        assert set(row["ms_per_face"]) == {"1", "16", "64"}
        assert all(value > 0 for value in row["ms_per_face"].values())
        assert row["load_s"] > 0


def test_a_preset_nobody_knows_is_refused_by_name() -> None:
    command = [sys.executable, "-m", "apps.cli", "bench", "--model", "--preset", "nobodys"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0
    assert "no preset 'nobodys'" in done.stderr
    assert "Traceback" not in done.stderr
