"""`model.two_scale` and `model.mobilenet`: the network of mairror-age-1, and the published ones inside it."""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from contracts.errors import FatalError
from model.alignment import chip
from model.backend import compile_predict
from model.evaluation.finding import PatientDetector, main_face
from model.mobilenet import build_faceres_deep
from model.network import BUILDERS, CYDRAL_SIZE
from model.training.export import network_arrays
from model.training.teacher_weights import as_keras, faceres_deep
from model.training.tfjs import read_graph_model
from model.two_scale import AGES, COARSE_PADDING, PADDING, SIZE, build_two_scale, shrink_matrix
from model.weights import path_of

Picture = npt.NDArray[np.uint8]
SMALL = 64


def test_the_coarse_trunk_sees_what_cydral_sees(collins: Picture, hopper: Picture, cache: Path) -> None:
    detector = PatientDetector(path_of("yunet", cache))
    matrix = shrink_matrix(SIZE, PADDING, CYDRAL_SIZE, COARSE_PADDING)
    for picture in (collins, hopper):
        face = main_face(detector.find(picture).faces, *picture.shape[1::-1])
        assert face is not None
        large = chip(picture, face.landmarks, SIZE, PADDING).astype(np.float32)
        served = chip(picture, face.landmarks, CYDRAL_SIZE, COARSE_PADDING)
        shrunk = np.einsum("sh,hwc,tw->stc", matrix, large, matrix)
        difference = np.abs(shrunk - served)
        assert difference.mean() < 5
        shifted = np.abs(np.roll(shrunk, 1, axis=0) - served)
        assert difference.mean() < 0.75 * shifted.mean(), "one pixel off would be as near: the comparison means little"


def test_weights_go_round_in_half_precision() -> None:
    heads = ("age", "gender", "ethnicity")
    network = build_two_scale(None, heads, SMALL)
    arrays = network_arrays(network)
    assert sum(array.nbytes for array in arrays.values()) <= 16e6
    again, ages_alone = build_two_scale(arrays, heads, SMALL), build_two_scale(arrays, ("age",), SMALL)
    chips = np.random.default_rng(0).integers(0, 256, (3, SMALL, SMALL, 3), dtype=np.uint8)
    first, second = again.predict_on_batch(chips), ages_alone.predict_on_batch(chips.astype(np.float32))
    assert np.asarray(first["age"]).shape == (3, AGES)
    assert np.asarray(first["age"]).sum(axis=1) == pytest.approx(1, abs=1e-4)
    assert np.abs(np.asarray(first["age"]) - np.asarray(second)).max() < 1e-5
    assert np.asarray(first["gender"]).shape == (3, 1)
    assert np.asarray(first["ethnicity"]).shape == (3, 5)


def test_serving_runs_it_uncompiled_as_keras_does() -> None:
    network = build_two_scale(None, ("age",), SMALL)
    chips = np.random.default_rng(1).integers(0, 256, (2, SMALL, SMALL, 3), dtype=np.uint8)
    served = compile_predict(network, (2, 4), SMALL)[2](chips)
    assert np.abs(served - np.asarray(network.predict_on_batch(chips))).max() < 1e-5
    assert "mairror-two-scale" in BUILDERS


def test_arrays_that_do_not_fit_are_named() -> None:
    arrays = network_arrays(build_two_scale(None, ("age",), SMALL))
    with pytest.raises(FatalError, match="dw3/bias"):
        build_two_scale({name: array for name, array in arrays.items() if name != "dw3/bias"}, ("age",), SMALL)
    with pytest.raises(FatalError, match="dw3"):
        build_two_scale({**arrays, "dw3/kernel": arrays["dw4/kernel"][:, :, :5]}, ("age",), SMALL)
    with pytest.raises(FatalError, match="surplus"):
        build_two_scale({**arrays, "surplus/kernel": arrays["dw3/kernel"]}, ("age",), SMALL)


def test_a_graph_model_is_read_by_its_list() -> None:
    first, second = np.arange(6, dtype="<f4").reshape(2, 3), np.array([7, 8], dtype="<i4")
    listed = [
        {"name": "a", "shape": [2, 3], "dtype": "float32"},
        {"name": "none", "shape": [], "dtype": "float32"},
        {"name": "b", "shape": [2], "dtype": "int32"},
    ]
    text = json.dumps({"weightsManifest": [{"paths": ["x"], "weights": listed}]}).encode()
    data = first.tobytes() + np.float32(5).tobytes() + second.tobytes()
    found = read_graph_model(text, data)
    assert (found["a"] == first).all()
    assert found["none"] == 5
    assert (found["b"] == second).all()
    for wrong in (data[:-1], data + b"x"):
        with pytest.raises(FatalError, match="bytes"):
            read_graph_model(text, wrong)
    with pytest.raises(FatalError, match="not the description"):
        read_graph_model(b"{}", data)


def test_the_first_kernel_is_turned_to_rgb_and_depthwise_factors_are_folded_in() -> None:
    rng = np.random.default_rng(0)
    graph = {
        "conv1/convolution/merged_input": rng.random((3, 3, 3, 2)),
        "conv1_bn/batchnorm_1/sub": rng.random(2),
        **{
            f"{name}/{kind}": rng.random(2)
            for name in ("feats", "age_pred", "gender_pred")
            for kind in ("kernel", "bias")
        },
    }
    for number in range(1, 14):
        graph[f"conv_dw_{number}/depthwise_kernel"] = rng.random((3, 3, 2, 1))
        graph[f"conv_dw_{number}_bn/batchnorm_1/mul"] = rng.random(2)
        graph[f"conv_pw_{number}/convolution/merged_input"] = rng.random((1, 1, 2, 2))
        for kind in ("dw", "pw"):
            graph[f"conv_{kind}_{number}_bn/batchnorm_1/sub"] = rng.random(2)
    arrays = as_keras(graph)
    assert (arrays["conv1/kernel"][:, :, 0] == graph["conv1/convolution/merged_input"][:, :, 2]).all()
    kernel, factor = graph["conv_dw_3/depthwise_kernel"], graph["conv_dw_3_bn/batchnorm_1/mul"]
    assert arrays["dw3/kernel"][:, :, 1] == pytest.approx(kernel[:, :, 1] * factor[1])


@pytest.mark.prove
def test_faceres_deep_answers_as_tensorflow_js_does(collins: Picture, hopper: Picture, cache: Path) -> None:
    """The reference: @tensorflow/tfjs 4, backend cpu, on the same two chips (faceres_reference.json)."""
    reference = json.loads((Path(__file__).parent / "faceres_reference.json").read_text())
    detector = PatientDetector(path_of("yunet", cache))
    chips = []
    for picture in (collins, hopper):
        face = main_face(detector.find(picture).faces, *picture.shape[1::-1])
        assert face is not None
        chips.append(chip(picture, face.landmarks, SIZE, PADDING))
    found = build_faceres_deep(faceres_deep(cache)).predict_on_batch(np.stack(chips))
    for name, values in reference.items():
        ours = np.asarray(found[name])[:, : len(values[0])]
        assert ours == pytest.approx(np.array(values), abs=1e-4), name
