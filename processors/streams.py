"""The streams this processor serves right now: trackers, counts, and their status on `mairror.streams.v1`.

Owned by the event loop; a stream's state goes away with its partition or after `IDLE_SECONDS` of silence.
"""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from contracts import ids
from contracts.events import StreamStatus, TrackEvent
from contracts.metrics import STREAMS_ONLINE, gauge
from processors.acknowledgement import Partition
from processors.frames import Held
from processors.tracking import StreamTracker

IDLE_SECONDS = 10.0
STATUS_SECONDS = 5.0


@dataclass
class Stream:
    """What the processor remembers of one stream."""

    name: str
    connection: str
    origin: str
    partition: Partition
    tracker: StreamTracker
    width: int = 0
    height: int = 0
    active: float = field(default_factory=time.monotonic)
    told: float = 0.0
    told_answered: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    since_last: dict[str, int] = field(default_factory=dict)
    last_sequence: int = -1

    def count(self, what: str, by: int = 1) -> None:
        """Count a fate of a frame."""
        self.counts[what] = self.counts.get(what, 0) + by

    def drop(self, cause: str, by: int = 1) -> None:
        """Count a drop, also for the next answer's `dropped_since_last`."""
        self.count(cause, by)
        self.since_last[cause] = self.since_last.get(cause, 0) + by

    def take_drops(self) -> dict[str, int]:
        """What was dropped since the last answer."""
        dropped, self.since_last = self.since_last, {}
        return dropped

    def status(self, state: str, fps: float) -> StreamStatus:
        """The status as a message."""
        return StreamStatus(
            stream=self.name,
            writer="processor",
            state=state,  # type: ignore[arg-type]
            connection=self.connection,
            at=datetime.now(UTC),
            origin=self.origin,
            width=self.width,
            height=self.height,
            fps=round(fps, 1),
            counts=dict(self.counts),
        )


class Streams:
    """All streams of this process."""

    def __init__(self, preset: str) -> None:
        self._preset = preset
        self._streams: dict[str, Stream] = {}
        self.epoch = ids.assignment_epoch()

    def __len__(self) -> int:
        return len(self._streams)

    def of(self, held: Held) -> tuple[Stream, list[TrackEvent]]:
        """The stream of a frame; a new connection of a known stream ends the old one's tracks."""
        frame = held.frame
        stream = self._streams.get(frame.stream)
        ended: list[TrackEvent] = []
        if stream is None or stream.connection != frame.connection:
            ended = stream.tracker.close() if stream else []
            tracker = StreamTracker(frame.stream, frame.connection, self.epoch, self._preset)
            place = (held.topic, held.partition)
            stream = Stream(frame.stream, frame.connection, frame.origin, place, tracker)
            self._streams[frame.stream] = stream
            gauge(STREAMS_ONLINE).set(len(self._streams))
        stream.active = time.monotonic()
        self._note_gap(stream, frame.sequence)
        return stream, ended

    @staticmethod
    def _note_gap(stream: Stream, sequence: int) -> None:
        """Sequences that never reached this processor were superseded at the source."""
        if stream.last_sequence >= 0 and sequence > stream.last_sequence + 1:
            stream.drop("superseded", sequence - stream.last_sequence - 1)
        stream.last_sequence = max(stream.last_sequence, sequence)

    def news(self) -> tuple[list[StreamStatus], list[TrackEvent]]:
        """Statuses that are due, and the last events of streams that fell silent."""
        now = time.monotonic()
        statuses: list[StreamStatus] = []
        events: list[TrackEvent] = []
        for name, stream in list(self._streams.items()):
            if now - stream.active > IDLE_SECONDS:
                events += stream.tracker.close()
                statuses.append(stream.status("offline", 0.0))
                del self._streams[name]
            elif now - stream.told > STATUS_SECONDS:
                answered = stream.counts.get("answered", 0)
                fps = (answered - stream.told_answered) / (now - stream.told) if stream.told else 0.0
                stream.told, stream.told_answered = now, answered
                statuses.append(stream.status("online", fps))
        gauge(STREAMS_ONLINE).set(len(self._streams))
        return statuses, events

    def forget(self, partitions: set[Partition]) -> list[TrackEvent]:
        """Partitions were taken away: their tracks end here and start anew, under new ids, where they go."""
        self.epoch = ids.assignment_epoch()
        events: list[TrackEvent] = []
        for name, stream in list(self._streams.items()):
            if stream.partition in partitions:
                events += stream.tracker.close()
                del self._streams[name]
        gauge(STREAMS_ONLINE).set(len(self._streams))
        return events
