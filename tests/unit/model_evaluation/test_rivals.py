"""Rivals: asked as patiently as our own detector looks, and never the end of an evaluation."""

import sys
from pathlib import Path

import numpy as np
import pytest

from contracts.errors import FatalError
from contracts.settings import Settings
from model.evaluation.finding import PatientDetector
from model.evaluation.labels import read_labels
from model.evaluation.rivals import installing
from model.evaluation.rivals.asking import NOT_FOUND, Picture, Process
from model.evaluation.rivals.comparing import compare
from model.evaluation.run import Bench
from model.weights import path_of

STAND_IN = """
import json, struct, sys
while len(header := sys.stdin.buffer.read(12)) == 12:
    mode, height, width = struct.unpack("<III", header)
    rgb = sys.stdin.buffer.read(height * width * 3)
    if rgb[0] == 13:
        sys.exit("that number again")
    wanted, faces = rgb[(height // 2 * width + width // 2) * 3], []
    if mode == 1:
        faces = [{"box": [0, 0, width, height], "age": 99}]
    elif wanted == 0 or (wanted == 1 and height > 100):
        faces = [{"box": [0, 0, 9, 9], "age": 1}, {"box": [10, 10, width - 20, height - 20], "age": 40 + wanted}]
    print(json.dumps({"faces": faces}), flush=True)
"""
"""Finds faces when a red value in the middle is 0, only with a border when it is 1, never when it is 2."""


def picture(red: int) -> Picture:
    pixels = np.zeros((80, 80, 3), np.uint8)
    pixels[:, :, 2] = red
    return pixels


def test_it_is_asked_again_with_a_border_and_then_told_the_face() -> None:
    with Process("stand-in", [sys.executable, "-c", STAND_IN]) as rival:
        assert rival.answer(picture(0)) == (40.0, 0)  # the large face in the middle, not the first one
        assert rival.answer(picture(1)) == (41.0, 1)
        assert rival.answer(picture(2)) == (99.0, NOT_FOUND)


def test_one_that_dies_says_its_last_words() -> None:
    with (
        Process("stand-in", [sys.executable, "-c", STAND_IN]) as rival,
        pytest.raises(FatalError, match=r"stand-in ended.*that number again"),
    ):
        rival.answer(picture(13))


def test_without_node_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(installing.Missing, match="node is not installed"):
        installing.human(tmp_path, lambda _: None)
    assert not (tmp_path / "rivals").exists()


def test_one_that_dies_or_cannot_be_had_is_left_out_and_the_others_are_measured(
    folder: Path, settings: Settings
) -> None:
    def missing(_bench: object, _tell: object) -> Process:
        raise installing.Missing("it needs a moon")

    rows = read_labels(folder / "labels.csv", "test").rows[:4]
    bench = Bench(settings, PatientDetector(path_of("yunet", settings.cache)), [])
    steady = STAND_IN.replace("wanted == 0 or", "True or")
    found = compare(
        rows,
        bench,
        lambda _: None,
        draws=100,
        seed=0,
        rivals={
            "dies": lambda _bench, _tell: Process("dies", [sys.executable, "-c", "import sys; sys.exit('no memory')"]),
            "missing": missing,
            "steady": lambda _bench, _tell: Process("steady", [sys.executable, "-c", steady]),
        },
    )
    assert set(found.left_out) == {"dies", "missing"}
    assert "no memory" in found.left_out["dies"]
    assert found.left_out["missing"] == "it needs a moon"
    assert found.reports["steady"]["n"] == 4
    assert found.reports["steady"]["found"] == {"first_sight": 4, "with_a_border": 0, "not_found": 0}
    assert found.reports["steady"]["coverage"] is None


@pytest.mark.prove
@pytest.mark.parametrize(("name", "command"), [("human", installing.human), ("wheel", installing.wheel)])
def test_the_real_ones_answer_two_portraits(
    name: str, command: object, settings: Settings, collins: Picture, hopper: Picture
) -> None:
    """Fetched where they are not yet there: 350 MB, so a proof and not a test of every landing."""
    started = command(settings.cache, lambda _text: None)  # type: ignore[operator]
    with Process(name, started) as rival:
        younger, step = rival.answer(collins)
        older, _ = rival.answer(hopper)
    assert step == 0
    assert 20 < younger < 50 < older < 90
