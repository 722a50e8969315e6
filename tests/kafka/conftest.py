"""What tests of the running system need beyond the shared fixtures: a faulty processor, result readers, a sender."""

import json
import time
import uuid
from collections.abc import Callable, Iterator

import pytest

from contracts import events
from contracts.answers import Answer, decode_answer
from contracts.events import Outcome
from contracts.kafka import KafkaSettings
from contracts.reading import TopicReader
from contracts.settings import MongoSettings, Settings
from contracts.topics import AGES, OUTCOMES
from sinks.mongo.store import Store
from tests.faults import _processor as _processor
from tests.faults import fault as fault
from tests.faults import fault_file as fault_file
from tests.kafka.sending import Sender


class Results:
    """What the result topics say about one stream since this object was made."""

    def __init__(self, kafka: KafkaSettings, key: str) -> None:
        self._key = key.encode()
        self._reader = TopicReader(kafka, [AGES.name, OUTCOMES.name])
        self.answers: list[Answer] = []
        self.bodies: list[dict[str, object]] = []
        self.fates: dict[int, set[tuple[str, str | None]]] = {}

    def read(self, until: Callable[["Results"], bool], seconds: float = 30) -> "Results":
        deadline = time.monotonic() + seconds
        while not until(self):
            assert time.monotonic() < deadline, f"after {seconds} s: {len(self.answers)} answers, {self.fates}"
            message = self._reader.poll(0.1)
            if message is None or message.key() != self._key:
                continue
            body = message.value() or b""
            if message.topic() == AGES.name:
                self.answers.append(decode_answer(body))
                self.bodies.append(json.loads(body))
            else:
                outcome = events.decode(Outcome, body)
                for span in outcome.ranges:
                    for sequence in range(span.first, span.last + 1):
                        self.fates.setdefault(sequence, set()).add((span.outcome, span.cause))
        return self

    def close(self) -> None:
        self._reader.close()


@pytest.fixture
def results(settings: Settings) -> Iterator[Callable[[str], Results]]:
    """Makes a reader for one stream."""
    made: list[Results] = []

    def make(key: str) -> Results:
        made.append(Results(settings.kafka, key))
        return made[-1]

    yield make
    for found in made:
        found.close()


@pytest.fixture
def send(settings: Settings) -> Iterator[Sender]:
    """Sends frames one by one."""
    sender = Sender(settings)
    yield sender
    sender.close()


@pytest.fixture
def mongo(mongo_uri: str) -> MongoSettings:
    return MongoSettings(uri=mongo_uri, database=f"t{uuid.uuid4().hex[:10]}")


@pytest.fixture
def store(mongo: MongoSettings) -> Iterator[Store]:
    found = Store(mongo)
    found.prepare()
    yield found
    found.close()
