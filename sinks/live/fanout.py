"""One reader of the live topics for any number of viewers in this process.

Reads from the end, joins no group, commits nothing. Guarantee: every viewer sees the newest record of each topic and
stream it asked for; a slow one loses records (counted in `mairror_live_skipped_total`), never memory. When the broker
goes away the fan-out goes on by itself once it is back.
"""

import threading
import time
from collections.abc import Sequence
from typing import cast

import structlog
from confluent_kafka import Message

from contracts.admin import admin_client, leaderless
from contracts.errors import RetryableError
from contracts.kafka import KafkaSettings
from contracts.metrics import LIVE_SUBSCRIBERS, gauge
from contracts.reading import TopicReader
from contracts.topics import STREAMS, TRACKS
from sinks.live.subscription import LiveItem, Subscription

log = structlog.get_logger()

POLL_SECONDS = 0.1
REOPEN_SECONDS = 1.0
START_SECONDS = 15.0
QUIET_SECONDS = 2.0
LOOK_SECONDS = 1.0


def stream_of(topic: str, key: str) -> str:
    """The stream id (or upload id) in a record's key: tracks add a track to it, stream statuses a writer."""
    if topic == TRACKS.name:
        return key.split(":", 1)[0]
    if topic == STREAMS.name:
        return key.rsplit("/", 1)[0]
    return key


def item_of(message: Message) -> LiveItem:
    """A record as viewers get it; empty bytes for a tombstone."""
    topic, key = str(message.topic()), message.key() or b""
    pairs = cast("list[tuple[str, bytes | None]]", message.headers() or [])
    return LiveItem(
        topic=topic,
        stream=stream_of(topic, key.decode("utf-8", "replace")),
        key=key,
        value=message.value() or b"",
        headers={name: value for name, value in pairs if value is not None},
        timestamp=message.timestamp()[1] / 1000,
    )


class LiveFanout:
    """Reads `topics` in one thread and hands every record to the subscriptions that want it. Safe from any thread.

    Without a broker it starts all the same and begins to read when there is one: see `problem`.
    """

    def __init__(self, kafka: KafkaSettings, topics: Sequence[str]) -> None:
        self._kafka, self._topics = kafka, tuple(topics)
        self._admin = admin_client(kafka)
        self._lock = threading.Lock()
        self._subscriptions: dict[str | None, set[Subscription]] = {}
        self._closing = threading.Event()
        self._opened = threading.Event()
        self._problem: str | None = "not connected yet"
        self._thread = threading.Thread(target=self._run, name="live-fanout", daemon=True)
        self._thread.start()

    def subscribe(self, stream: str | None = None, topics: Sequence[str] | None = None) -> Subscription:
        """A viewer of one stream (or upload id), or of all with None. Use it as a context manager.

        Args:
            stream: stream id; `upload/<id>` and `<id>` are the same.
            topics: some of the fan-out's topics; all when None.

        Raises:
            ValueError: a topic this fan-out does not read.
        """
        wanted = frozenset(self._topics if topics is None else topics)
        if strangers := wanted - set(self._topics):
            raise ValueError(f"this fan-out reads {', '.join(self._topics)}, not {', '.join(sorted(strangers))}")
        key = None if stream is None else stream.removeprefix("upload/")
        found = Subscription(key, wanted, self._leave)
        with self._lock:
            closing = self._closing.is_set()
            if not closing:
                self._subscriptions.setdefault(key, set()).add(found)
                gauge(LIVE_SUBSCRIBERS).inc()
        if closing:
            found.close()
        return found

    def _leave(self, subscription: Subscription) -> None:
        with self._lock:
            group = self._subscriptions.get(subscription.stream, set())
            if subscription not in group:
                return
            group.remove(subscription)
            if not group:
                del self._subscriptions[subscription.stream]
        gauge(LIVE_SUBSCRIBERS).dec()

    def wait_ready(self, timeout: float = START_SECONDS) -> bool:
        """True once the reader is in place: what is sent from then on is seen."""
        return self._opened.wait(timeout)

    @property
    def problem(self) -> str | None:
        """None while reading; else a sentence saying what is wrong."""
        return self._problem if self._thread.is_alive() else "the reader of the live topics has ended"

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                reader = TopicReader(self._kafka, self._topics)
            except RetryableError as error:
                self._failed(error)
                continue
            self._problem = None
            self._opened.set()
            try:
                self._read(reader)
            except RetryableError as error:
                self._failed(error)
            finally:
                reader.close()

    def _failed(self, error: RetryableError) -> None:
        log.warning("live_topics_unreadable", error=str(error))
        self._problem = str(error)
        self._closing.wait(REOPEN_SECONDS)

    def _read(self, reader: TopicReader) -> None:
        quiet_since = time.monotonic()
        while not self._closing.is_set():
            message = reader.poll(POLL_SECONDS)
            if message is not None:
                self._problem = None
                self._hand_out(item_of(message))
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > QUIET_SECONDS:
                self._look()
                quiet_since = time.monotonic()

    def _look(self) -> None:
        """Silence: is nothing sent, or is nobody there? The reader itself goes on in either case."""
        try:
            waiting = leaderless(self._admin, self._topics, LOOK_SECONDS)
        except RetryableError as error:
            self._problem = str(error)
        else:
            self._problem = f"no leader for {', '.join(waiting)}" if waiting else None

    def _hand_out(self, item: LiveItem) -> None:
        with self._lock:
            wanting = [
                subscription
                for key in (item.stream, None)
                for subscription in self._subscriptions.get(key, ())
                if item.topic in subscription.topics
            ]
        for subscription in wanting:
            subscription.put(item)

    def close(self) -> None:
        """Stop reading; every subscription ends."""
        self._closing.set()
        with self._lock:
            remaining = [subscription for group in self._subscriptions.values() for subscription in group]
        for subscription in remaining:
            subscription.close()
        self._thread.join(timeout=5)
