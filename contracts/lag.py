"""How far a consumer group is: end offsets against committed offsets, asked of the broker itself."""

from collections.abc import Sequence
from typing import NamedTuple

from confluent_kafka import Consumer, TopicPartition

from contracts.kafka import KafkaSettings


class Position(NamedTuple):
    """Offsets of one partition."""

    low: int
    committed: int
    end: int


class LagReader:
    """Reads end and committed offsets of a group; joins nothing, moves nothing."""

    def __init__(self, kafka: KafkaSettings, group: str, topics: Sequence[str]) -> None:
        self._topics = topics
        self._consumer = Consumer(kafka.librdkafka_consumer(group))

    def positions(self) -> dict[tuple[str, int], Position]:
        """Low watermark, committed offset and end offset of every partition.

        Where nothing is committed yet, or what was committed is gone, the low watermark stands for it.

        Raises:
            KafkaException: the broker does not answer.
        """
        wanted = [
            TopicPartition(topic, partition)
            for topic in self._topics
            for partition in self._consumer.list_topics(topic, timeout=5).topics[topic].partitions
        ]
        found = {}
        for place in self._consumer.committed(wanted, timeout=5):
            low, high = self._consumer.get_watermark_offsets(place, timeout=5)
            offset = place.offset if place.offset >= 0 else low
            found[place.topic, place.partition] = Position(low, max(low, min(offset, high)), high)
        return found

    def lag(self) -> dict[str, int]:
        """Records waiting, by topic.

        Raises:
            KafkaException: the broker does not answer.
        """
        waiting = dict.fromkeys(self._topics, 0)
        for (topic, _), position in self.positions().items():
            waiting[topic] += position.end - position.committed
        return waiting

    def close(self) -> None:
        """Free the connection."""
        self._consumer.close()
