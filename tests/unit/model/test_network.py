"""`model.network` and `model.estimator`: the same answers as the published network, at any batch size."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

from contracts.errors import FatalError
from model.estimator import AgeEstimator
from model.manifest import PresetManifest
from model.network import build_cydral
from model.weights import entry_of

Picture = npt.NDArray[np.uint8]


def published(chips: Picture, weights_dir: Path, preset: PresetManifest) -> npt.NDArray[np.float32]:
    """What onnxruntime makes of the published file."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(weights_dir / entry_of("cydral").published, options)
    mean = np.array(preset.normalisation.mean, dtype=np.float32)
    pixels = (chips.astype(np.float32) - mean) / np.float32(preset.normalisation.divisor)
    output = session.run(None, {"images": np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))})[0]
    return np.asarray(output, dtype=np.float32)


def test_outputs_equal_onnxruntimes_on_real_faces(
    estimator: AgeEstimator, chips: Picture, weights_dir: Path, preset: PresetManifest
) -> None:
    ours = estimator.probabilities(chips)
    assert ours.shape == (10, 81)
    assert np.abs(ours - published(chips, weights_dir, preset)).max() < 1e-4
    assert np.abs(ours[0] - ours[5]).max() > 0.05, "two people look alike to the network: the comparison means little"


def test_float_input_gives_what_uint8_gives(estimator: AgeEstimator, chips: Picture, weights_dir: Path) -> None:
    from model.arrays import load_arrays
    from model.weights import checked_path

    network = build_cydral(load_arrays(checked_path("cydral", weights_dir))[0])
    output = np.asarray(network.predict_on_batch(chips[:3].astype(np.float32)))
    assert np.abs(output - estimator.probabilities(chips[:3])).max() < 1e-4


def test_ages_of_two_people_everybody_can_look_up(estimator: AgeEstimator, chips: Picture) -> None:
    collins, hopper = (estimator.predict(chips[index : index + 1])[0] for index in (0, 5))
    assert 25 <= collins.years <= 50
    assert hopper.years >= 55
    for estimate in (collins, hopper):
        assert 0 <= estimate.low < estimate.years < estimate.high
        assert estimate.coverage == pytest.approx(0.8)
        assert estimate.spread > 0


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 10])
def test_batch_padding_and_splitting_change_nothing(count: int, estimator: AgeEstimator, chips: Picture) -> None:
    alone = np.concatenate([estimator.probabilities(chips[index : index + 1]) for index in range(count)])
    assert np.abs(estimator.probabilities(chips[:count]) - alone).max() < 1e-5
    assert len(estimator.predict(chips[:count])) == count


def test_no_faces_no_estimates(estimator: AgeEstimator, chips: Picture) -> None:
    assert estimator.predict(chips[:0]) == []


def test_batch_ms_follows_what_is_measured(estimator: AgeEstimator, chips: Picture) -> None:
    before = estimator.batch_ms(4)
    assert before > 0
    estimator.predict(chips[:3])
    assert estimator.batch_ms(4) != before
    with pytest.raises(FatalError, match="not warmed up"):
        estimator.batch_ms(3)


def test_wrong_chips_and_wrong_sizes_are_refused(
    estimator: AgeEstimator, chips: Picture, preset: PresetManifest, weights_dir: Path
) -> None:
    with pytest.raises(ValueError, match="uint8"):
        estimator.predict(chips.astype(np.float32))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="64"):
        estimator.predict(chips[:, :32])
    with pytest.raises(FatalError, match="ascending"):
        AgeEstimator(preset, weights_dir, (4, 2))


def test_a_missing_array_is_named() -> None:
    with pytest.raises(FatalError, match="layer_52_weights"):
        build_cydral({})
