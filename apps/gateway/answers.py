"""What became of uploads: reads answers and dead letters as they come and wakes who waits for them.

Guarantee: the newest `most` outcomes are kept, within `MAX_BYTES`. What was answered before this process started is
read from `LOOKBACK_SECONDS` ago; what is older is in the store.
"""

import asyncio
import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import structlog
from confluent_kafka import Message

from contracts.answers import Answer, decode_answer
from contracts.cloudevents import header_texts
from contracts.errors import InvalidInput, RetryableError
from contracts.kafka import KafkaSettings
from contracts.limits import MIB
from contracts.reading import TopicReader
from contracts.topics import AGES, DEAD_LETTERS, FRAMES_UPLOAD
from producers.upload import Place

log = structlog.get_logger()

LOOKBACK_SECONDS = 600.0
MAX_BYTES = 64 * MIB
REOPEN_SECONDS = 0.5
QUIET_SECONDS = 1.0
NEW_SECONDS = 2.0
OVERLAP_SECONDS = 60.0
UPLOAD = "upload/"


class _Head(msgspec.Struct):
    stream: str


_head = msgspec.json.Decoder(_Head)


@dataclass(frozen=True)
class Refusal:
    """A picture the processor could not answer: the reason it gave."""

    reason: str
    detail: str


Known = Answer | Refusal


def upload_of(body: bytes) -> str | None:
    """The upload id of an answer; None for answers of live streams, and for what is no answer."""
    try:
        stream = _head.decode(body).stream
    except msgspec.MsgspecError:
        return None
    return stream.removeprefix(UPLOAD) if stream.startswith(UPLOAD) else None


class Pending:
    """The newest uploads of this process and where they lie. Safe from any thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._places: OrderedDict[str, Place] = OrderedDict()

    def add(self, upload: str, place: Place) -> None:
        """The broker has confirmed it."""
        with self._lock:
            self._places[upload] = place
            if len(self._places) > self._most:
                self._places.popitem(last=False)

    def place(self, upload: str) -> Place | None:
        """Where an upload lies."""
        with self._lock:
            return self._places.get(upload)


class AnswerBook:
    """Follows the result topics in a thread. Safe from any thread; starts without a broker too."""

    def __init__(self, kafka: KafkaSettings, most: int) -> None:
        self._kafka, self._most = kafka, most
        self._lock = threading.Lock()
        self._found: OrderedDict[str, bytes | Refusal] = OrderedDict()
        self._bytes = 0
        self._waiting: dict[str, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = {}
        self._closing = threading.Event()
        self._caught_up = threading.Event()
        self._since = time.time() - LOOKBACK_SECONDS
        self._problem: str | None = "not connected yet"
        self._thread = threading.Thread(target=self._run, name="answers", daemon=True)
        self._thread.start()

    @property
    def problem(self) -> str | None:
        """None while everything up to now has been read; else a sentence saying what is wrong."""
        if not self._thread.is_alive():
            return "the reader of the answers has ended"
        return self._problem or (None if self._caught_up.is_set() else "still reading earlier answers")

    def find(self, upload: str) -> Known | None:
        """What became of an upload, if it is known here."""
        with self._lock:
            found = self._found.get(upload)
        return decode_answer(found) if isinstance(found, bytes) else found

    async def wait(self, uploads: Sequence[str], seconds: float) -> None:
        """Return when all are known, or after `seconds`."""
        deadline = time.monotonic() + seconds
        for upload in uploads:
            left = deadline - time.monotonic()
            if left <= 0 or not await self._wait_one(upload, left):
                return

    async def _wait_one(self, upload: str, seconds: float) -> bool:
        mark = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            if upload in self._found:
                return True
            self._waiting.setdefault(upload, set()).add(mark)
        try:
            async with asyncio.timeout(seconds):
                await mark[1].wait()
        except TimeoutError:
            return False
        finally:
            with self._lock:
                group = self._waiting.get(upload, set())
                group.discard(mark)
                if not group:
                    self._waiting.pop(upload, None)
        return True

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                reader = TopicReader(self._kafka, [AGES.name, DEAD_LETTERS.name], since=self._since)
                try:
                    self._read(reader)
                finally:
                    reader.close()
            except RetryableError as error:
                self._problem = str(error)
                log.warning("answers_unreadable", error=str(error))
                self._closing.wait(REOPEN_SECONDS)

    def _read(self, reader: TopicReader) -> None:
        self._problem = None
        quiet_since = time.monotonic()
        while not self._closing.is_set():
            message = reader.poll(0.2)
            if message is None:
                # not at once: the first fetch takes its time
                if time.monotonic() - quiet_since > QUIET_SECONDS:
                    self._caught_up.set()
                continue
            quiet_since = time.monotonic()
            written = message.timestamp()[1] / 1000
            if written > time.time() - NEW_SECONDS:
                self._caught_up.set()
            # a reader that is lost is opened again a little before the last record it saw
            self._since = max(self._since, written - OVERLAP_SECONDS)
            try:
                self.take(message)
            except InvalidInput as error:
                log.warning("answer_refused", error=str(error), offset=message.offset())

    def take(self, message: Message) -> None:
        """Remember what a record says about an upload."""
        body = message.value() or b""
        if message.topic() == DEAD_LETTERS.name:
            headers = header_texts(message)
            if headers.get("mairror-topic") == FRAMES_UPLOAD.name:
                refusal = Refusal(headers.get("mairror-reason", ""), headers.get("mairror-detail", ""))
                self._remember((message.key() or b"").decode("utf-8", "replace"), refusal)
            return
        upload = upload_of(body)
        if upload is not None:
            decode_answer(body)
            self._remember(upload, body)

    def _remember(self, upload: str, found: bytes | Refusal) -> None:
        with self._lock:
            self._bytes += _size(found) - _size(self._found.pop(upload, b""))
            self._found[upload] = found
            while len(self._found) > self._most or self._bytes > MAX_BYTES:
                self._bytes -= _size(self._found.popitem(last=False)[1])
            waiting = tuple(self._waiting.get(upload, ()))
        for loop, event in waiting:
            # the loop may end between two records; then nobody waits any more
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(event.set)

    def close(self) -> None:
        """Stop reading."""
        self._closing.set()
        self._thread.join(timeout=5)


def _size(found: bytes | Refusal) -> int:
    return len(found) if isinstance(found, bytes) else 200
