"""Draws what an age network makes of one face: layer by layer, and with less and less to see.

    python -m model.evaluation.layers PICTURE FOLDER [--preset mairror-age-1]

Writes `layers.png` (for some layers the channels whose answers differ most from place to place, black for none) and
`resolution.png` (the chip with fewer and fewer pixels, and what is estimated then). Only ever run on faces that may be
shown: the one in `docs/study.md` is in the public domain.
"""

import argparse
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from contracts.errors import InvalidInput, Reason
from contracts.settings import load_settings
from model.backend import configure_backend
from model.estimator import AgeEstimator
from model.evaluation.finding import PatientDetector, main_face
from model.evaluation.looking import cut, read_picture
from model.manifest import load_preset
from model.network import BUILDERS, CYDRAL_SIZE
from model.preset_weights import preset_arrays
from model.training.augmentation import Shrunk
from model.two_scale import COARSE_PADDING
from model.weights import path_of, weights_folder

Picture = npt.NDArray[np.uint8]

LAYERS: Final = {
    "conv1_relu": "fine trunk, stem",
    "pw2_relu": "block 2",
    "pw4_relu": "block 4",
    "pw6_relu": "block 6",
    "pw11_relu": "block 11",
    "pw13_relu": "block 13, its last",
    "coarse_stem_relu": "coarse trunk, stem",
    "coarse_block3_relu2": "block 3",
    "coarse_block5_relu2": "block 5, its last",
}
"""By layer of the network: what it is called in the picture. Layers that a preset does not have are left out."""

CHANNELS: Final = 8
"""Channels shown of a layer."""

SIDES: Final = (4, 8, 16, 32, 64, 128)
"""Pixels left of the chip's side; those of the whole chip come last."""


def face_of(path: Path, estimator: AgeEstimator, detector: PatientDetector) -> Picture:
    """The main face as the preset's network sees it, RGB uint8 [size, size, 3].

    Raises:
        InvalidInput: not a picture, or no face in it.
    """
    picture = read_picture(path)
    face = main_face(detector.find(picture).faces, picture.shape[1], picture.shape[0])
    if face is None:
        raise InvalidInput(Reason.BAD_BODY, f"{path}: no face found")
    return cut(picture, face, estimator.manifest)


def answers(network: Any, chip: Picture) -> dict[str, npt.NDArray[np.float32]]:
    """Answers [height, width, channels] of the layers of `LAYERS` that the network has, in their order.

    Raises:
        InvalidInput: it has none of them.
    """
    import keras

    names = [name for name in LAYERS if any(layer.name == name for layer in network.layers)]
    if not names:
        raise InvalidInput(
            Reason.BAD_BODY, f"{network.name} has none of the layers {', '.join(LAYERS)}: nothing to draw"
        )
    inner = keras.Model(network.input, [network.get_layer(name).output for name in names])
    found = inner.predict_on_batch(chip[None])
    return {name: np.asarray(one, np.float32)[0] for name, one in zip(names, found, strict=True)}


def liveliest(answer: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
    """The `CHANNELS` channels that differ most from place to place, each scaled to 0..1."""
    spread = answer.std(axis=(0, 1))
    chosen = [answer[..., index] for index in np.argsort(-spread)[:CHANNELS]]
    return [np.asarray(one / max(float(one.max()), 1e-9), np.float32) for one in chosen]


def coarser(chip: Picture, side: int) -> Picture:
    """The chip with only `side` pixels a side, enlarged again."""
    if side >= chip.shape[0]:
        return chip
    small = cv2.resize(chip, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, chip.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.uint8)


def draw_layers(found: dict[str, npt.NDArray[np.float32]], chip: Picture, padding: float, path: Path) -> None:
    """Write the picture of the layers; `padding` is that of the chip, of which a coarse trunk sees the middle."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(CHANNELS + 1, len(found) * 1.12), layout="constrained", dpi=90)
    grid = figure.subplots(len(found), CHANNELS + 1, squeeze=False)
    for row, (name, answer) in zip(grid, found.items(), strict=True):
        row[0].imshow(Shrunk(CYDRAL_SIZE, COARSE_PADDING).of(chip, padding) if name.startswith("coarse_") else chip)
        row[0].set_title(f"{LAYERS[name]}, {answer.shape[0]} px", fontsize=7, loc="left")
        for axes, channel in zip(row[1:], liveliest(answer), strict=True):
            axes.imshow(channel, cmap="magma", vmin=0, vmax=1)
    for axes in grid.flat:
        axes.set_axis_off()
    figure.savefig(path, metadata={"Software": ""})


def draw_resolutions(estimator: AgeEstimator, chip: Picture, path: Path) -> None:
    """Write the picture of the chip with fewer and fewer pixels, with the estimates."""
    from matplotlib.figure import Figure

    sides = [*(side for side in SIDES if side < chip.shape[0]), chip.shape[0]]
    chips = [coarser(chip, side) for side in sides]
    figure = Figure(figsize=(len(sides) * 1.5, 1.95), layout="constrained", dpi=90)
    found = estimator.predict(np.stack(chips))
    for axes, one, side, answer in zip(figure.subplots(1, len(sides)), chips, sides, found, strict=True):
        axes.imshow(one)
        axes.set_axis_off()
        axes.set_title(f"{side} px: {answer.years:.0f}\n{answer.low:.0f} to {answer.high:.0f}", fontsize=9)
    figure.savefig(path, metadata={"Software": ""})


def main() -> None:
    """Read the arguments, draw both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--preset", default="mairror-age-1")
    arguments = parser.parse_args()
    cache = load_settings().cache
    configure_backend(threads=2)
    manifest = load_preset(arguments.preset)
    estimator = AgeEstimator(manifest, weights_folder(cache), (len(SIDES) + 1,))
    estimator.warm_up()
    chip = face_of(arguments.picture, estimator, PatientDetector(path_of("yunet", cache)))
    network = BUILDERS[manifest.architecture](preset_arrays(manifest, weights_folder(cache)), manifest.input_size, ())
    arguments.folder.mkdir(parents=True, exist_ok=True)
    draw_layers(answers(network, chip), chip, manifest.padding, arguments.folder / "layers.png")
    draw_resolutions(estimator, chip, arguments.folder / "resolution.png")


if __name__ == "__main__":
    main()
