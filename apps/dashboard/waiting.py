"""How many records wait for each consumer, and what could not be answered: read beside the pages.

Asks the broker about `mairror.frames.*` and the result topics, and the store about dead letters; joins no group and
moves no offset. Guarantee: `now()` never waits, and nothing is asked while nobody looks.
"""

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog
from confluent_kafka import KafkaException

from contracts.errors import RetryableError
from contracts.lag import LagReader
from contracts.settings import Settings
from contracts.topics import FRAMES_LIVE, FRAMES_UPLOAD, MONGO_GROUP
from sinks.mongo.documents import READ
from sinks.mongo.history import Span
from sinks.mongo.reading import StoreReader

log = structlog.get_logger()

EVERY_SECONDS = 3.0
LOOKED_AT_SECONDS = 20.0
"""Nobody asked for this long: the thread ends."""
DEAD_LETTER_SPAN = timedelta(hours=24)


@dataclass(frozen=True)
class Waiting:
    """Records waiting, by topic; dead letters of the last day, by reason. None where it could not be read."""

    processor: dict[str, int] | None = None
    sink: dict[str, int] | None = None
    dead_letters: dict[str, int] | None = None
    known: bool = field(default=False)
    """Was it tried at all?"""

    @property
    def live(self) -> int | None:
        """Live pictures waiting."""
        return None if self.processor is None else self.processor.get(FRAMES_LIVE.name, 0)

    @property
    def uploads(self) -> int | None:
        """Uploaded pictures waiting."""
        return None if self.processor is None else self.processor.get(FRAMES_UPLOAD.name, 0)

    @property
    def to_store(self) -> int | None:
        """Results not yet stored."""
        return None if self.sink is None else sum(self.sink.values())

    @property
    def store_away(self) -> bool:
        """The store was asked and did not answer."""
        return self.known and self.dead_letters is None


class LagWatch:
    """Safe from any thread; starts its own on the first question."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._found = Waiting()
        self._asked = 0.0
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()

    def now(self) -> Waiting:
        """What was read last."""
        with self._lock:
            self._asked = time.monotonic()
            if self._thread is None and not self._closing.is_set():
                self._thread = threading.Thread(target=self._run, name="lag-watch", daemon=True)
                self._thread.start()
            return self._found

    def _run(self) -> None:
        kafka, frames = self._settings.kafka, [FRAMES_LIVE.name, FRAMES_UPLOAD.name]
        readers = LagReader(kafka, self._settings.processor.group, frames), LagReader(kafka, MONGO_GROUP, READ)
        store = StoreReader(self._settings.mongo)
        try:
            while self._wanted():
                found = Waiting(_lag(readers[0]), _lag(readers[1]), _dead_letters(store), known=True)
                with self._lock:
                    self._found = found
                self._closing.wait(EVERY_SECONDS)
        finally:
            for part in (*readers, store):
                part.close()

    def _wanted(self) -> bool:
        with self._lock:
            if self._closing.is_set() or time.monotonic() - self._asked > LOOKED_AT_SECONDS:
                self._thread, self._found = None, Waiting()
                return False
            return True

    def close(self) -> None:
        """Stop asking."""
        self._closing.set()


def _lag(reader: LagReader) -> dict[str, int] | None:
    try:
        return reader.lag()
    except (KafkaException, KeyError) as error:
        # KeyError: a topic is not there yet
        log.info("lag_unreadable", error=str(error)[:200])
        return None


def _dead_letters(store: StoreReader) -> dict[str, int] | None:
    now = datetime.now(UTC)
    try:
        return store.history.dead_letters(Span(now - DEAD_LETTER_SPAN, now + timedelta(minutes=1)))
    except RetryableError:
        return None
