"""How many records wait for each consumer, and what could not be answered: read beside the pages.

Asks the broker about `mairror.frames.*` and the result topics, and the store about dead letters; joins no group and
moves no offset. Guarantee: `now()` never waits, and nothing is asked while nobody looks.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog
from confluent_kafka import KafkaException

from apps.dashboard.looked_at import LookedAt
from contracts.errors import RetryableError
from contracts.lag import LagReader
from contracts.settings import Settings
from contracts.topics import FRAMES_LIVE, FRAMES_UPLOAD, MONGO_GROUP
from sinks.mongo.documents import READ
from sinks.mongo.history import Span
from sinks.mongo.reading import StoreReader

log = structlog.get_logger()

EVERY_SECONDS = 3.0
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
    """Safe from any thread; asks from its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._found = Waiting()
        self._looked = LookedAt("lag-watch", self._read)

    def now(self) -> Waiting:
        """What was read last."""
        self._looked.look()
        return self._found

    def _read(self, wanted: Callable[[], bool]) -> None:
        kafka, frames = self._settings.kafka, [FRAMES_LIVE.name, FRAMES_UPLOAD.name]
        readers = LagReader(kafka, self._settings.processor.group, frames), LagReader(kafka, MONGO_GROUP, READ)
        store = StoreReader(self._settings.mongo)
        try:
            while wanted():
                self._found = Waiting(_lag(readers[0]), _lag(readers[1]), _dead_letters(store), known=True)
                self._looked.closing.wait(EVERY_SECONDS)
        finally:
            self._found = Waiting()
            for part in (*readers, store):
                part.close()

    def close(self) -> None:
        """Stop asking."""
        self._looked.close()


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
