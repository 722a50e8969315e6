"""Publishes the frames of one connection to `mairror.frames.live.v1`.

Live: bounded to one waiting frame, latest wins; a replaced frame is counted as `superseded`. Every-frame: nothing
is dropped, the source waits instead. Writes superseded ranges to `mairror.outcomes.v1` and the stream's status to
`mairror.streams.v1`. At most once for live frames (a frame nobody could deliver in time is `expired`), at least once
for every-frame. Without a consent id nothing leaves.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from confluent_kafka import KafkaError, Message

from contracts import ids
from contracts.errors import InvalidInput, Reason, RetryableError
from contracts.events import Outcome, SequenceRange, StreamStatus
from contracts.frames import Frame, check_size
from contracts.metrics import (
    FRAME_BYTES,
    FRAMES_CAPTURED,
    FRAMES_DROPPED,
    FRAMES_PUBLISHED,
    FRAMES_UNANSWERED,
    counter,
    gauge,
    histogram,
)
from contracts.publishing import Publisher
from contracts.records import json_record
from contracts.settings import ProducerSettings, Settings
from contracts.topics import FRAMES_LIVE, OUTCOMES, STREAMS, check_stream_id
from producers.answers import AnswerWatch
from producers.encoding import Encoded, encode_frame
from producers.ledger import Ledger
from producers.sources import Capture
from producers.window import Window

log = structlog.get_logger()

LIVE_TIMEOUT_MS = 2000
"""A live frame the broker has not taken after this is of no use to anybody."""
EVERY_FRAME_TIMEOUT_MS = 300_000
REPORT_SECONDS = 1.0
STATUS_SECONDS = 5.0


class FramePublisher:
    """One connection of one stream. `offer` from one thread; everything else happens in its own.

    Args:
        settings: where to, and how.
        stream: id of the stream.
        consent: id of the consent; every frame carries it.
        origin: what kind of source it is (see `contracts.frames.ORIGINS`).
        every_frame: drop nothing, wait instead.
        on_answer: called with sequence and JSON of every answer, from a thread of this class; it must be quick.

    Raises:
        InvalidInput: bad stream id, or no consent id.
        RetryableError: the broker does not answer.
    """

    def __init__(
        self,
        settings: Settings,
        stream: str,
        *,
        consent: str,
        origin: str,
        every_frame: bool = False,
        on_answer: Callable[[int, bytes], None] | None = None,
    ) -> None:
        if not consent:
            raise InvalidInput(Reason.NO_CONSENT, f"stream {stream}: no frame is sent without a consent id")
        self.stream = check_stream_id(stream)
        self.connection = ids.new_connection_id()
        self.ledger = Ledger(stream, self.connection)
        self._settings, self._consent, self._origin, self._every_frame = settings, consent, origin, every_frame
        budget = settings.processor.budget_ms / 1000
        self._budget = timedelta(seconds=budget)
        window = settings.producer.window
        # an every-frame replay may fill a batch; its window closes only with a fate, however long that takes
        self._window = Window(window * 4, 3600.0) if every_frame else Window(window, budget)
        self._waiting: tuple[int, Capture] | None = None
        self._changed = threading.Condition()
        self._closing = False
        self._superseded: deque[int] = deque()
        self._size = (0, 0)
        self.latencies: deque[float] = deque(maxlen=200_000)
        """Milliseconds from capture to the answer's arrival here, newest last."""
        self.answers: deque[bytes] = deque(maxlen=2000)
        """The newest answers, JSON bytes."""
        self._taken: dict[int, float] = {}
        self._on_answer = on_answer
        timeout = EVERY_FRAME_TIMEOUT_MS if every_frame else LIVE_TIMEOUT_MS
        extra: dict[str, Any] = {} if every_frame else {"enable_idempotence": False}
        self._publisher = Publisher(settings.kafka, message_timeout_ms=timeout, **extra)
        self._watch = AnswerWatch(settings.kafka, stream, self.connection, self._answered, self._settled)
        self._tell_status("online")
        self._sender = threading.Thread(target=self._send_loop, name=f"send-{stream}", daemon=True)
        self._reporter = threading.Thread(target=self._report_loop, name=f"report-{stream}", daemon=True)
        self._sender.start()
        self._reporter.start()

    def offer(self, capture: Capture) -> int:
        """Take a picture over. Live: replaces the one that still waits. Every-frame: waits until it is taken.

        Returns:
            The sequence of the frame.
        """
        counter(FRAMES_CAPTURED).labels(origin=self._origin).inc()
        sequence = self.ledger.capture()
        with self._changed:
            while self._every_frame and self._waiting is not None and not self._closing:
                self._changed.wait(0.2)
            if self._waiting is not None:
                self._supersede(self._waiting[0])
            self._waiting = (sequence, capture)
            self._changed.notify_all()
        return sequence

    def _supersede(self, sequence: int) -> None:
        self.ledger.fate(sequence, "dropped", "superseded")
        self._superseded.append(sequence)
        counter(FRAMES_DROPPED).labels(stage="producer", cause="superseded").inc()

    def _send_loop(self) -> None:
        while True:
            with self._changed:
                while self._waiting is None and not self._closing:
                    self._changed.wait(0.2)
                if self._waiting is None:
                    return
            if not self._window.wait(0.05):
                if self._closing and not self._every_frame:
                    return
                continue
            with self._changed:
                waiting, self._waiting = self._waiting, None
                self._changed.notify_all()
            if waiting:
                self._send(*waiting)

    def _send(self, sequence: int, capture: Capture) -> None:
        jpeg, width, height = _encoded(capture, self._settings.producer)
        self._size = (width, height)
        taken = datetime.fromtimestamp(capture.taken_wall, UTC)
        frame = Frame(
            stream=self.stream,
            connection=self.connection,
            sequence=sequence,
            captured_at=taken,
            width=width,
            height=height,
            origin=self._origin,
            consent=self._consent,
            spent_ms=(time.monotonic() - capture.taken) * 1000,
            expires_at=None if self._every_frame else taken + self._budget,
        )
        headers = frame.headers()
        check_size(FRAMES_LIVE, jpeg, headers)
        self._taken[sequence] = capture.taken
        self._window.open(sequence)
        gauge(FRAMES_UNANSWERED).set(len(self._window))
        histogram(FRAME_BYTES).labels(origin=self._origin).observe(len(jpeg))
        try:
            self._publisher.send(
                FRAMES_LIVE.name, frame.key, jpeg, headers, lambda error, message: self._sent(sequence, error, message)
            )
        except RetryableError as error:
            log.warning("frame_not_sent", stream=self.stream, error=str(error))
            self._expire(sequence)

    def _sent(self, sequence: int, error: KafkaError | None, message: Message) -> None:
        counter(FRAMES_PUBLISHED).labels(origin=self._origin, outcome="failed" if error else "sent").inc()
        if error is None:
            self.ledger.sent(sequence, message.partition() or 0, message.offset() or 0)
        else:
            log.warning("frame_not_delivered", stream=self.stream, error=error.str())
            self._expire(sequence)

    def _expire(self, sequence: int) -> None:
        """The broker could not take the frame in time."""
        self.ledger.fate(sequence, "dropped", "expired")
        counter(FRAMES_DROPPED).labels(stage="producer", cause="expired").inc()
        self._taken.pop(sequence, None)
        self._window.settle(sequence)

    def _answered(self, sequence: int, body: bytes) -> None:
        taken = self._taken.pop(sequence, None)
        if taken is not None:
            seconds = time.monotonic() - taken
            self.latencies.append(seconds * 1000)
            self._window.early(seconds)
        self.answers.append(body)
        if self._on_answer is not None:
            self._on_answer(sequence, body)
        self.ledger.fate(sequence, "answered")
        self._window.settle(sequence)

    def _settled(self, outcome: Outcome) -> None:
        self.ledger.outcome(outcome)
        for span in outcome.ranges:
            if span.cause in ("expired", "late"):
                self._window.late()
            for sequence in range(span.first, span.last + 1):
                self._window.settle(sequence)
                if span.outcome != "answered":
                    self._taken.pop(sequence, None)

    def _report_loop(self) -> None:
        told = time.monotonic()
        while not self._closing:
            with self._changed:
                self._changed.wait_for(lambda: self._closing, timeout=REPORT_SECONDS)
            self._tell_superseded()
            if time.monotonic() - told > STATUS_SECONDS:
                told = time.monotonic()
                self._tell_status("online")

    def _tell_superseded(self) -> None:
        if not self._superseded:
            return
        dropped = sorted(self._superseded.popleft() for _ in range(len(self._superseded)))
        ranges: list[SequenceRange] = []
        for sequence in dropped:
            if ranges and ranges[-1].last + 1 == sequence:
                ranges[-1] = SequenceRange(ranges[-1].first, sequence, "dropped", "superseded")
            else:
                ranges.append(SequenceRange(sequence, sequence, "dropped", "superseded"))
        outcome = Outcome(self.stream, self.connection, "producer", datetime.now(UTC), ranges)
        self._tell(json_record(OUTCOMES, self.stream, outcome, id=f"{self.connection}:{dropped[0]}:superseded"))

    def _tell_status(self, state: Any) -> None:
        totals = self.ledger.totals()
        counts = {"captured": totals.captured, "answered": totals.answered, **totals.dropped}
        now = datetime.now(UTC)
        width, height = self._size
        key = f"{self.stream}/producer"
        status = StreamStatus(
            self.stream, "producer", state, self.connection, now, self._origin, width, height, self.fps(), counts
        )
        self._tell(json_record(STREAMS, key, status, id=f"{key}:{now.timestamp()}"))

    def fps(self) -> float:
        """The rate this stream may send at most."""
        return self._settings.producer.max_fps

    def _tell(self, item: tuple[str, bytes, bytes, list[tuple[str, bytes]]]) -> None:
        def delivered(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                log.warning("report_not_delivered", stream=self.stream, topic=item[0], error=error.str())

        try:
            self._publisher.send(*item, delivered)
        except RetryableError as error:
            log.warning("report_not_sent", stream=self.stream, error=str(error))

    def drain(self, seconds: float) -> bool:
        """Send what waits and wait until every frame has a fate; False when some have none after `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting is None, timeout=seconds)
        return self.ledger.wait_closed(seconds)

    def close(self) -> None:
        """Say goodbye: the stream is offline, its last drops are told. What still waits is superseded."""
        with self._changed:
            self._closing = True
            if self._waiting is not None:
                self._supersede(self._waiting[0])
                self._waiting = None
            self._changed.notify_all()
        self._sender.join(timeout=5)
        self._reporter.join(timeout=5)
        self._tell_superseded()
        self._tell_status("offline")
        missing = self._publisher.close()
        if missing:
            log.warning("records_never_confirmed", stream=self.stream, count=missing)
        self._watch.close()


def _encoded(capture: Capture, settings: ProducerSettings) -> tuple[bytes, int, int]:
    """JPEG, width and height: as they came from the limited decoder, or encoded here."""
    image = capture.image
    if isinstance(image, Encoded):
        return image.jpeg, image.width, image.height
    return encode_frame(image, settings)
