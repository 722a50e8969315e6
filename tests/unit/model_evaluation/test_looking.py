"""Pictures are read from folders and straight out of zips, from many threads."""

import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from contracts.errors import InvalidInput
from model.evaluation.looking import Picture, read_picture


def test_pictures_in_zips_are_read_without_unpacking(tmp_path: Path, collins: Picture) -> None:
    png = cv2.imencode(".png", collins)[1].tobytes()
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        for number in range(20):
            archive.writestr(f"{number}.png", png)
        archive.writestr("faces/deep/one.png", png)
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(read_picture, [tmp_path / "faces" / f"{number}.png" for number in range(20)]))
    read.append(read_picture(tmp_path / "faces" / "deep" / "one.png"))
    assert all(np.array_equal(one, collins) for one in read)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces.zip"]
    with pytest.raises(InvalidInput, match=r"holds no 99\.png"):
        read_picture(tmp_path / "faces" / "99.png")
