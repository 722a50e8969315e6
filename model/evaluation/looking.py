"""Looks at labelled pictures: read, find the face, cut it out for every preset.

Pictures may lie in zips: `folder/set/one.jpg` is that file, or `one.jpg` (or `set/one.jpg`) in `folder/set.zip`;
nothing is unpacked. Threads look ahead, at most so many pictures, so memory does not grow with the list.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from contracts.errors import InvalidInput, Reason
from contracts.limits import MAX_FRAME_PIXELS
from model.alignment import chip
from model.evaluation.finding import PatientDetector, main_face
from model.evaluation.labels import Labelled
from model.faces import Detection, Quality
from model.images import SIGNATURE, decode_jpeg
from model.manifest import PresetManifest
from model.quality import measure
from model.training.archives import PictureStore

Picture = npt.NDArray[np.uint8]
T = TypeVar("T")

AHEAD: Final = 96

_opened = threading.local()
"""Zips this thread has open: a zip has one position, so no two threads share one."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One labelled face after detection.

    Attributes:
        quality: None when no face was found.
        chips: one a preset, RGB uint8 [size, size, 3]; of the whole picture when no face was found.
        step: the detector's step that found it, 0 at first sight.
        read_ms, detect_ms: reading and decoding; finding, aligning and measuring.
    """

    row: Labelled
    quality: Quality | None
    chips: tuple[Picture, ...]
    step: int
    read_ms: float
    detect_ms: float

    def without_chips(self) -> "Seen":
        """For keeping: a chip of a large network is 150 KB."""
        return replace(self, chips=())


def look(row: Labelled, detector: PatientDetector, presets: Sequence[PresetManifest]) -> Seen:
    """Read one picture and cut its face out, for every preset.

    Raises:
        InvalidInput: not a picture that can be read.
    """
    started = time.perf_counter()
    picture = read_picture(row.path)
    return look_at(row, picture, detector, presets, (time.perf_counter() - started) * 1000)


def look_at(
    row: Labelled, picture: Picture, detector: PatientDetector, presets: Sequence[PresetManifest], read_ms: float = 0.0
) -> Seen:
    """Find the face in a picture (BGR) and cut it out, for every preset."""
    started = time.perf_counter()
    found = detector.find(picture)
    face = main_face(found.faces, picture.shape[1], picture.shape[0])
    quality = None if face is None else measure(picture, face)
    chips = tuple(cut(picture, face, one) for one in presets)
    return Seen(row, quality, chips, found.step, read_ms, (time.perf_counter() - started) * 1000)


def cut(picture: Picture, face: Detection | None, preset: PresetManifest) -> Picture:
    """The face as the preset's network wants it, RGB; of the whole picture when no face was found."""
    if face is None:
        return whole(picture, preset.input_size)
    return chip(picture, face.landmarks, preset.input_size, preset.padding)


def read_picture(path: Path) -> Picture:
    """A picture file as BGR uint8 [height, width, 3], EXIF orientation applied.

    Raises:
        InvalidInput: no such file, or not a whole picture that can be read.
    """
    data = _bytes(path)
    if not data:
        raise InvalidInput(Reason.EMPTY, "0 bytes")
    if data.startswith(SIGNATURE):
        return decode_jpeg(data, MAX_FRAME_PIXELS)
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise InvalidInput(Reason.NOT_AN_IMAGE, "not a picture that can be read")
    return np.asarray(picture, np.uint8)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        for folder in path.parents[:-1]:
            if folder.with_name(f"{folder.name}.zip").is_file():
                if not hasattr(_opened, "store"):
                    _opened.store = PictureStore()
                store: PictureStore = _opened.store
                return store.read(folder.parent, path.relative_to(folder.parent).as_posix())
        raise InvalidInput(Reason.NOT_AN_IMAGE, error.strerror or str(error)) from error


def whole(picture: Picture, size: int) -> Picture:
    """The whole picture as if it were the face: its central square, RGB uint8 [size, size, 3]."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = picture[top : top + side, left : left + side]
    method = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    return np.ascontiguousarray(cv2.resize(square, (size, size), interpolation=method)[:, :, ::-1], dtype=np.uint8)


def look_ahead(
    rows: Iterable[Labelled], looking: Callable[[Labelled], T], threads: int, ahead: int = AHEAD
) -> Iterator[tuple[Labelled, Future[T]]]:
    """Look at rows in threads, in order, at most `ahead` of them at a time."""
    with ThreadPoolExecutor(threads, "look") as pool:
        waiting: deque[tuple[Labelled, Future[T]]] = deque()
        for row in rows:
            waiting.append((row, pool.submit(looking, row)))
            if len(waiting) >= ahead:
                yield waiting.popleft()
        yield from waiting
