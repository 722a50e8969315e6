"""From chosen files to answers: each picture is taken in at the edge, sent, and its answer awaited.

Guarantee: every file ends in exactly one outcome with its name: answered, refused (with the rule it breaks) or failed
(with what to do). Bounded: at most `AT_WORK` pictures are on their way; of each only a picture for the screen is kept.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Literal, Protocol

import cv2
import numpy as np
import structlog

from apps.annotation import Picture, annotate, box_in_pixels
from contracts.answers import Answer, decode_answer
from contracts.errors import InvalidInput, MairrorError, Reason, RetryableError
from contracts.topics import AGES, DEAD_LETTERS
from model.images import encode_jpeg
from producers.upload import new_upload_id
from sinks.live.fanout import LiveFanout
from sinks.live.subscription import LiveItem

log = structlog.get_logger()

AT_WORK = 4
ANSWER_SECONDS = 30.0
SHOWN_EDGE = 1600
"""Largest edge of the annotated picture that is shown and downloaded, pixels: 200 of them stay small."""
SHOWN_QUALITY = 88
CROP_EDGE = 128
"""Edge of a face's crop, pixels: twice what the page shows, for fine screens. About 5 kB."""
CROP_ROOM = 1.3
"""Edge of the crop in edges of the box."""
Status = Literal["answered", "refused", "failed"]


@dataclass(frozen=True)
class Chosen:
    """A file somebody chose."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Outcome:
    """What became of one file.

    Of an answered one `picture` is the annotated JPEG, `faces` a small crop for each face in the order of the answer;
    otherwise `reason` has the words.
    """

    name: str
    status: Status
    answer: Answer | None = None
    picture: bytes = b""
    reason: str = ""
    faces: tuple[bytes, ...] = ()


class Door(Protocol):
    """The edge: strangers' bytes in, a confirmed upload out."""

    def send(self, data: bytes, upload: str) -> bytes:
        """Decode, strip, publish under this upload id; returns the JPEG as it was sent, once the broker has it.

        Raises:
            InvalidInput: the bytes break a rule; the message names it.
            RetryableError: the broker or the edge is busy or away.
        """


class Uploads:
    """Answers batches of files. One for the process: all visitors together are bounded."""

    def __init__(self, door: Door, answers: LiveFanout, timeout: float = ANSWER_SECONDS) -> None:
        self._door, self._answers, self._timeout = door, answers, timeout
        self._pool = ThreadPoolExecutor(AT_WORK, "upload")
        self._closing = threading.Event()

    def run(self, files: Sequence[Chosen]) -> Iterator[tuple[int, Outcome]]:
        """Index and outcome of every file, as they are done. Leaving early drops what has not begun."""
        futures: dict[Future[Outcome], int] = {self._pool.submit(self.one, file): n for n, file in enumerate(files)}
        try:
            for done in as_completed(futures):
                yield futures[done], done.result()
        finally:
            for future in futures:
                future.cancel()

    def one(self, file: Chosen) -> Outcome:
        """One file to its end; every error of ours becomes words."""
        try:
            answer, jpeg = self._answer(file)
            picture = read_back(jpeg)
            return Outcome(file.name, "answered", answer, shown(picture, answer), faces=crops(picture, answer))
        except InvalidInput as refusal:
            return Outcome(file.name, "refused", reason=refusal.detail)
        except MairrorError as error:
            log.warning("upload_failed", error=str(error))
            return Outcome(file.name, "failed", reason=f"{error}. Please try again")

    def _answer(self, file: Chosen) -> tuple[Answer, bytes]:
        upload = new_upload_id()
        # subscribed before it is sent: the answer cannot be missed
        with self._answers.subscribe(upload) as mail:
            jpeg = self._door.send(file.data, upload)
            deadline = time.monotonic() + self._timeout
            while (left := deadline - time.monotonic()) > 0 and not self._closing.is_set():
                item = mail.next(min(left, 1.0))
                if item is not None:
                    return answer_in(item), jpeg
        raise RetryableError(f"no answer within {self._timeout:.0f} s: the processor is busy or away")

    def close(self) -> None:
        """Give up what is still awaited."""
        self._closing.set()
        self._pool.shutdown(wait=False, cancel_futures=True)


def answer_in(item: LiveItem) -> Answer:
    """The answer in a record of the answers' or the dead letters' topic.

    Raises:
        InvalidInput: it is a dead letter; the message is the reason it names.
    """
    if item.topic == DEAD_LETTERS.name:
        detail = item.headers.get("mairror-detail", b"the picture could not be processed").decode("utf-8", "replace")
        raise InvalidInput(Reason.PROCESSING_FAILED, detail)
    assert item.topic == AGES.name
    return decode_answer(item.value)


def read_back(jpeg: bytes) -> Picture:
    """The picture as it was sent, BGR.

    Raises:
        InvalidInput: it cannot be read.
    """
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise InvalidInput(Reason.NOT_AN_IMAGE, "the picture cannot be read back")
    return np.asarray(picture, np.uint8)


def shown(picture: Picture, answer: Answer) -> bytes:
    """The annotated picture as JPEG, at most `SHOWN_EDGE` pixels large. Lines and letters are drawn at that size."""
    return encode_jpeg(annotate(fit(picture, SHOWN_EDGE), answer), SHOWN_QUALITY)


def crops(picture: Picture, answer: Answer) -> tuple[bytes, ...]:
    """A small JPEG of every face, square as far as the picture goes, with some room around it."""
    height, width = picture.shape[:2]
    found = []
    for face in answer.faces:
        box = box_in_pixels(face, width, height)
        half = max(8, round(max(box.right - box.left, box.bottom - box.top) * CROP_ROOM / 2))
        x, y = (box.left + box.right) // 2, (box.top + box.bottom) // 2
        part = picture[max(0, y - half) : y + half, max(0, x - half) : x + half]
        found.append(encode_jpeg(fit(np.ascontiguousarray(part), CROP_EDGE), SHOWN_QUALITY))
    return tuple(found)


def fit(picture: Picture, edge: int) -> Picture:
    """The picture scaled down so that no side is longer than `edge` pixels."""
    height, width = picture.shape[:2]
    scale = edge / max(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
