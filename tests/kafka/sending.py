"""Sends frames as a producer would, one by one and with everything under the test's control."""

import threading
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from confluent_kafka import KafkaError, Message

from contracts.cloudevents import Headers
from contracts.frames import Frame
from contracts.publishing import Publisher
from contracts.settings import Settings
from contracts.topics import FRAMES_LIVE, Topic


def frame(stream: str, sequence: int, **changes: Any) -> Frame:
    """A frame as `mairror replay --every-frame` would send it: it never expires."""
    fields: dict[str, Any] = {
        "stream": stream,
        "connection": "c-test",
        "sequence": sequence,
        "captured_at": datetime.now(UTC),
        "width": 512,
        "height": 600,
        "origin": "file",
        "consent": "public-domain",
        "spent_ms": 1.0,
    }
    return Frame(**{**fields, **changes})


def live(stream: str, sequence: int, budget: float = 0.5, **changes: Any) -> Frame:
    """A live frame: it expires after its budget."""
    now = datetime.now(UTC)
    return frame(stream, sequence, captured_at=now, expires_at=now + timedelta(seconds=budget), **changes)


def unique(name: str) -> str:
    """A stream id nobody used before."""
    return f"{name}-{uuid.uuid4().hex[:8]}"


class Sender:
    """Collects delivery reports; `wait` returns when all are in."""

    def __init__(self, settings: Settings) -> None:
        self._publisher = Publisher(settings.kafka)
        self.errors: list[KafkaError] = []
        self.places: list[tuple[int, int]] = []
        self._lock = threading.Lock()

    def __call__(self, item: Frame, jpeg: bytes, topic: Topic = FRAMES_LIVE) -> None:
        self.raw(topic.name, item.key, jpeg, item.headers())

    def raw(self, topic: str, key: str, value: bytes, headers: Headers) -> None:
        self._publisher.send(topic, key, value, headers, self._delivered)

    def all(self, frames: Sequence[Frame], jpeg: bytes) -> None:
        for item in frames:
            self(item, jpeg)
        self.wait()

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        with self._lock:
            if error is not None:
                self.errors.append(error)
            else:
                self.places.append((message.partition() or 0, message.offset() or 0))

    def wait(self) -> None:
        assert self._publisher.flush(30) == 0
        assert not self.errors, self.errors[0].str()

    def close(self) -> None:
        self._publisher.close()
