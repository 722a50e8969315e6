"""How many records wait for each consumer, read in a thread of its own while somebody looks at it.

Asks the broker about `mairror.frames.*` and the result topics; joins no group and moves no offset. Guarantee: `now()`
never waits, and nothing is asked while nobody looks.
"""

import threading
import time
from dataclasses import dataclass, field

import structlog
from confluent_kafka import KafkaException

from contracts.lag import LagReader
from contracts.settings import Settings
from contracts.topics import FRAMES_LIVE, FRAMES_UPLOAD, MONGO_GROUP
from sinks.mongo.documents import READ

log = structlog.get_logger()

EVERY_SECONDS = 3.0
LOOKED_AT_SECONDS = 20.0
"""Nobody asked for this long: the thread ends."""


@dataclass(frozen=True)
class Waiting:
    """Records waiting, by topic."""

    processor: dict[str, int] = field(default_factory=dict)
    sink: dict[str, int] = field(default_factory=dict)
    at: float | None = None
    """When it was read, monotonic seconds; None: not yet."""
    problem: str | None = None
    """Why it could not be read the last time."""

    @property
    def live(self) -> int:
        """Live pictures waiting."""
        return self.processor.get(FRAMES_LIVE.name, 0)

    @property
    def uploads(self) -> int:
        """Uploaded pictures waiting."""
        return self.processor.get(FRAMES_UPLOAD.name, 0)

    @property
    def to_store(self) -> int:
        """Results not yet stored."""
        return sum(self.sink.values())


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
        processor = LagReader(
            self._settings.kafka, self._settings.processor.group, [FRAMES_LIVE.name, FRAMES_UPLOAD.name]
        )
        sink = LagReader(self._settings.kafka, MONGO_GROUP, READ)
        try:
            while self._wanted():
                found = self._read(processor, sink)
                with self._lock:
                    self._found = found
                self._closing.wait(EVERY_SECONDS)
        finally:
            processor.close()
            sink.close()

    def _wanted(self) -> bool:
        with self._lock:
            if self._closing.is_set() or time.monotonic() - self._asked > LOOKED_AT_SECONDS:
                self._thread, self._found = None, Waiting()
                return False
            return True

    def _read(self, processor: LagReader, sink: LagReader) -> Waiting:
        try:
            return Waiting(processor.lag(), sink.lag(), time.monotonic())
        except (KafkaException, KeyError) as error:
            # KeyError: the topic is not there yet
            log.info("lag_unreadable", error=str(error)[:200])
            return Waiting(problem="the message broker does not tell", at=time.monotonic())

    def close(self) -> None:
        """Stop asking."""
        self._closing.set()
