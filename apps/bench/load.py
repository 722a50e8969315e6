"""Puts load on a running Mairror and reads its answers: as many frames as it takes, or one stream at an even rate."""

import itertools
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from confluent_kafka import KafkaError, Message

from apps.bench.frames import HEIGHT, WIDTH
from contracts.answers import Answer, decode_answer
from contracts.errors import FatalError
from contracts.frames import PUBLIC_DOMAIN_CONSENT, Frame
from contracts.publishing import Publisher
from contracts.reading import TopicReader
from contracts.settings import Settings
from contracts.topics import AGES, FRAMES_LIVE

DRAIN_SECONDS = 30.0
BULK_LINGER_MS = 5
"""Under saturation frames always wait in the topic; sending several in one request spares the broker, which shares the
cores with what is measured."""


@dataclass
class Stream:
    """One stream of the bench: its frames in order, and when each was captured (monotonic seconds)."""

    name: str
    connection: str = field(default_factory=lambda: f"c-{uuid.uuid4().hex[:8]}")
    sent: int = 0
    captured: dict[int, float] = field(default_factory=dict)


class Load:
    """Sends frames and collects answers. Use as a context. Sending and reading may be two threads."""

    def __init__(self, settings: Settings, frames: Sequence[bytes], streams: int = 1, linger_ms: int = 0) -> None:
        run = uuid.uuid4().hex[:6]
        self._streams = {name: Stream(name) for name in (f"bench-{run}-{number}" for number in range(streams))}
        self._turns = itertools.cycle(self._streams.values())
        self._frames = itertools.cycle(frames)
        self._budget = timedelta(milliseconds=settings.processor.budget_ms)
        self._publisher = Publisher(settings.kafka, linger_ms=linger_ms)
        self._reader = TopicReader(settings.kafka, [AGES.name])
        self._failed: list[str] = []
        self.sent = 0
        self.received: list[tuple[float, bytes]] = []
        """When each answer was read (monotonic seconds), and its body."""

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *_args: object) -> None:
        self._publisher.close()
        self._reader.close()

    def send(self, expires: bool) -> None:
        """Capture and send the next frame; with `expires` it is a live frame with its budget.

        Raises:
            FatalError: an earlier frame was not delivered.
        """
        if self._failed:
            raise FatalError(f"a frame of the bench was not delivered: {self._failed[0]}")
        stream, jpeg = next(self._turns), next(self._frames)
        now, taken = datetime.now(UTC), time.monotonic()
        frame = Frame(
            stream=stream.name,
            connection=stream.connection,
            sequence=stream.sent,
            captured_at=now,
            width=WIDTH,
            height=HEIGHT,
            origin="file",
            consent=PUBLIC_DOMAIN_CONSENT,
            expires_at=now + self._budget if expires else None,
        )
        stream.captured[stream.sent] = taken
        stream.sent += 1
        self.sent += 1
        self._publisher.send(FRAMES_LIVE.name, frame.key, jpeg, frame.headers(), self._delivered)

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failed.append(error.str())

    def read(self, seconds: float) -> bool:
        """Take one answer; False when none came within `seconds`."""
        message = self._reader.poll(seconds)
        if message is None or (message.key() or b"").decode() not in self._streams:
            return False
        self.received.append((time.monotonic(), message.value() or b""))
        return True

    def saturate(self, waiting: int, until: Callable[[], bool]) -> None:
        """Keep `waiting` frames unanswered until `until()` says so; nothing is ever dropped."""
        while not until():
            while self.sent - len(self.received) < waiting:
                self.send(expires=False)
            self.read(0.05)

    def drain(self) -> None:
        """Wait for the answer to every frame.

        Raises:
            FatalError: some never came.
        """
        deadline = time.monotonic() + DRAIN_SECONDS
        while len(self.received) < self.sent:
            self.read(0.1)
            if time.monotonic() > deadline:
                raise FatalError(f"{self.sent - len(self.received)} of {self.sent} frames were never answered")

    def pace(self, fps: float, seconds: float) -> None:
        """Send live frames at an even rate, reading answers in this thread and sending in another."""
        sending = threading.Thread(target=self._send_paced, args=(fps, seconds), name="pace", daemon=True)
        sending.start()
        while sending.is_alive():
            self.read(0.05)
        while self.read(0.6):  # longer than a live frame lives
            pass

    def _send_paced(self, fps: float, seconds: float) -> None:
        started = time.monotonic()
        for number in range(round(fps * seconds)):
            time.sleep(max(0.0, started + number / fps - time.monotonic()))
            self.send(expires=True)

    def answers(self) -> list[tuple[Answer, float]]:
        """Every answer, and milliseconds from capture to the moment it was read here."""
        found = []
        for at, body in self.received:
            answer = decode_answer(body)
            taken = self._streams[answer.stream].captured[answer.frame.sequence]
            found.append((answer, (at - taken) * 1000))
        return found
