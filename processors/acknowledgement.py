"""Acknowledges frames in order, per partition.

Faust commits past a frame in flight when acknowledgements arrive out of order (its issue 606), so nothing
is acknowledged before everything in front of it: the committed offset is never above the lowest frame that
is not done.
"""

from collections import deque
from typing import Any, Protocol

Partition = tuple[str, int]


class Acknowledgeable(Protocol):
    """What this ledger holds."""

    topic: str
    partition: int
    done: bool
    event: Any


class Acknowledgements:
    """Frames taken and not yet acknowledged, oldest first. Not thread-safe: one event loop owns it."""

    def __init__(self) -> None:
        self._held: dict[Partition, deque[Acknowledgeable]] = {}
        self.acknowledged = 0
        """Frames acknowledged since start: what liveness watches."""

    def hold(self, item: Acknowledgeable) -> None:
        """Take responsibility for an item; items of a partition must come in offset order."""
        self._held.setdefault((item.topic, item.partition), deque()).append(item)

    def done(self, item: Acknowledgeable) -> None:
        """The item has its outcome; acknowledge it and all done ones behind it, if nothing is in front."""
        item.done = True
        queue = self._held.get((item.topic, item.partition))
        while queue and queue[0].done:
            queue.popleft().event.ack()
            self.acknowledged += 1

    def forget(self, partitions: set[Partition]) -> None:
        """Partitions were taken away: their frames will be delivered again, to whoever owns them now."""
        for partition in partitions:
            self._held.pop(partition, None)

    def holds(self, item: Acknowledgeable) -> bool:
        """Whether the item's partition is still ours since the item was taken."""
        return item in self._held.get((item.topic, item.partition), ())

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._held.values())
