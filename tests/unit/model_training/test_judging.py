"""A data set that is left out is measured on and chooses nothing; a name that is none is refused."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from contracts.errors import InvalidInput
from model.training.config import TrainingConfig, load_config
from model.training.judging import measured
from model.training.material import Material, gather
from model.training.preparation import Geometry, Prepared, State
from model.training.samples import Manifest, Sample
from model.training.targets import TEACHERS
from model.training.teachers import Seen
from model.two_scale import AGES
from tests.unit.model_training.test_running import Silent, config, own_cache, teacher

__all__ = ["own_cache", "teacher"]

SIDE = 8


class Thermometer:
    """Answers each chip's brightness as its age."""

    def predict_on_batch(self, chips: npt.NDArray[np.float32]) -> dict[str, Any]:
        years = np.clip(chips.mean(axis=(1, 2, 3)), 0, AGES - 1).round().astype(int)
        return {"age": np.eye(AGES, dtype=np.float32)[years]}


def material(folder: Path, ages: list[float], sources: list[str], seen: list[int]) -> Material:
    """Validation faces whose chips are as bright as `seen`."""
    count = len(ages)
    prepared = Prepared.at(folder, count, SIDE)
    prepared.state[:] = State.FACE
    prepared.chips[:] = np.array(seen, dtype=np.uint8)[:, None, None, None]
    samples = [
        Sample(source, folder, f"{n}.jpg", age) for n, (source, age) in enumerate(zip(sources, ages, strict=True))
    ]
    teachers = np.zeros((count, 1, len(TEACHERS), AGES), np.float16)
    views = Seen(np.zeros((count, 1, 1), np.float16), teachers, np.ones(count, np.uint8))
    return Material(Manifest(samples), Geometry(SIDE, 0.45), prepared, views, ["validation"] * count, [])


@pytest.fixture
def leaving(tmp_path: Path) -> TrainingConfig:
    """A configuration that leaves out the source `other`."""
    path = tmp_path / "c.toml"
    text = 'name = "x"\nsize = 8\nheads = []\n[data]\nleave_out = ["other"]\n'
    path.write_text(text + '[[data.sets]]\nname = "faces"\nformat = "csv"\npath = "labels.csv"\n')
    return load_config(path)


def test_faces_left_out_move_the_error_and_not_the_score(leaving: TrainingConfig, tmp_path: Path) -> None:
    ages, sources = [30.0, 40.0, 50.0, 60.0], ["own", "own", "other", "other"]
    good = measured(Thermometer(), material(tmp_path / "a", ages, sources, [31, 41, 50, 60]), leaving)
    bad = measured(Thermometer(), material(tmp_path / "b", ages, sources, [31, 41, 90, 90]), leaving)
    worse = measured(Thermometer(), material(tmp_path / "c", ages, sources, [35, 45, 50, 60]), leaving)
    assert good["mae"] == pytest.approx(0.5)
    assert bad["mae"] == pytest.approx((1 + 1 + 40 + 30) / 4)
    assert bad["score"] == good["score"] == pytest.approx(1)
    assert worse["score"] == pytest.approx(5)
    everything = msgspec.structs.replace(leaving, data=msgspec.structs.replace(leaving.data, leave_out=()))
    found = measured(Thermometer(), material(tmp_path / "d", ages, sources, [31, 41, 90, 90]), everything)
    assert found["score"] == pytest.approx(found["mae"])


def test_without_a_face_to_choose_by_the_run_ends_with_the_name(leaving: TrainingConfig, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"data\.leave_out names other"):
        measured(Thermometer(), material(tmp_path / "a", [30.0], ["other"], [31]), leaving)


def test_a_source_that_is_not_there_cannot_be_left_out(faces: Path, own_cache: Path, tmp_path: Path) -> None:
    path = config(tmp_path, faces)
    path.write_text(path.read_text().replace("[data]", '[data]\nleave_out = ["afa"]'))
    with pytest.raises(InvalidInput, match=r"data\.leave_out names afa; the sources are faces"):
        gather(load_config(path), path, own_cache, Silent())
