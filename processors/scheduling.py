"""Which frames are answered next: fair between streams, oldest first within one, expired ones dropped unread.

Streams take turns, so a flooding one cannot starve the rest; uploads take turns as one stream of their own,
so neither kind starves the other. A frame whose batch failed comes back alone, so that it can only fail itself.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from processors.acknowledgement import Partition
from processors.frames import Held

UPLOADS = "uploads"
MOST_UPLOADS = 2
"""Photos in one batch: they are looked at ten times as long as a live frame, and the live ones wait for them."""


@dataclass
class Batch:
    """Frames to answer together, and frames dropped on the way here."""

    frames: list[Held] = field(default_factory=list)
    dropped: list[Held] = field(default_factory=list)


class Schedule:
    """Bounded: `put` waits while `capacity` frames are queued. One event loop owns it."""

    def __init__(self, budget_ms: float, capacity: int) -> None:
        self._budget_ms = budget_ms
        self._capacity = capacity
        self._lanes: OrderedDict[str, deque[Held]] = OrderedDict()
        self._retries: deque[Held] = deque()
        self._count = 0
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def __len__(self) -> int:
        return self._count + len(self._retries)

    async def put(self, held: Held) -> None:
        """Queue a frame; waits for room (back-pressure towards Kafka)."""
        await self._room.wait()
        lane = UPLOADS if held.frame.is_upload else held.frame.stream
        self._lanes.setdefault(lane, deque()).append(held)
        self._count += 1
        if self._count >= self._capacity:
            self._room.clear()
        self._filled.set()

    def retry(self, held: Held) -> None:
        """Queue a frame whose batch failed; it is taken alone."""
        self._retries.append(held)
        self._filled.set()

    async def take(self, most: int, predict_ms: Callable[[int], float]) -> Batch:
        """Wait for a frame, then take what is there: never wait for more when something is waiting.

        Args:
            most: largest batch.
            predict_ms: predicted milliseconds of a batch of n frames; the batch grows only while that fits
                the remaining budget of its oldest frame.
        """
        await self._filled.wait()
        batch = Batch([self._retries.popleft()]) if self._retries else self._gather(most, predict_ms)
        if not self._retries and not self._count:
            self._filled.clear()
        if self._count < self._capacity:
            self._room.set()
        return batch

    def _gather(self, most: int, predict_ms: Callable[[int], float]) -> Batch:
        batch = Batch()
        tightest = float("inf")
        while self._lanes and len(batch.frames) < most:
            name, lane = next(iter(self._lanes.items()))
            if name == UPLOADS and sum(held.frame.is_upload for held in batch.frames) >= MOST_UPLOADS:
                if len(self._lanes) == 1:
                    break
                self._lanes.move_to_end(name)
                continue
            held = lane[0]
            remaining = held.remaining_ms(self._budget_ms)
            # not in time even alone: dropped now, unless nothing newer is there to show how fast the model is
            doomed = remaining <= 0 or (remaining < predict_ms(1) and len(lane) > 1)
            if not doomed and batch.frames and predict_ms(len(batch.frames) + 1) > min(tightest, remaining):
                break
            lane.popleft()
            self._count -= 1
            if doomed:
                held.cause = "expired"
                batch.dropped.append(held)
            else:
                batch.frames.append(held)
                tightest = min(tightest, remaining)
                self._lanes.move_to_end(name)
            if not lane:
                del self._lanes[name]
        return batch

    def forget(self, partitions: set[Partition]) -> None:
        """Remove the frames of partitions that were taken away."""
        for name in list(self._lanes):
            kept = deque(held for held in self._lanes[name] if (held.topic, held.partition) not in partitions)
            self._count -= len(self._lanes[name]) - len(kept)
            if kept:
                self._lanes[name] = kept
            else:
                del self._lanes[name]
        self._retries = deque(held for held in self._retries if (held.topic, held.partition) not in partitions)
        if not self._count and not self._retries:
            self._filled.clear()
        if self._count < self._capacity:
            self._room.set()
