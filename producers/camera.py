"""Plays a source into Mairror: paces it, publishes it, and closes its ledger at the end.

A dead source ends its own stream and nobody else's: one process (or thread) a source.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog
from confluent_kafka import KafkaException

from contracts.errors import RetryableError
from contracts.lag import LagReader
from contracts.settings import Settings
from contracts.topics import FRAMES_LIVE
from producers.ledger import LedgerTotals
from producers.publisher import FramePublisher
from producers.sources import Capture, Source

log = structlog.get_logger()

DRAIN_SECONDS = 15.0
"""How long a finished replay waits for its last answers; longer than a processor needs to come back."""

STOPPED_DRAIN_SECONDS = 1.5
"""The same, when somebody asked it to stop: the processor may be stopping too."""


@dataclass(frozen=True)
class Play:
    """How a source is to be played.

    `fps` None keeps a recording's own pace; `seconds` None plays to the end; `every_frame` never drops.
    """

    stream: str
    consent: str
    fps: float | None = None
    seconds: float | None = None
    every_frame: bool = False


class Replay:
    """One source, one connection."""

    def __init__(self, settings: Settings, source: Source, play: Play) -> None:
        self._settings, self._source, self._play = settings, source, play
        self._stop = threading.Event()
        self._drain_seconds = DRAIN_SECONDS
        self.publisher = FramePublisher(
            settings, play.stream, consent=play.consent, origin=source.origin, every_frame=play.every_frame
        )

    def stop(self) -> None:
        """End after the current picture; safe from a signal handler."""
        self._stop.set()
        self._source.close()
        self._drain_seconds = STOPPED_DRAIN_SECONDS

    def run(self, on_progress: Callable[[LedgerTotals], None] | None = None) -> LedgerTotals:
        """Play to the end and return the ledger.

        Args:
            on_progress: called about twice a second with the ledger so far.
        """
        told = 0.0
        for capture in self._paced():
            if self._stop.is_set():
                break
            self.publisher.offer(capture)
            if on_progress and time.monotonic() - told > 0.5:
                told = time.monotonic()
                on_progress(self.publisher.ledger.totals())
        return self.finish()

    def finish(self) -> LedgerTotals:
        """Wait for the last fates, measure what is still in flight, say goodbye."""
        self._source.close()
        drained = self.publisher.drain(self._drain_seconds)
        in_flight = 0 if drained else self._measure_in_flight()
        self.publisher.close()
        return self.publisher.ledger.totals(in_flight)

    def _paced(self) -> Iterator[Capture]:
        """Captures at the wanted pace. A recording waits for its time; a camera's surplus is skipped evenly."""
        fastest = self._play.fps or self._source.fps
        recorded = self._source.fps is not None
        if not self._play.every_frame or self._play.fps:
            fastest = min(fastest or self._settings.producer.max_fps, self._settings.producer.max_fps)
        pause = 1 / fastest if fastest and not (self._play.every_frame and not self._play.fps) else 0.0
        started = due = time.monotonic()
        for capture in self._source.captures():
            if self._play.seconds is not None and time.monotonic() - started >= self._play.seconds:
                return
            if recorded and pause:
                if self._stop.wait(max(0.0, due - time.monotonic())):
                    return
                capture = Capture(capture.image, time.monotonic(), time.time())
                due = max(due + pause, time.monotonic() - pause)
            elif pause:
                if capture.taken < due - pause / 4:
                    continue
                due = max(due + pause, capture.taken)
            yield capture

    def _measure_in_flight(self) -> int:
        """Frames of this connection between the group's committed offsets and the end.

        A frame below the low watermark was deleted unread: its fate is `retention`.
        """
        reader = LagReader(self._settings.kafka, self._settings.processor.group, [FRAMES_LIVE.name])
        try:
            positions = reader.positions()
        except KafkaException as error:
            raise RetryableError(f"cannot measure what is in flight: {error}") from error
        finally:
            reader.close()
        in_flight = 0
        for sequence, (partition, offset) in self.publisher.ledger.open_places().items():
            position = positions[FRAMES_LIVE.name, partition]
            if offset < position.low:
                self.publisher.ledger.fate(sequence, "dropped", "retention")
            elif offset >= position.committed:
                in_flight += 1
        return in_flight
