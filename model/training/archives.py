"""Reads pictures of data sets, from folders or straight out of zips: nothing is unpacked.

`aaf/aaf-00001.jpg` is the file of that name below the data set's folder, or the member `aaf-00001.jpg` (or
`aaf/aaf-00001.jpg`) of `aaf.zip` there. Not thread-safe: a zip has one position; every thread keeps its own store.
"""

import zipfile
from pathlib import Path, PurePosixPath
from typing import Final, Self

import cv2
import numpy as np
import numpy.typing as npt

from contracts.errors import InvalidInput, Reason
from contracts.limits import MAX_FRAME_PIXELS
from model.images import SIGNATURE, decode_jpeg

Picture = npt.NDArray[np.uint8]

MAX_BYTES: Final = 64 << 20
"""Largest picture file read, bytes: a zip's directory is not to be trusted."""


class PictureStore:
    """Bytes and pictures of samples by folder and path. Close it, or use it in a `with` statement."""

    def __init__(self) -> None:
        self._zips: dict[Path, zipfile.ZipFile] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the zips."""
        for archive in self._zips.values():
            archive.close()
        self._zips.clear()

    def names(self, folder: Path) -> list[str]:
        """Every file below `folder`, or, when it is a zip, in it; sorted."""
        if folder.is_file():
            return sorted(info.filename for info in self._zip(folder).infolist() if not info.is_dir())
        if not folder.is_dir():
            raise InvalidInput(Reason.EMPTY, f"{folder}: no such folder or zip")
        return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())

    def read(self, folder: Path, path: str) -> bytes:
        """The bytes of a picture.

        Raises:
            InvalidInput: it is not there, or larger than `MAX_BYTES`.
        """
        if folder.is_file():
            return self._member(folder, [path])
        file = folder / path
        if file.is_file():
            return file.read_bytes()
        first, _, rest = path.partition("/")
        archive = folder / f"{first}.zip"
        if rest and archive.is_file():
            return self._member(archive, [rest, path])
        raise InvalidInput(Reason.EMPTY, f"neither {file} nor {archive} is there")

    def picture(self, folder: Path, path: str) -> tuple[Picture, bytes]:
        """The decoded picture (BGR) and its bytes.

        Raises:
            InvalidInput: not there, or not a whole picture that can be read.
        """
        data = self.read(folder, path)
        if not data:
            raise InvalidInput(Reason.EMPTY, "0 bytes")
        if data.startswith(SIGNATURE):
            return decode_jpeg(data, MAX_FRAME_PIXELS), data
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            raise InvalidInput(Reason.NOT_AN_IMAGE, "not a picture that can be read")
        return np.asarray(picture, np.uint8), data

    def _member(self, archive: Path, names: list[str]) -> bytes:
        opened = self._zip(archive)
        for name in names:
            try:
                info = opened.getinfo(str(PurePosixPath(name)))
            except KeyError:
                continue
            if info.file_size > MAX_BYTES:
                raise InvalidInput(Reason.TOO_MANY_BYTES, f"{info.file_size} bytes, at most {MAX_BYTES} are read")
            try:
                return opened.read(info)
            except (zipfile.BadZipFile, EOFError, OSError) as error:
                raise InvalidInput(Reason.TRUNCATED, f"damaged in {archive.name}: {error}") from error
        raise InvalidInput(Reason.EMPTY, f"{archive} holds no {names[0]}")

    def _zip(self, path: Path) -> zipfile.ZipFile:
        if path not in self._zips:
            try:
                self._zips[path] = zipfile.ZipFile(path)
            except (zipfile.BadZipFile, OSError) as error:
                raise InvalidInput(Reason.NOT_AN_IMAGE, f"{path} is no zip that can be read: {error}") from error
        return self._zips[path]
