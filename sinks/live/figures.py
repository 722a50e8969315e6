"""A stream in numbers over the last seconds: answers a second, latency percentiles, age of the newest answer."""

import math
import time
from collections import deque
from collections.abc import Callable, Sequence

from msgspec import Struct

from contracts.answers import Answer

WINDOW_SECONDS = 5.0
MAX_SAMPLES = 2000


class Figures(Struct, frozen=True):
    """Milliseconds; None when nothing was seen in the window, or when the clocks disagree."""

    fps: float
    p50_ms: float | None
    p95_ms: float | None
    since_answer_ms: float | None


class LiveFigures:
    """Counts the answers of one stream as a viewer gets them. Use from one thread.

    Latency runs from capture to now, on wall clocks; answers whose clocks are known to disagree are left out.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        self._clock, self._wall = clock, wall
        self._began = clock()
        self._last: float | None = None
        self._samples: deque[tuple[float, float | None]] = deque(maxlen=MAX_SAMPLES)

    def take(self, answer: Answer) -> float | None:
        """Count an answer; returns its latency, milliseconds."""
        now = self._clock()
        skewed = answer.timing_ms.clock != "ok"
        latency = None if skewed else max(0.0, (self._wall() - answer.frame.captured_at.timestamp()) * 1000)
        self._samples.append((now, latency))
        self._last = now
        return latency

    def now(self) -> Figures:
        """The figures of the last `WINDOW_SECONDS`."""
        now = self._clock()
        while self._samples and now - self._samples[0][0] > WINDOW_SECONDS:
            self._samples.popleft()
        latencies = sorted(latency for _, latency in self._samples if latency is not None)
        span = min(WINDOW_SECONDS, max(1.0, now - self._began))
        return Figures(
            fps=round(len(self._samples) / span, 1),
            p50_ms=percentile(latencies, 0.5),
            p95_ms=percentile(latencies, 0.95),
            since_answer_ms=None if self._last is None else round((now - self._last) * 1000, 1),
        )


def percentile(ascending: Sequence[float], share: float) -> float | None:
    """Nearest-rank percentile of ascending numbers; None of none."""
    if not ascending:
        return None
    return round(ascending[max(0, math.ceil(share * len(ascending)) - 1)], 1)
