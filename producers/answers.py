"""Watches the answers and outcomes of one connection: feeds the producer's window and its ledger.

Reads `mairror.ages.v1` and `mairror.outcomes.v1` (all partitions assigned, no group) in a thread.
"""

import threading
from collections.abc import Callable

import structlog
from msgspec import Struct, json

from contracts import events
from contracts.errors import InvalidInput, RetryableError
from contracts.events import Outcome
from contracts.kafka import KafkaSettings
from contracts.reading import TopicReader
from contracts.topics import AGES, OUTCOMES

log = structlog.get_logger()


class _FrameRef(Struct):
    connection: str
    sequence: int


class _AnswerRef(Struct):
    """The part of an answer the window needs; the rest is skipped, not decoded."""

    frame: _FrameRef


class AnswerWatch:
    """Calls back for every answer and outcome of one connection, from its own thread."""

    def __init__(
        self,
        kafka: KafkaSettings,
        stream: str,
        connection: str,
        on_answer: Callable[[int, bytes], None],
        on_outcome: Callable[[Outcome], None],
    ) -> None:
        self._key = stream.encode()
        self._connection = connection
        self._on_answer, self._on_outcome = on_answer, on_outcome
        self._reader = TopicReader(kafka, [AGES.name, OUTCOMES.name])
        self._decoder = json.Decoder(_AnswerRef)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="answers", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._closing.is_set():
            try:
                message = self._reader.poll(0.1)
            except RetryableError as error:
                log.warning("answers_unreadable", error=str(error))
                self._closing.wait(1.0)
                continue
            if message is None or message.key() != self._key:
                continue
            self._take(str(message.topic()), message.value() or b"")

    def _take(self, topic: str, body: bytes) -> None:
        try:
            if topic == AGES.name:
                frame = self._decoder.decode(body).frame
                if frame.connection == self._connection:
                    self._on_answer(frame.sequence, body)
            else:
                outcome = events.decode(Outcome, body)
                if outcome.connection == self._connection and outcome.writer == "processor":
                    self._on_outcome(outcome)
        except (InvalidInput, ValueError) as error:
            log.warning("answer_unreadable", topic=topic, error=str(error))

    def close(self) -> None:
        """Stop watching."""
        self._closing.set()
        self._thread.join(timeout=5)
        self._reader.close()
