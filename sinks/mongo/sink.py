"""The MongoDB sink as a process: reads the result topics, writes documents, then commits offsets.

Group `mairror-sink-mongo`; at least once, and one document per event id. While the store is away the sink pauses
its partitions and stays in the group; nothing is lost. After it lost the built-in store (which may forget its last
second on kill -9) it goes back `MAIRROR_MONGO__REWIND_SECONDS`: upserts make that harmless.
"""

import signal
import threading
import time
from collections.abc import Sequence
from types import FrameType

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from contracts.admin import wait_for_leaders
from contracts.answers import decode_answer
from contracts.errors import FatalError, InvalidInput, RetryableError
from contracts.health import HealthServer
from contracts.metrics import CONSUMER_LAG, DEAD_LETTERS, SINK_PAUSED, SINK_SECONDS, counter, gauge, histogram
from contracts.settings import Settings
from contracts.topics import AGES, MONGO_GROUP
from sinks.mongo.documents import READ, writes_of
from sinks.mongo.minutes import Minutes
from sinks.mongo.store import Store, Write

log = structlog.get_logger()

POLL_SECONDS = 0.1
SWEEP_SECONDS = 30.0
HEARTBEAT_SECONDS = 0.5
"""How often an idle sink asks whether its store is still the same one."""
STALL_SECONDS = 30.0


