"""Which streams are there: the newest status of every stream, read from `mairror.streams.v1` from its beginning.

Guarantee: at most `MAX_STREAMS` streams are remembered (those heard of last). Uploads are no streams and are left out.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from contracts import events
from contracts.errors import InvalidInput, RetryableError
from contracts.events import StreamStatus
from contracts.kafka import KafkaSettings
from contracts.reading import TopicReader
from contracts.topics import STREAMS

log = structlog.get_logger()

STALE_SECONDS = 15.0
"""Writers speak every 5 s: a stream that has not spoken for this long is not there, whatever its last word was."""
MAX_STREAMS = 1000
REOPEN_SECONDS = 1.0


@dataclass(frozen=True)
class StreamEntry:
    """One stream as its writers describe it. `counts` are those of the current connection, by name."""

    stream: str
    origin: str
    connection: str
    online: bool
    seconds_ago: float
    """Since the last word of any writer."""
    width: int
    height: int
    fps: float
    """Answered per second, as the processor counts; 0 when it has said nothing yet."""
    counts: Mapping[str, int]


class StreamDirectory:
    """Keeps itself up to date in a thread. Safe from any thread; needs no broker to be made."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._lock = threading.Lock()
        self._statuses: dict[str, dict[str, StreamStatus]] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stream-directory", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                reader = TopicReader(self._kafka, [STREAMS.name], since=0)
            except RetryableError as error:
                log.warning("streams_unreadable", error=str(error))
                self._closing.wait(REOPEN_SECONDS)
                continue
            try:
                self._read(reader)
            except RetryableError as error:
                log.warning("streams_unreadable", error=str(error))
                self._closing.wait(REOPEN_SECONDS)
            finally:
                reader.close()

    def _read(self, reader: TopicReader) -> None:
        while not self._closing.is_set():
            message = reader.poll(0.2)
            if message is None or not message.value():
                continue
            try:
                self.take(events.decode(StreamStatus, message.value() or b""))
            except InvalidInput as error:
                log.warning("stream_status_refused", error=str(error), offset=message.offset())

    def take(self, status: StreamStatus) -> None:
        """Remember a status; the newest of each writer counts."""
        if status.origin == "upload":
            return
        with self._lock:
            writers = self._statuses.pop(status.stream, {})
            known = writers.get(status.writer)
            if known is None or known.at <= status.at:
                writers[status.writer] = status
            # put back at the end: the first is the one not heard of for longest
            self._statuses[status.stream] = writers
            if len(self._statuses) > MAX_STREAMS:
                del self._statuses[next(iter(self._statuses))]

    def entries(self) -> list[StreamEntry]:
        """All remembered streams: online ones first, then by name."""
        now = time.time()
        with self._lock:
            found = [_entry(dict(writers), now) for writers in self._statuses.values()]
        return sorted(found, key=lambda entry: (not entry.online, entry.stream))

    def online(self) -> list[StreamEntry]:
        """The streams that send now, by name."""
        return [entry for entry in self.entries() if entry.online]

    def entry(self, stream: str) -> StreamEntry | None:
        """One stream, or None when nobody spoke of it."""
        with self._lock:
            writers = dict(self._statuses.get(stream, {}))
        return _entry(writers, time.time()) if writers else None

    def close(self) -> None:
        """Stop reading."""
        self._closing.set()
        self._thread.join(timeout=2)


def _entry(writers: dict[str, StreamStatus], now: float) -> StreamEntry:
    # the producer knows every frame; the processor alone speaks for producers that report nothing
    main = writers.get("producer") or writers["processor"]
    processor = writers.get("processor")
    last = max(status.at.timestamp() for status in writers.values())
    speaking = [status for status in writers.values() if now - status.at.timestamp() < STALE_SECONDS]
    ended = main.state == "offline"
    same = processor is not None and processor.connection == main.connection
    return StreamEntry(
        stream=main.stream,
        origin=main.origin,
        connection=main.connection,
        online=bool(speaking) and not ended,
        seconds_ago=max(0.0, now - last),
        width=max(status.width for status in writers.values()),
        height=max(status.height for status in writers.values()),
        fps=processor.fps if processor and same and not ended else 0.0,
        counts=dict(main.counts),
    )
