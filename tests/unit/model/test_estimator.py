"""`model.estimator`: warming up is done once, whole or not at all, and makes one graph where one is enough."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from contracts.errors import FatalError
from model.backend import compile_predict
from model.estimator import AgeEstimator
from model.manifest import PresetManifest
from model.network import BUILDERS
from model.one_scale import build_one_scale
from model.preset_weights import preset_arrays

Picture = npt.NDArray[np.uint8]

pytestmark = pytest.mark.usefixtures("estimator")  # it has set the backend's threads


def test_warming_up_again_changes_nothing_and_a_failed_one_is_none(
    preset: PresetManifest, weights_dir: Path, chips: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = AgeEstimator(preset, weights_dir, (1, 2))

    def fails(*_: object) -> dict[int, object]:
        def run(_chips: Picture) -> Picture:
            raise MemoryError

        return {1: run}

    with monkeypatch.context() as patched:
        patched.setattr("model.estimator.compile_predict", fails)
        with pytest.raises(MemoryError):
            made.warm_up()
    with pytest.raises(FatalError, match="warm_up"):
        made.predict(chips[:1])
    made.warm_up()
    before = {size: made.batch_ms(size) for size in (1, 2)}
    made.warm_up()
    assert {size: made.batch_ms(size) for size in (1, 2)} == before
    assert len(made.predict(chips[:3])) == 3


def test_a_network_that_is_not_compiled_shares_one_graph_for_all_sizes(
    preset: PresetManifest, weights_dir: Path
) -> None:
    plain = build_one_scale(None, ("age",), 32)
    shared = compile_predict(plain, (1, 4), 32)
    assert shared[1] is shared[4]
    chips = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    assert np.abs(shared[4](chips)[:1] - shared[1](chips[:1])).max() < 1e-5
    assert np.abs(shared[4](chips) - np.asarray(plain.predict_on_batch(chips))).max() < 1e-5
    compiled = compile_predict(BUILDERS[preset.architecture](preset_arrays(preset, weights_dir), 64, ()), (1, 2), 64)
    assert compiled[1] is not compiled[2]