class MongoSink:
    """Owned by one thread, besides the health checks."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store = Store(settings.mongo)
        self._minutes = Minutes(self._store, settings.mongo)
        self._consumer = Consumer(
            settings.kafka.librdkafka_consumer(
                MONGO_GROUP,
                session_timeout_ms=10_000,
                statistics_interval_ms=5000,
                stats_cb=self._statistics,
                partition_assignment_strategy="cooperative-sticky",
            )
        )
        self._stop = threading.Event()
        self._ready: str | None = "starting"
        self._moved = time.monotonic()
        self._swept = self._asked = 0.0
        self._away = False

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; returns the exit code."""
        signal.signal(signal.SIGTERM, self._signalled)
        signal.signal(signal.SIGINT, self._signalled)
        health = HealthServer(self._settings.web, live=self._stalled, ready=lambda: self._ready)
        try:
            wait_for_leaders(self._settings.kafka, READ, timeout=300)
            self._wait_for_store()
            self._consumer.subscribe(list(READ), on_assign=self._assigned)
            while not self._stop.is_set():
                self._turn()
        finally:
            self._consumer.close()
            self._store.close()
            health.close()
        return 0

    def _signalled(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()

    def _stalled(self) -> str | None:
        stood = time.monotonic() - self._moved
        return f"the sink's loop has not turned for {stood:.0f} s" if stood > STALL_SECONDS else None

    def _statistics(self, text: str) -> None:
        """librdkafka's own view of the lag, every 5 s."""
        from msgspec import json

        for topic, entry in json.decode(text).get("topics", {}).items():
            lag = sum(max(0, part.get("consumer_lag", 0)) for key, part in entry["partitions"].items() if key != "-1")
            gauge(CONSUMER_LAG).labels(topic=topic).set(lag)

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        log.info("partitions_assigned", count=len(partitions))
        self._ready = None

    def _turn(self) -> None:
        """Take what is there, write it, commit it; then the chores."""
        self._moved = time.monotonic()
        messages = self._gather()
        try:
            if messages:
                self._write(messages)
            elif time.monotonic() - self._asked > HEARTBEAT_SECONDS:
                self._asked = time.monotonic()
                if not self._store.answers():
                    raise RetryableError("the store does not answer")
            self._chores()
        except RetryableError as error:
            self._outage(error)

    def _gather(self) -> list[Message]:
        """One record as soon as there is one, and whatever else is there with it."""
        first = self._consumer.poll(POLL_SECONDS)
        if first is None:
            return []
        messages = [first, *self._consumer.consume(self._settings.mongo.batch - 1, 0)]
        good = []
        for message in messages:
            error = message.error()
            if error is None:
                good.append(message)
            elif error.fatal():
                raise FatalError(f"reading failed for good: {error.str()}")
            elif error.code() != KafkaError._PARTITION_EOF:
                log.warning("read_error", error=error.str())
        return good

    def _write(self, messages: Sequence[Message]) -> None:
        writes: list[Write] = []
        for message in messages:
            try:
                found = writes_of(message, self._settings.mongo)
                if message.topic() == AGES.name:
                    self._touch(message)
            except InvalidInput as problem:
                self._skip(message, problem)
                continue
            writes += found
        with histogram(SINK_SECONDS).labels(sink="mongo").time():
            self._store.write(writes)
        self._commit(messages)

    def _touch(self, message: Message) -> None:
        answer = decode_answer(message.value() or b"")
        if answer.frame.origin != "upload":
            self._minutes.touch(answer.stream, answer.frame.captured_at)

    def _skip(self, message: Message, problem: InvalidInput) -> None:
        """A record that is not what its topic promises: told, counted, and left where everybody can read it."""
        counter(DEAD_LETTERS).labels(reason=problem.reason.value).inc()
        log.error(
            "record_refused",
            topic=message.topic(),
            partition=message.partition(),
            offset=message.offset(),
            reason=problem.reason.value,
            detail=problem.detail,
        )

    def _commit(self, messages: Sequence[Message]) -> None:
        newest: dict[tuple[str, int], int] = {}
        for message in messages:
            place = (str(message.topic()), int(message.partition() or 0))
            newest[place] = max(newest.get(place, -1), int(message.offset() or 0) + 1)
        offsets = [TopicPartition(topic, number, offset) for (topic, number), offset in newest.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            # a rebalance took the partition: its next owner writes the same documents again, which changes nothing
            log.warning("commit_failed", error=str(error))

    def _chores(self) -> None:
        if time.monotonic() - self._swept < SWEEP_SECONDS:
            return
        self._swept = time.monotonic()
        self._minutes.sum_up()
        self._store.sweep()

    def _outage(self, error: RetryableError) -> None:
        """Pause, stay in the group, wait for the store, go back to what may be missing, go on."""
        log.warning("store_lost", error=str(error))
        committed = self._consumer.committed(self._consumer.assignment(), timeout=10)
        self._consumer.pause(self._consumer.assignment())
        self._wait_for_store()
        assignment = self._consumer.assignment()
        for place in self._back(assignment, committed):
            self._consumer.seek(place)
        self._consumer.resume(assignment)
        log.info("store_back", rewound_seconds=self._settings.mongo.rewind_seconds)

    def _back(self, assignment: list[TopicPartition], committed: list[TopicPartition]) -> list[TopicPartition]:
        """Where to go on: what was not committed at least, and the rewind before it on the built-in store."""
        known = {(place.topic, place.partition): place.offset for place in committed}
        since = int((time.time() - self._settings.mongo.rewind_seconds) * 1000)
        wanted = [TopicPartition(place.topic, place.partition, since) for place in assignment]
        places = []
        for place in self._consumer.offsets_for_times(wanted, timeout=10):
            resume = known.get((place.topic, place.partition), -1)
            rewound = place.offset if place.offset >= 0 else resume
            target = min(offset for offset in (resume, rewound) if offset >= 0) if max(resume, rewound) >= 0 else 0
            places.append(TopicPartition(place.topic, place.partition, target))
        return places

    def _wait_for_store(self) -> None:
        """Until the store answers, or the process is told to stop. Keeps the group's heartbeat going."""
        self._ready = "waiting for the store"
        gauge(SINK_PAUSED).set(1)
        pause = 0.2
        while not self._stop.is_set():
            self._moved = time.monotonic()
            if self._store.answers():
                self._store.prepare()
                break
            if self._consumer.assignment():
                self._consumer.poll(0)
            self._stop.wait(pause)
            pause = min(2.0, pause * 1.5)
        gauge(SINK_PAUSED).set(0)
        self._ready = None if self._consumer.assignment() else "waiting for partitions"
