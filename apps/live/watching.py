"""The streams somebody watches right now: one reader of frames and answers for all of them, one view for each.

Lives on the web server's event loop. Nothing is read while nobody watches. A viewer that is slower than the stream
gets the newest pair when it asks again, so neither memory nor delay grows.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sinks.live.fanout import LiveFanout
from sinks.live.figures import Figures, LiveFigures
from sinks.live.pairing import Pair, Pairing

WAIT_SECONDS = 1.0


class StreamView:
    """The newest picture and answer of one stream, for any number of viewers on the same loop."""

    def __init__(self, fanout: LiveFanout, stream: str) -> None:
        self.viewers = 0
        self._fanout = fanout
        self._subscription = fanout.subscribe(stream)
        self._pairing, self._figures = Pairing(), LiveFigures()
        self._latest: Pair | None = None
        self._version = 0
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while not self._subscription.closed:
            item = await self._subscription.next_async(WAIT_SECONDS)
            pair = self._pairing.take(item) if item is not None else None
            if pair is None:
                continue
            self._figures.take(pair.answer)
            self._latest, self._version = pair, self._version + 1
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()
            # a flood of records must not keep the loop from its other tasks
            await asyncio.sleep(0)

    async def newer(self, version: int, timeout: float) -> tuple[int, Pair] | None:
        """The newest pair and its version if it is not `version`, waiting up to `timeout` seconds for one."""
        if version == self._version:
            try:
                async with asyncio.timeout(timeout):
                    await self._changed.wait()
            except TimeoutError:
                return None
        return (self._version, self._latest) if self._latest is not None else None

    @property
    def figures(self) -> Figures:
        """The stream in numbers, now."""
        return self._figures.now()

    @property
    def problem(self) -> str | None:
        """None, or why nothing can be read."""
        return self._fanout.problem

    async def close(self) -> None:
        """Stop reading."""
        self._subscription.close()
        await self._task


class Watching:
    """Opens a view with its first viewer and closes it with its last; so too the fan-out behind them."""

    def __init__(self, open_fanout: Callable[[], LiveFanout]) -> None:
        self._open = open_fanout
        self._fanout: LiveFanout | None = None
        self._views: dict[str, StreamView] = {}

    @property
    def viewers(self) -> int:
        """How many watch."""
        return sum(view.viewers for view in self._views.values())

    @asynccontextmanager
    async def watch(self, stream: str) -> AsyncIterator[StreamView]:
        """The view of a stream while the context lasts."""
        if self._fanout is None:
            self._fanout = self._open()
        view = self._views.get(stream)
        if view is None:
            view = self._views[stream] = StreamView(self._fanout, stream)
        view.viewers += 1
        try:
            yield view
        finally:
            view.viewers -= 1
            if view.viewers == 0:
                await self._close(stream, view)

    async def _close(self, stream: str, view: StreamView) -> None:
        del self._views[stream]
        fanout = None
        if not self._views:
            # taken out before anything is awaited: whoever comes meanwhile opens a new one
            fanout, self._fanout = self._fanout, None
        await view.close()
        if fanout is not None:
            await asyncio.to_thread(fanout.close)
