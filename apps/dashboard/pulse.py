"""Where the time of an answer goes: the stages of the answers of the last minute, while somebody looks.

Reads `mairror.ages.v1` from its end through the dashboard's own fan-out. Guarantee: bounded memory; nothing is read
while nobody looks. A flood is sampled: the newest answer of every stream counts.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from statistics import median, quantiles
from typing import NamedTuple

import msgspec

from apps.dashboard.looked_at import LookedAt
from contracts.answers import Timing
from contracts.topics import AGES
from sinks.live.fanout import LiveFanout

WINDOW_SECONDS = 60.0
MAX_SAMPLES = 5000
STAGES = ("capture_to_ingest", "queue", "decode", "detect", "estimate", "publish")


class Stage(NamedTuple):
    """Milliseconds of one stage: half take less than `p50`, 95 of 100 less than `p95`."""

    name: str
    p50: float
    p95: float


class Pulse(NamedTuple):
    """The last minute. `total` is from capture to answer; None while nothing was seen."""

    answers: int
    total: Stage | None
    stages: tuple[Stage, ...]


class _Origin(msgspec.Struct, frozen=True):
    origin: str


class _Timed(msgspec.Struct, frozen=True):
    frame: _Origin
    timing_ms: Timing


class PulseWatch:
    """Safe from any thread; reads in its own."""

    def __init__(self, answers: LiveFanout) -> None:
        self._answers = answers
        self._lock = threading.Lock()
        self._samples: deque[tuple[float, Timing]] = deque(maxlen=MAX_SAMPLES)
        self._looked = LookedAt("pulse", self._read)

    def now(self) -> Pulse:
        """What was seen in the last minute."""
        self._looked.look()
        with self._lock:
            while self._samples and self._samples[0][0] < time.monotonic() - WINDOW_SECONDS:
                self._samples.popleft()
            return pulse_of([timing for _, timing in self._samples])

    def _read(self, wanted: Callable[[], bool]) -> None:
        decoder = msgspec.json.Decoder(_Timed)
        with self._answers.subscribe(topics=[AGES.name]) as mail:
            while wanted() and not mail.closed:
                item = mail.next(0.5)
                if item is None:
                    continue
                try:
                    found = decoder.decode(item.value)
                except msgspec.MsgspecError:
                    continue  # not an answer; who writes such a thing is told elsewhere
                if found.frame.origin != "upload":
                    with self._lock:
                        self._samples.append((time.monotonic(), found.timing_ms))
        with self._lock:
            self._samples.clear()

    def close(self) -> None:
        """Stop reading."""
        self._looked.close()


def pulse_of(timings: list[Timing]) -> Pulse:
    """Sums of some answers; stages whose clocks disagree are left out."""
    stages = (_stage(name, [getattr(timing, name) for timing in timings]) for name in STAGES)
    total = _stage("total", [timing.total for timing in timings])
    return Pulse(len(timings), total, tuple(stage for stage in stages if stage is not None))


def _stage(name: str, values: list[float | None]) -> Stage | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    p95 = quantiles(known, n=20)[-1] if len(known) > 1 else known[0]
    return Stage(name, median(known), p95)
