"""What a network makes of one face can be looked at."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from contracts.errors import InvalidInput
from contracts.settings import Settings
from model.estimator import AgeEstimator
from model.evaluation.finding import PatientDetector
from model.evaluation.layers import CHANNELS, SIDES, answers, coarser, draw_layers, draw_resolutions, face_of, liveliest
from model.manifest import load_preset
from model.network import BUILDERS
from model.preset_weights import preset_arrays
from model.weights import path_of

Picture = npt.NDArray[np.uint8]


def test_the_channels_that_differ_most_are_shown() -> None:
    answer = np.zeros((4, 5, 20), np.float32)
    heights = np.random.default_rng(0).permutation(20) + 1
    for channel, height in enumerate(heights):
        answer[channel // 5, channel % 5, channel] = height
    found = liveliest(answer)
    assert [int(one.argmax()) for one in found] == np.argsort(-heights)[:CHANNELS].tolist()
    assert all(one.max() == pytest.approx(1) for one in found)
    assert liveliest(np.zeros((2, 2, 9), np.float32))[0].max() == 0


def test_fewer_pixels_leave_less_to_see(collins: Picture) -> None:
    chip = np.ascontiguousarray(collins[:224, 100:324])
    losses = [np.abs(coarser(chip, side).astype(int) - chip).mean() for side in SIDES]
    assert losses == sorted(losses, reverse=True)
    assert (coarser(chip, 224) == chip).all()


def test_a_network_without_such_layers_is_refused() -> None:
    import keras

    inputs = keras.Input((8, 8, 3))
    with pytest.raises(InvalidInput, match="plain has none of the layers conv1_relu"):
        answers(keras.Model(inputs, keras.layers.Flatten()(inputs), name="plain"), np.zeros((8, 8, 3), np.uint8))


@pytest.mark.parametrize(("preset", "stem"), [("mairror-age-1", 112), ("mairror-age-1-fast", 56)])
def test_both_pictures_are_drawn_of_the_real_network(
    preset: str, stem: int, collins: Picture, settings: Settings, tmp_path: Path
) -> None:
    weights, detector = settings.cache / "weights", PatientDetector(path_of("yunet", settings.cache))
    manifest = load_preset(preset)
    estimator = AgeEstimator(manifest, weights, (len(SIDES) + 1,))
    estimator.warm_up()
    portrait, blank = tmp_path / "portrait.png", tmp_path / "blank.png"
    cv2.imwrite(str(portrait), collins)
    cv2.imwrite(str(blank), np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(InvalidInput, match=r"blank\.png: no face found"):
        face_of(blank, estimator, detector)
    chip = face_of(portrait, estimator, detector)
    network = BUILDERS[manifest.architecture](preset_arrays(manifest, weights), manifest.input_size, ())
    found = answers(network, chip)
    sizes = {name: answer.shape[0] for name, answer in found.items()}
    assert sizes["conv1_relu"] == stem
    assert ("coarse_stem_relu" in sizes) == (preset == "mairror-age-1")
    draw_layers(found, chip, manifest.padding, tmp_path / "layers.png")
    draw_resolutions(estimator, chip, tmp_path / "resolution.png")
    for name in ("layers.png", "resolution.png"):
        drawn = cv2.imread(str(tmp_path / name))
        assert drawn is not None
        assert drawn.std() > 20
