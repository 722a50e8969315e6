"""Faces, weights and the parts of the pipeline that are slow to build, shared by the tests of `model`."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from contracts.settings import Settings
from model.alignment import chip
from model.backend import configure_backend
from model.detector import FaceDetector
from model.estimator import AgeEstimator
from model.manifest import PresetManifest, load_preset
from model.weights import checked_path, fetch, weights_folder

Picture = npt.NDArray[np.uint8]


@pytest.fixture(scope="session")
def weights_dir() -> Path:
    """The folder with all weights, fetched into the user's cache when they are not there yet."""
    cache = Settings().cache
    fetch(cache)
    return weights_folder(cache)


@pytest.fixture(scope="session")
def collins() -> Picture:
    """Eileen Collins in 1999, at 42: BGR [512, 512, 3] (NASA, public domain)."""
    return np.ascontiguousarray(skimage.data.astronaut()[:, :, ::-1])


@pytest.fixture(scope="session")
def hopper() -> Picture:
    """Grace Hopper in 1984, at 77: BGR [600, 512, 3] (US Navy, public domain)."""
    import matplotlib.cbook

    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        encoded = np.frombuffer(file.read(), dtype=np.uint8)
    picture = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(picture, dtype=np.uint8)


@pytest.fixture(scope="session")
def detector(weights_dir: Path) -> FaceDetector:
    """YuNet with the default settings."""
    return FaceDetector(checked_path("yunet", weights_dir))


@pytest.fixture(scope="session")
def preset() -> PresetManifest:
    """The preset `cydral`."""
    return load_preset("cydral")


@pytest.fixture(scope="session")
def face_chip(detector: FaceDetector, preset: PresetManifest) -> Callable[[Picture], Picture]:
    """A function from a picture to the chip of its largest face."""

    def cut(picture: Picture) -> Picture:
        face = detector.detect(picture)[0]
        return chip(picture, face.landmarks, preset.input_size, preset.padding)

    return cut


@pytest.fixture(scope="session")
def chips(collins: Picture, hopper: Picture, face_chip: Callable[[Picture], Picture]) -> Picture:
    """Two people, each as they are, mirrored, rotated, dark and bright: RGB [10, 64, 64, 3]."""
    cut = []
    for picture in (collins, hopper):
        turn = cv2.getRotationMatrix2D((picture.shape[1] / 2, picture.shape[0] / 2), 12, 0.9)
        rotated = np.asarray(cv2.warpAffine(picture, turn, picture.shape[1::-1]), dtype=np.uint8)
        cut += [face_chip(view) for view in (picture, np.ascontiguousarray(picture[:, ::-1]), rotated)]
        cut += [np.asarray(cv2.convertScaleAbs(cut[-3], alpha=gain), dtype=np.uint8) for gain in (0.5, 1.4)]
    return np.stack(cut)


@pytest.fixture(scope="session")
def estimator(preset: PresetManifest, weights_dir: Path) -> AgeEstimator:
    """`cydral`, warmed up for batches of 1, 2 and 4."""
    configure_backend(threads=2)
    made = AgeEstimator(preset, weights_dir, (1, 2, 4))
    made.warm_up()
    return made
