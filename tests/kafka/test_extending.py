"""The examples of docs/extending.md run exactly as printed."""

import ast
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.settings import Settings
from tests.kafka.sending import unique
from tests.services import Service, wait_for

ROOT = Path(__file__).parents[2]
PRODUCER, SINK, PRESET = re.findall(r"```python\n(.*?)```", (ROOT / "docs/extending.md").read_text(), re.S)
PACKAGES = ("apps", "contracts", "processors", "producers", "sinks")


def run(folder: Path, name: str, code: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start an example as its reader would."""
    (folder / name).write_text(code)
    env = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    command = [sys.executable, str(folder / name), *arguments]
    return subprocess.Popen(command, env=env, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def csv_sink(environment: dict[str, str], tmp_path: Path) -> Iterator[Path]:
    """The sink of the document, running; the file it writes."""
    process = run(tmp_path, "csv_sink.py", SINK, str(tmp_path / "ages.csv"), **environment)
    yield tmp_path / "ages.csv"
    assert process.poll() is None, process.communicate()[1]
    process.kill()
    process.communicate()


def test_the_producer_plays_and_the_sink_writes(
    environment: dict[str, str],
    processor: Service,
    csv_sink: Path,
    tmp_path: Path,
    hopper: bytes,
    collins: bytes,
    no_face: bytes,
) -> None:
    stream = unique("zip")
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        for number, picture in enumerate((hopper, collins, no_face)):
            archive.writestr(f"{number}.jpg", picture)
        archive.writestr("readme.txt", "no picture")
    process = run(tmp_path, "zip_producer.py", PRODUCER, str(tmp_path / "faces.zip"), stream, **environment)
    out, problems = process.communicate(timeout=90)
    assert process.returncode == 0, problems
    ledger = ast.literal_eval(out.strip().splitlines()[-1])
    assert (ledger["captured"], ledger["answered"], ledger["in_flight"]) == (3, 3, 0)

    def ages() -> list[float]:
        lines = list(csv.reader(csv_sink.read_text().splitlines())) if csv_sink.exists() else []
        return [float(line[3]) for line in lines if line[1] == stream]

    wait_for(lambda: len(ages()) == 2, 60, "one line a face")
    assert all(10 < age < 100 for age in ages())


def test_the_preset_is_measured_and_has_its_wider_interval(settings: Settings, tmp_path: Path, hopper: bytes) -> None:
    for name in PACKAGES:
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "model", tmp_path / "model", ignore=shutil.ignore_patterns("__pycache__"))
    made = run(tmp_path, "preset.py", PRESET, PYTHONPATH=str(tmp_path))
    _, problems = made.communicate(timeout=30)
    assert made.returncode == 0, problems
    (tmp_path / "hopper.jpg").write_bytes(hopper)
    (tmp_path / "labels.csv").write_text("path,age\nhopper.jpg,72\n")
    command = [sys.executable, "-m", "apps.cli", "evaluate", "labels.csv", "--json"]
    done = subprocess.run(
        [*command, "--preset", "cydral", "--preset", "cydral-wide"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    presets = json.loads(done.stdout)["presets"]
    narrow, wide = presets["cydral"], presets["cydral-wide"]
    assert (narrow["n"], wide["n"]) == (1, 1)
    assert narrow["mae"] == wide["mae"]
    assert wide["width"] > narrow["width"]
