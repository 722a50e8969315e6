"""What one viewer of the live topics still has to see: the newest item of every topic and stream, no more.

Guarantee: memory is bounded by one item per topic and stream (and `MAX_WAITING` items in all), however slow the viewer
is. A newer item takes the place of the one that waits, so streams are served in turn and nobody starves.
"""

import asyncio
import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from contracts.metrics import LIVE_SKIPPED, counter

MAX_WAITING = 512
"""A viewer of everything that reads nothing would else keep one item for every upload there ever was."""

Wake = Callable[[], None]


@dataclass(frozen=True, slots=True)
class LiveItem:
    """One record. `stream` is the stream id, or the upload id; `timestamp` is Kafka's, epoch seconds."""

    topic: str
    stream: str
    key: bytes
    value: bytes
    headers: dict[str, bytes] = field(repr=False)
    timestamp: float


class Subscription:
    """A viewer's mailbox. Filled by the fan-out's thread; read by one thread, or by one task of an event loop.

    `skipped` counts items that were replaced by newer ones before they were read.
    """

    def __init__(self, stream: str | None, topics: frozenset[str], leave: Callable[["Subscription"], None]) -> None:
        self.stream = stream
        self.topics = topics
        self.skipped = 0
        self._leave = leave
        self._waiting: OrderedDict[tuple[str, str], LiveItem] = OrderedDict()
        self._changed = threading.Condition()
        self._wake: Wake | None = None
        self._closed = False

    def put(self, item: LiveItem) -> None:
        """Called by the fan-out. Never blocks for longer than a reader takes one item out."""
        with self._changed:
            if self._closed:
                return
            place = (item.topic, item.stream)
            if place in self._waiting:
                self._skip(item.topic)
            elif len(self._waiting) >= MAX_WAITING:
                self._skip(self._waiting.popitem(last=False)[1].topic)
            # an item keeps its predecessor's place in the queue: a fast stream does not push itself back
            self._waiting[place] = item
            self._notify()

    def _skip(self, topic: str) -> None:
        self.skipped += 1
        counter(LIVE_SKIPPED).labels(topic=topic).inc()

    def _notify(self) -> None:
        self._changed.notify_all()
        if self._wake is not None:
            self._wake()

    def __len__(self) -> int:
        """How many items wait."""
        return len(self._waiting)

    @property
    def closed(self) -> bool:
        """True when nothing will come any more."""
        return self._closed

    def next(self, timeout: float) -> LiveItem | None:
        """The item that waits longest, waiting up to `timeout` seconds for one; None when none came, or when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed, timeout)
            return self._take()

    async def next_async(self, timeout: float) -> LiveItem | None:
        """`next` for a task of an event loop: no thread waits meanwhile."""
        loop = asyncio.get_running_loop()
        came = asyncio.Event()

        def wake() -> None:
            # the loop may end between two records; then nobody waits any more
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(came.set)

        with self._changed:
            if self._waiting or self._closed:
                return self._take()
            self._wake = wake
        try:
            async with asyncio.timeout(timeout):
                await came.wait()
        except TimeoutError:
            pass
        finally:
            with self._changed:
                self._wake = None
        with self._changed:
            return self._take()

    def _take(self) -> LiveItem | None:
        return self._waiting.popitem(last=False)[1] if self._waiting else None

    def close(self) -> None:
        """Leave. Whoever waits in `next` returns at once."""
        self._leave(self)
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._notify()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
