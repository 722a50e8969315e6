"""The study of architectures runs on a tiny data set, goes on where it was ended, and compares what it says."""

from pathlib import Path

import numpy as np
import pytest

from model.arrays import load_arrays
from model.training import study, study_networks
from model.weights import path_of
from tests.unit.model_training.test_running import Silent, config, own_cache, teacher

__all__ = ["own_cache", "teacher"]


def test_a_trunk_each_costs_about_as_much_as_one(cache: Path) -> None:
    def kernels(network: object) -> int:
        return sum(int(np.prod(one.shape)) for one in network.trainable_variables if len(one.shape) == 4)  # type: ignore[attr-defined]

    one, three = kernels(study_networks.shared(1.0)), kernels(study_networks.separate(1.0))
    assert three == pytest.approx(one, rel=0.05)
    published = study_networks.transferred(load_arrays(path_of("cydral", cache))[0])
    assert set(published.output) == {"age", "gender", "ethnicity"}


def test_every_run_is_kept_and_not_made_twice(
    faces: Path, own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"EPOCHS": 1, "FACES": 8, "BATCH": 4, "SEEDS": (1, 2)}.items():
        monkeypatch.setattr(study, name, value)
    some = study.arms(own_cache)["one trunk, a quarter as wide"]
    monkeypatch.setattr(study, "arms", lambda _cache: {"small": some})
    path, result = config(tmp_path, faces), tmp_path / "study"
    found = study.study(path, own_cache, result, Silent())
    assert set(found["runs"]) == {"small 1", "small 2"}
    for run in found["runs"].values():
        assert run["mae"] > 0
        assert run["parameters"] > 10_000
        assert len(run["curve"]) == 1
    assert found["ensembles"]["small"]["1"] == pytest.approx(found["runs"]["small 1"]["mae"], abs=0.05)
    again = Silent()
    assert study.study(path, own_cache, result, again)["runs"] == found["runs"]
    assert not any(text.startswith("shared") for text in again.steps)
