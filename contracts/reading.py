"""Reads result topics as anybody may: all partitions assigned, no consumer group, from the end or from a time.

Guarantee: every record appended after `__init__` returned is delivered at least once, in order per key.
"""

from collections.abc import Iterator, Sequence

import stamina
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from contracts.errors import RetryableError
from contracts.kafka import KafkaSettings
from contracts.topics import READER_GROUP

TIMEOUT = 10.0


def _passing(error: Exception) -> bool:
    return isinstance(error, KafkaException) and bool(error.args[0].retriable())


class TopicReader:
    """A consumer that joins no group and commits nothing.

    Args:
        kafka: where.
        topics: full topic names.
        since: epoch seconds to begin at; None begins at the end; 0 at the beginning.

    Raises:
        RetryableError: the broker does not answer, or a topic is missing.
    """

    def __init__(self, kafka: KafkaSettings, topics: Sequence[str], since: float | None = None) -> None:
        self._consumer = Consumer(kafka.librdkafka_consumer(READER_GROUP, fetch_wait_max_ms=100))
        # a broker that has just come back answers NOT_LEADER_FOR_PARTITION for a moment
        retrying = stamina.retry_context(on=_passing, attempts=None, timeout=TIMEOUT, wait_initial=0.1, wait_max=1.0)
        try:
            for attempt in retrying:
                with attempt:
                    self._consumer.assign([place for topic in topics for place in self._places(topic, since)])
        except KafkaException as error:
            self._consumer.close()
            raise RetryableError(f"broker {kafka.bootstrap} does not answer: {error}") from error

    def _places(self, topic: str, since: float | None) -> list[TopicPartition]:
        found = self._consumer.list_topics(topic, timeout=TIMEOUT).topics[topic]
        if found.error is not None or not found.partitions:
            raise RetryableError(f"topic {topic} is not there: run `mairror topics apply`")
        places = [TopicPartition(topic, number) for number in found.partitions]
        if since is None:
            # asked now, not at the first fetch: what is sent after this line is read
            for place in places:
                place.offset = self._consumer.get_watermark_offsets(place, timeout=TIMEOUT)[1]
        elif since == 0:
            for place in places:
                place.offset = OFFSET_BEGINNING
        else:
            for place in places:
                place.offset = int(since * 1000)
            places = self._consumer.offsets_for_times(places, timeout=TIMEOUT)
        return places

    def poll(self, seconds: float) -> Message | None:
        """The next record, or None when none came.

        Raises:
            RetryableError: the broker reports a lasting problem.
        """
        message = self._consumer.poll(seconds)
        if message is None:
            return None
        error = message.error()
        if error is not None:
            if error.retriable() or error.code() in (KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT):
                return None
            raise RetryableError(f"reading failed: {error.str()}")
        return message

    def messages(self, idle_seconds: float) -> Iterator[Message]:
        """Records until none came for `idle_seconds`."""
        while (message := self.poll(idle_seconds)) is not None:
            yield message

    def close(self) -> None:
        """Free the connection."""
        self._consumer.close()
