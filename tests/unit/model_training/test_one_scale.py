"""`model.one_scale`: the network of mairror-age-1-fast, begun from the larger one and taught by it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from contracts.errors import InvalidInput
from model.alignment import chip
from model.arrays import load_arrays
from model.evaluation.finding import PatientDetector, main_face
from model.manifest import load_preset
from model.network import BUILDERS
from model.one_scale import FEATURES, PADDING, SIZE, build_one_scale, of_two_scale
from model.preset_weights import preset_arrays
from model.training.augmentation import Shrunk
from model.training.config import load_config
from model.training.export import network_arrays
from model.training.running import train
from model.two_scale import AGES, build_two_scale
from model.two_scale import PADDING as LARGER_PADDING
from model.two_scale import SIZE as LARGER_SIZE
from model.weights import path_of
from tests.unit.model_training.test_running import DATA, EVERY_KIND, Silent, own_cache, teacher

__all__ = ["own_cache", "teacher"]

Picture = npt.NDArray[np.uint8]
SMALL = 64

CONFIG = (
    """
name = "mairror-age-1-fast"
precision = "float32"
architecture = "mairror-one-scale"
[shrunk]
size = 112
padding = 0.2
[distilled]
preset = "mairror-age-1"
"""
    + DATA
    + """
[fine]
epochs = 1
faces = 8
batch = 4
from_block = 13
"""
)


def test_a_prepared_chip_becomes_the_one_that_serving_cuts(collins: Picture, hopper: Picture, cache: Path) -> None:
    detector, smaller = PatientDetector(path_of("yunet", cache)), Shrunk(SIZE, PADDING)
    for picture in (collins, hopper):
        face = main_face(detector.find(picture).faces, *picture.shape[1::-1])
        assert face is not None
        large = chip(picture, face.landmarks, LARGER_SIZE, LARGER_PADDING)
        served = chip(picture, face.landmarks, SIZE, PADDING).astype(float)
        shrunk = smaller.of(large, LARGER_PADDING).astype(float)
        difference = np.abs(shrunk - served).mean()
        assert difference < 5
        for axis, by in ((0, 1), (0, -1), (1, 1), (1, -1)):
            shifted = np.abs(np.roll(shrunk, by, axis=axis) - served).mean()
            assert difference < 0.75 * shifted, "one pixel off would be as near: the comparison means little"


@pytest.mark.parametrize(("size", "padding"), [(112, 0.2), (64, 0.2), (112, 0.45), (224, 0.45)])
def test_a_smaller_chips_pixels_lie_where_the_geometry_says(size: int, padding: float) -> None:
    across = np.linspace(20, 240, LARGER_SIZE)
    chip_of_a_ramp = np.round(np.broadcast_to(across[None, :, None], (LARGER_SIZE, LARGER_SIZE, 3))).astype(np.uint8)
    steps = (LARGER_SIZE - 1) / (1 + 2 * LARGER_PADDING)
    places = (LARGER_PADDING - padding) * steps + np.arange(size) * (1 + 2 * padding) / (size - 1) * steps
    shrunk = Shrunk(size, padding).of(chip_of_a_ramp, LARGER_PADDING)
    inner = slice(3, -3)
    wanted = np.interp(places, np.arange(LARGER_SIZE), across)
    assert np.abs(shrunk[size // 2, inner, 0] - wanted[inner]).max() < 1.5
    assert (Shrunk(LARGER_SIZE, LARGER_PADDING).of(chip_of_a_ramp, LARGER_PADDING) == chip_of_a_ramp).all()


def test_a_lot_smaller_is_smoothed_first() -> None:
    stripes = np.zeros((LARGER_SIZE, LARGER_SIZE, 3), np.uint8)
    stripes[:, ::2] = 255
    assert Shrunk(64, 0.2).of(stripes, LARGER_PADDING)[8:-8, 8:-8].std() < 20


def test_it_begins_with_all_it_can_read_of_the_larger_network() -> None:
    heads = ("age", "gender", "ethnicity")
    larger = network_arrays(build_two_scale(None, heads, SMALL))
    taken = of_two_scale(larger)
    network = build_one_scale(taken, heads, SMALL)
    assert (network.get_layer("pw13").get_weights()[0] == larger["pw13/kernel"]).all()
    assert (network.get_layer("gender_hidden").get_weights()[0] == larger["gender_hidden/kernel"][:FEATURES]).all()
    alone = build_one_scale(network_arrays(network), ("age",), SMALL)
    chips = np.random.default_rng(0).integers(0, 256, (2, SMALL, SMALL, 3), dtype=np.uint8)
    answer = np.asarray(alone.predict_on_batch(chips))
    assert answer.shape == (2, AGES)
    row = np.asarray(BUILDERS["mairror-one-scale"](taken, SMALL, ("gender",)).predict_on_batch(chips))
    assert row.shape == (2, AGES + 1)
    assert np.abs(row[:, :AGES] - answer).max() < 1e-3


def test_a_run_teaches_it_what_the_larger_preset_answers(faces: Path, own_cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "fast.toml"
    path.write_text(CONFIG.format(labels=faces / "labels.csv", skip=EVERY_KIND))
    watcher = Silent()
    report = train(path, own_cache, watcher)
    assert watcher.steps >= {"align", "teachers", "answers of mairror-age-1", "fine"}
    assert "head" not in watcher.steps
    found = load_arrays(Path(report["weights"]))[0]
    larger = preset_arrays(load_preset("mairror-age-1"), tmp_path)
    assert not any(name.startswith("coarse") for name in found)
    assert layers_alike(found, larger, "dw") == 12
    assert layers_alike(found, larger, "pw") == 12
    # it knows a portrait of 77 from one of 42 before it has learned anything
    assert report["history"][0]["figures"]["mae"] < 12


def layers_alike(first: Mapping[str, Picture], second: Mapping[str, Picture], start: str) -> int:
    """How many kernels whose names begin with `start` are the same."""
    names = [name for name in first if name.startswith(start) and name.endswith("/kernel")]
    return sum(np.array_equal(first[name], second[name]) for name in names)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ('[distilled]\npreset = "mairror-age-1"\n', "distilled"),
        ("size = 112", "size = 300"),
        ("padding = 0.2", "padding = 0.6"),
        ('"mairror-one-scale"', '"mairror-none"'),
    ],
)
def test_an_impossible_smaller_network_is_refused(change: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "fast.toml"
    replacement = "" if words == "distilled" else words
    path.write_text(CONFIG.format(labels="labels.csv", skip=EVERY_KIND).replace(change, replacement, 1))
    with pytest.raises(InvalidInput, match=words.split()[-1].strip('"')):
        load_config(path)
