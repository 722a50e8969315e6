"""Two public-domain portraits, and the weights."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from contracts.settings import Settings
from model.weights import fetch
from producers.sample import public_domain_pictures
from producers.sources import read_picture

Picture = npt.NDArray[np.uint8]


@pytest.fixture(scope="session")
def settings() -> Settings:
    """Default settings; the weights are in their cache."""
    found = Settings()
    fetch(found.cache)
    return found


@pytest.fixture(scope="session")
def collins() -> Picture:
    """Eileen Collins in 1999, at 42: BGR [512, 512, 3] (NASA, public domain)."""
    return read_picture(public_domain_pictures()["collins"])


@pytest.fixture(scope="session")
def hopper() -> Picture:
    """Grace Hopper in 1984, at 77: BGR [600, 512, 3] (US Navy, public domain)."""
    return read_picture(public_domain_pictures()["hopper"])


@pytest.fixture(scope="session")
def noise() -> list[Picture]:
    """Drawn pictures in which there is no face."""
    rng = np.random.default_rng(7)
    plain = [rng.integers(0, 256, (200, 200, 3), dtype=np.uint8) for _ in range(4)]
    soft = [np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8) for picture in plain for sigma in (3, 9)]
    return plain + soft


@pytest.fixture
def folder(tmp_path: Path, collins: Picture, hopper: Picture, noise: list[Picture]) -> Path:
    """A folder of labelled pictures: two faces, one picture of noise, and rows that cannot be used."""
    cv2.imwrite(str(tmp_path / "collins.png"), collins)
    (tmp_path / "more").mkdir()
    cv2.imwrite(str(tmp_path / "more" / "hopper.jpg"), hopper)
    cv2.imwrite(str(tmp_path / "noise.png"), noise[0])
    whole = (tmp_path / "more" / "hopper.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "labels.csv").write_text(
        "path,age,dress,split,remark\n"
        "collins.png,42,space,test,first\n"
        "more/hopper.jpg,77,navy,test,second\n"
        "noise.png,30,navy,test,\n"
        "collins.png,42,space,test,again\n"
        "gone.png,50,navy,test,\n"
        "cut.jpg,77,navy,test,\n"
        "more/hopper.jpg,,navy,test,\n"
        "more/hopper.jpg,121,navy,test,\n"
        "more/hopper.jpg,old,navy,test,\n"
        "more/hopper.jpg,77,navy,train,\n"
    )
    return tmp_path
