"""The window of unanswered frames: how many may be on their way at once.

Latency stays flat when the model is slow because a new frame waits here, at the source, where it can still be
replaced by a newer one. An unanswered frame stops counting when its budget is over.

A fixed window is too large for a slow model: by Little's law four frames on their way at five answers a second are
800 ms old. So the window shrinks by one when a frame came too late, at most once a budget, and grows slowly while
answers come early (additive increase, additive decrease: it only ever moves between 1 and `size`).
"""

import threading
import time
from collections.abc import Callable

EARLY, LATE = 0.5, 0.9
"""Shares of the budget below which an answer is early, and above which it is nearly too late."""


class Window:
    """At most `size` frames sent and unanswered. Safe from several threads."""

    def __init__(self, size: int, budget_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._budget = budget_seconds
        self._clock = clock
        self._open: dict[int, float] = {}
        self._changed = threading.Condition()
        self._allowed = float(size)
        self._shrunk = clock()

    def _expire(self) -> float:
        """Forget what is over its budget; seconds until the next one is."""
        now = self._clock()
        for sequence in [found for found, until in self._open.items() if until <= now]:
            del self._open[sequence]
        return min(self._open.values(), default=now + self._budget) - now

    def wait(self, seconds: float) -> bool:
        """Wait for room; False when there is none after `seconds`."""
        deadline = self._clock() + seconds
        with self._changed:
            while True:
                next_free = self._expire()
                left = deadline - self._clock()
                if len(self._open) < int(self._allowed):
                    return True
                if left <= 0:
                    return False
                self._changed.wait(min(left, max(next_free, 0.001)))

    def open(self, sequence: int) -> None:
        """A frame was sent."""
        with self._changed:
            self._open[sequence] = self._clock() + self._budget

    def settle(self, sequence: int) -> None:
        """A frame has its fate."""
        with self._changed:
            if self._open.pop(sequence, None) is not None:
                self._changed.notify_all()

    def early(self, seconds: float) -> None:
        """An answer came after this long; well within the budget, the window may grow."""
        with self._changed:
            if seconds < EARLY * self._budget:
                self._allowed = min(float(self._size), self._allowed + 0.5 / self._allowed)
        if seconds > LATE * self._budget:
            self.late()

    def late(self) -> None:
        """A frame expired, or nearly: fewer may be on their way."""
        with self._changed:
            now = self._clock()
            if now - self._shrunk >= self._budget:
                self._shrunk = now
                self._allowed = max(1.0, self._allowed - 1.0)

    def __len__(self) -> int:
        with self._changed:
            self._expire()
            return len(self._open)
