"""Where pictures come from: a camera, an RTSP/HTTP stream, a video file, a folder, one picture.

A source yields BGR pictures with the monotonic time of capture. Live sources block until the next picture and
reconnect by themselves; files end. Passwords in URLs are never shown.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt
import stamina
import structlog

from contracts.errors import InvalidInput, Reason, RetryableError
from producers.encoding import Encoded

log = structlog.get_logger()

Picture = npt.NDArray[np.uint8]

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
OPEN_SECONDS = 5
PICTURE_FPS = 2.0
"""Pace of a folder of pictures when nobody asked for another."""
FALLBACK_FPS = 25.0
"""Pace of a video file that does not state one."""


@dataclass(frozen=True)
class Capture:
    """One picture, BGR uint8 [height, width, 3], and when it was taken (time.monotonic seconds, time.time seconds).

    A picture that comes as JPEG from the limited decoder stays as it is.
    """

    image: Picture | Encoded
    taken: float
    taken_wall: float


class Source(Protocol):
    """Anything that yields pictures."""

    origin: str
    fps: float | None
    """Natural pace of a recorded source; None: the source sets the pace itself."""

    def captures(self) -> Iterator[Capture]:
        """Pictures until the source ends or is closed."""
        ...

    def close(self) -> None:
        """Free the device; `captures` ends."""
        ...


def _now(image: Picture) -> Capture:
    return Capture(image, time.monotonic(), time.time())


def hide_password(url: str) -> str:
    """`rtsp://user:secret@host/` -> `rtsp://user:***@host/`."""
    return re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1:***@", url)


class FolderSource:
    """Pictures of a folder in name order, or one picture. Unreadable files are refused by name."""

    origin = "file"

    def __init__(self, path: Path, loop: bool = False) -> None:
        self.fps: float | None = PICTURE_FPS
        self._loop = loop
        self._closed = False
        if path.is_dir():
            self._files = sorted(file for file in path.iterdir() if file.suffix.lower() in PICTURES)
        else:
            self._files = [path]
        if not self._files:
            raise InvalidInput(Reason.EMPTY, f"no picture in {path}: looked for {', '.join(sorted(PICTURES))}")

    def captures(self) -> Iterator[Capture]:
        while not self._closed:
            for file in self._files:
                if self._closed:
                    return
                yield _now(read_picture(file))
            if not self._loop:
                return

    def close(self) -> None:
        self._closed = True


def read_picture(file: Path) -> Picture:
    """A picture file as BGR uint8 [height, width, 3], EXIF orientation applied.

    Raises:
        InvalidInput: no such file, or not a picture OpenCV reads; the message names the file.
    """
    try:
        data = np.fromfile(file, np.uint8)
    except OSError as error:
        raise InvalidInput(Reason.NOT_AN_IMAGE, f"{file}: {error.strerror}") from error
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise InvalidInput(Reason.NOT_AN_IMAGE, f"{file} is not a picture that can be read")
    return np.asarray(image, np.uint8)


class VideoSource:
    """A video file, at its own pace."""

    origin = "file"

    def __init__(self, path: Path, loop: bool = False) -> None:
        self._path, self._loop = path, loop
        self._capture = cv2.VideoCapture(str(path))
        if not self._capture.isOpened():
            raise InvalidInput(Reason.NOT_AN_IMAGE, f"{path} is neither a picture nor a video that can be read")
        stated = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps: float | None = stated if 1 <= stated <= 240 else FALLBACK_FPS
        self._closed = False

    def captures(self) -> Iterator[Capture]:
        seen = 0
        while not self._closed:
            found, image = self._capture.read()
            if found:
                seen += 1
                yield _now(np.asarray(image, np.uint8))
            elif self._loop and seen:
                self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
                seen = 0
            elif not seen:
                raise InvalidInput(Reason.TRUNCATED, f"{self._path} has no frame that can be read")
            else:
                return

    def close(self) -> None:
        self._closed = True
        self._capture.release()


class CameraSource:
    """A device index or an RTSP/HTTP URL. Comes back by itself after the camera was away."""

    origin = "camera"
    fps: float | None = None

    def __init__(self, address: int | str, reconnect_seconds: float) -> None:
        self._address = address
        self._pause = reconnect_seconds
        self._closed = False
        self._capture: cv2.VideoCapture | None = None
        self.name = f"device {address}" if isinstance(address, int) else hide_password(address)

    def _open(self) -> cv2.VideoCapture:
        options = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_SECONDS * 1000, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 5000]
        if isinstance(self._address, int):
            capture = cv2.VideoCapture(self._address)
        else:
            capture = cv2.VideoCapture(self._address, cv2.CAP_FFMPEG, options)
        if not capture.isOpened():
            capture.release()
            raise RetryableError(f"{self.name} does not answer")
        return capture

    def captures(self) -> Iterator[Capture]:
        retrying = stamina.retry_context(
            on=RetryableError,
            attempts=None,
            timeout=None,
            wait_initial=self._pause,
            wait_max=self._pause * 15,
            wait_jitter=self._pause / 2,
        )
        while not self._closed:
            for attempt in retrying:
                with attempt:
                    if self._closed:
                        return
                    self._capture = self._open()
            log.info("camera_connected", camera=self.name)
            yield from self._read()
            if not self._closed:
                log.warning("camera_lost", camera=self.name)

    def _read(self) -> Iterator[Capture]:
        capture = self._capture
        assert capture is not None
        while not self._closed:
            found, image = capture.read()
            if not found:
                break
            yield _now(np.asarray(image, np.uint8))
        capture.release()

    def close(self) -> None:
        self._closed = True


def open_source(address: str, *, loop: bool = False, reconnect_seconds: float = 2.0) -> Source:
    """The source an address names: `0` (device), a URL, a video file, a folder, a picture.

    Raises:
        InvalidInput: nothing there that can be read; the message names it.
    """
    if address.isdecimal():
        return CameraSource(int(address), reconnect_seconds)
    if re.match(r"(rtsps?|https?|rtmp)://", address):
        return CameraSource(address, reconnect_seconds)
    if "://" in address:
        raise InvalidInput(Reason.UNSUPPORTED_TYPE, f"{hide_password(address)}: rtsp, rtmp and http URLs are read")
    path = Path(address)
    if not path.exists():
        raise InvalidInput(Reason.NOT_AN_IMAGE, f"{path} does not exist")
    if path.is_dir() or path.suffix.lower() in PICTURES:
        return FolderSource(path, loop)
    return VideoSource(path, loop)
