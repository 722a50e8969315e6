"""One measurement each: frames a second to the answer topic, to the store, and latency at one 30 fps stream."""

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from apps.bench.load import BULK_LINGER_MS, Load
from apps.bench.usage import cpu_seconds
from contracts.answers import Answer
from contracts.errors import FatalError
from contracts.lag import LagReader
from contracts.settings import Settings
from contracts.topics import AGES, MONGO_GROUP

STREAMS = 4
WAITING = 128
"""Unanswered frames kept in the system: enough that no stage ever waits for the producer."""
WARM_SECONDS = 1.5
FPS = 30.0
STORED_SECONDS = 60.0
STAGES = ("capture_to_ingest", "queue", "decode", "detect", "estimate", "publish", "total")


class Target(Protocol):
    """What is measured: a running Mairror."""

    settings: Settings

    def pids(self) -> dict[str, int]:
        """Process ids by name."""


@dataclass(frozen=True)
class Throughput:
    """Frames a second, answers counted, processor milliseconds a frame by process ("bench" sends and reads)."""

    fps: float
    answers: int
    cpu_ms: dict[str, float]
    stages_ms: dict[str, float]


def throughput(system: Target, frames: Sequence[bytes], seconds: float, bench_pid: int) -> Throughput:
    """Producer to answer topic: saturate, warm up, then count answers for `seconds`; every frame is answered.

    Raises:
        FatalError: a frame was not answered, or an answer has no face with an age.
    """
    pids = system.pids() | {"bench": bench_pid}
    with Load(system.settings, frames, STREAMS, BULK_LINGER_MS) as load:
        load.saturate(WAITING, _after(WARM_SECONDS))
        before, first, started = cpu_seconds(pids), len(load.received), time.monotonic()
        load.saturate(WAITING, _after(seconds))
        count, took = len(load.received) - first, time.monotonic() - started
        used = cpu_seconds(pids)
        load.drain()
        measured = load.answers()[first : first + count]
    check(answer for answer, _ in measured)
    return Throughput(
        fps=count / took,
        answers=count,
        cpu_ms={name: round((used[name] - before[name]) / count * 1000, 2) for name in pids},
        stages_ms=stages(answer for answer, _ in measured),
    )


def stored(system: Target, frames: Sequence[bytes], seconds: float) -> float:
    """Producer to store: frames a second from the first answer to the moment the sink has written all of them.

    The sink commits an answer's offset after its document is written, so committed offsets tell.

    Raises:
        FatalError: the store has not taken everything within a minute.
    """
    sink = LagReader(system.settings.kafka, MONGO_GROUP, [AGES.name])
    try:
        _wait_written(sink)
        with Load(system.settings, frames, STREAMS, BULK_LINGER_MS) as load:
            load.saturate(WAITING, _after(WARM_SECONDS))
            first, started = len(load.received) - sink.lag()[AGES.name], time.monotonic()
            load.saturate(WAITING, _after(seconds))
            load.drain()
            _wait_written(sink)
            return (len(load.received) - first) / (time.monotonic() - started)
    finally:
        sink.close()


def latency(system: Target, frames: Sequence[bytes], seconds: float) -> dict[str, Any]:
    """One live stream at 30 frames a second: milliseconds from capture to the answer read, p50 and p99.

    `added` is without the model's own time (decode, detect, estimate, from the answer): what Kafka, Faust and waiting
    for a batch add. Frames of the first second do not count.
    """
    with Load(system.settings, frames, 1) as load:
        load.pace(FPS, seconds + 1.0)
        sent, found = load.sent, load.answers()
    counted = [(answer, took) for answer, took in found if answer.frame.sequence >= FPS]
    check(answer for answer, _ in counted)
    model = [_model_ms(answer) for answer, _ in counted]
    return {
        "added": percentiles([took - ours for (_, took), ours in zip(counted, model, strict=True)]),
        "end_to_end": percentiles([took for _, took in counted]),
        "model": percentiles(model),
        "sent": sent,
        "answered": len(found),
        "stages_ms": stages(answer for answer, _ in counted),
    }


def check(answers: Iterable[Answer]) -> None:
    """Every frame was detected and estimated, none skipped.

    Raises:
        FatalError: an answer without a face that has an age.
    """
    empty = sum(1 for answer in answers if not any(face.age for face in answer.faces))
    if empty:
        raise FatalError(f"{empty} answers have no face with an age: the comparison would not be fair")


def stages(answers: Iterable[Answer]) -> dict[str, float]:
    """Median milliseconds of every stage, from the answers themselves."""
    timings = [answer.timing_ms for answer in answers]
    found = {}
    for stage in STAGES:
        values = [value for timing in timings if (value := getattr(timing, stage)) is not None]
        if values:
            found[stage] = round(statistics.median(values), 2)
    return found


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50 and p99 of at least two values."""
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": round(cuts[49], 1), "p99": round(cuts[98], 1)}


def _model_ms(answer: Answer) -> float:
    return answer.timing_ms.decode + answer.timing_ms.detect + answer.timing_ms.estimate


def _after(seconds: float) -> Callable[[], bool]:
    deadline = time.monotonic() + seconds
    return lambda: time.monotonic() >= deadline


def _wait_written(sink: LagReader) -> None:
    deadline = time.monotonic() + STORED_SECONDS
    while waiting := sink.lag()[AGES.name]:
        if time.monotonic() > deadline:
            raise FatalError(f"{waiting} answers were not stored within {STORED_SECONDS:.0f} s")
        time.sleep(0.02)
