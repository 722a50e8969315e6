"""Two public-domain portraits, as they are and as many pictures, shared by the tests of training."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from contracts.settings import Settings
from model.backend import configure_backend
from model.weights import fetch

Picture = npt.NDArray[np.uint8]


@pytest.fixture(scope="session", autouse=True)
def backend() -> None:
    """Keras's backend with its threads set, before any test imports Keras."""
    configure_backend(threads=2)


@pytest.fixture(scope="session")
def cache() -> Path:
    """The user's cache with the detector's and cydral's weights in it, fetched when they are not there yet."""
    found = Settings().cache
    fetch(found)
    return found


@pytest.fixture(scope="session")
def collins() -> Picture:
    """Eileen Collins in 1999, at 42: BGR (NASA, public domain)."""
    return np.ascontiguousarray(skimage.data.astronaut()[:, :, ::-1])


@pytest.fixture(scope="session")
def hopper() -> Picture:
    """Grace Hopper in 1984, at 77: BGR (US Navy, public domain)."""
    import matplotlib.cbook

    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        picture = cv2.imdecode(np.frombuffer(file.read(), dtype=np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(picture, dtype=np.uint8)


def write_jpeg(path: Path, picture: Picture, quality: int = 95) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes())


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory, collins: Picture, hopper: Picture) -> Path:
    """A data set: labels.csv with 12 pictures of Collins (train) and 6 of Hopper (validation), and bad entries."""
    folder = tmp_path_factory.mktemp("faces")
    lines = ["path,age,gender,ethnicity,split"]
    rng = np.random.default_rng(0)
    for number in range(18):
        picture, age, split = (collins, 42, "train") if number < 12 else (hopper, 77, "validation")
        gain, shift = rng.uniform(0.7, 1.2), rng.uniform(-20, 20)
        changed = np.asarray(cv2.convertScaleAbs(picture, alpha=gain, beta=max(shift, 0)), dtype=np.uint8)
        write_jpeg(folder / f"p/{number:02}.jpg", changed)
        lines.append(f"p/{number:02}.jpg,{age + number % 3},F,White,{split}")
    (folder / "p/broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a picture")
    write_jpeg(folder / "p/nobody.jpg", rng.integers(0, 256, (120, 120, 3), dtype=np.uint8))
    (folder / "p/again.jpg").write_bytes((folder / "p/00.jpg").read_bytes())
    lines += ["p/broken.jpg,30,F,White,train", "p/nobody.jpg,30,F,White,train", "p/again.jpg,90,F,White,train"]
    lines += ["p/gone.jpg,30,F,White,train", "p/01.jpg,200,F,White,train"]
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder
