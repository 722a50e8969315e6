"""Finds and re-reads records of the upload topic: the picture behind an answer, and uploads nobody here remembers.

Guarantee: a picture is returned only from exactly the record that was answered; a record that is gone is `None`.
Uploads that were accepted and not yet answered when a gateway died are found again: looking begins before the
processor's committed offsets. Every record is read at most once for that, however many ids are asked for.
"""

import threading
import time
from collections import OrderedDict

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from contracts.errors import RetryableError
from contracts.kafka import KafkaSettings
from contracts.topics import FRAMES_UPLOAD, PROCESSOR_GROUP, READER_GROUP
from producers.upload import Place

SECONDS = 5.0
BEFORE_COMMITTED = 20
"""Records of each partition looked at although they are acknowledged: their answers may not be stored yet."""
MAX_REMEMBERED = 20_000
MAX_BEHIND = 2000
"""Most records of a partition looked at when nobody has processed anything for long."""


class UploadRecords:
    """One consumer for single reads, one that catches up. Safe from any thread; reads are one at a time."""

    def __init__(self, kafka: KafkaSettings, group: str = PROCESSOR_GROUP) -> None:
        self._kafka, self._group = kafka, group
        self._lock, self._catching_up = threading.Lock(), threading.Lock()
        # a frame is wanted, not the ones behind it
        extra = {"queued_max_messages_kbytes": 8192, "fetch_wait_max_ms": 100, "enable_partition_eof": False}
        self._single = Consumer(kafka.librdkafka_consumer(READER_GROUP, **extra))
        self._follower = Consumer(kafka.librdkafka_consumer(group, **extra))
        self._next: dict[int, int] = {}
        self._places: OrderedDict[str, Place] = OrderedDict()

    def picture(self, upload: str, place: Place) -> bytes | None:
        """The JPEG of an upload from the record at `place`; None when the record is gone or is another one's.

        Raises:
            RetryableError: the broker does not answer.
        """
        with self._lock:
            try:
                message = self._record(place)
            except KafkaException as error:
                raise _away(error) from error
        if message is None or message.key() != upload.encode():
            return None
        return message.value()

    def _record(self, place: Place) -> Message | None:
        where = TopicPartition(FRAMES_UPLOAD.name, place.partition, place.offset)
        low, high = self._single.get_watermark_offsets(where, timeout=SECONDS)
        if not low <= place.offset < high:
            return None
        self._single.assign([where])
        try:
            message = self._polled(self._single, time.monotonic() + SECONDS)
        finally:
            self._single.unassign()
        # deleted between the two calls: the consumer went on to the first that is left
        return message if message.offset() == place.offset else None

    def place(self, upload: str) -> Place | None:
        """Where an upload lies; None when it is not among the recent ones.

        Raises:
            RetryableError: the broker does not answer.
        """
        with self._catching_up:
            if upload not in self._places:
                try:
                    self._catch_up()
                except KafkaException as error:
                    raise _away(error) from error
            return self._places.get(upload)

    def _keep(self, upload: str, place: Place) -> None:
        self._places[upload] = place
        if len(self._places) > MAX_REMEMBERED:
            self._places.popitem(last=False)

    def _catch_up(self) -> None:
        for partition, high in self._unread().items():
            self._follower.assign([TopicPartition(FRAMES_UPLOAD.name, partition, self._next[partition])])
            try:
                while self._next[partition] < high:
                    message = self._polled(self._follower, time.monotonic() + SECONDS)
                    offset = message.offset() or 0
                    self._keep((message.key() or b"").decode("utf-8", "replace"), Place(partition, offset))
                    self._next[partition] = offset + 1
            finally:
                self._follower.unassign()

    def _unread(self) -> dict[int, int]:
        """Partitions with records not looked at yet -> their end offset; sets where to begin."""
        metadata = self._follower.list_topics(FRAMES_UPLOAD.name, timeout=SECONDS).topics[FRAMES_UPLOAD.name]
        if metadata.error is not None:
            raise RetryableError(f"topic {FRAMES_UPLOAD.name} is not there: run `mairror topics apply`")
        places = [TopicPartition(FRAMES_UPLOAD.name, number) for number in metadata.partitions]
        missing = [place for place in places if place.partition not in self._next]
        if missing:
            for place in self._follower.committed(missing, timeout=SECONDS):
                self._next[place.partition] = max(0, place.offset - BEFORE_COMMITTED)
        found = {}
        for place in places:
            low, high = self._follower.get_watermark_offsets(place, timeout=SECONDS)
            begin = max(low, high - MAX_BEHIND, self._next[place.partition])
            self._next[place.partition] = begin
            if begin < high:
                found[place.partition] = high
        return found

    @staticmethod
    def _polled(consumer: Consumer, deadline: float) -> Message:
        while time.monotonic() < deadline:
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                return message
        raise RetryableError(f"{FRAMES_UPLOAD.name}: a record did not come within {SECONDS:.0f} s")

    def close(self) -> None:
        """Free the connections."""
        with self._lock:
            self._single.close()
        with self._catching_up:
            self._follower.close()


def _away(error: KafkaException) -> RetryableError:
    return RetryableError(f"the broker does not answer: {error.args[0].str()}")
