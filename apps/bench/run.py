"""The whole bench: sweep the bare loop, then measure bare and pipeline in turns, then latency.

The machine is rarely quiet, so what counts are ratios of neighbours: bare, pipeline, bare, pipeline ... and the
median of the pairs. Processor milliseconds a frame are printed beside them: they hardly feel what else is running.
"""

import os
import statistics
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from apps.bench import measure
from apps.bench.frames import HEIGHT, WIDTH, bench_frames
from apps.bench.machine import cpu_name
from apps.bench.sweep import MODEL_THREADS, BareLoop, Shape, Speed, shapes
from apps.bench.system import System
from apps.bench.usage import PeakMemory
from apps.local.resolver import Progress
from contracts.settings import Settings
from model.weights import fetch

ROUNDS = 3
NEAR = 0.9
SWEEP_SHARE = 0.3
"""Seconds of one shape in the sweep, as a share of the seconds of a measurement."""


def bench(settings: Settings, seconds: float, progress: Progress) -> dict[str, Any]:
    """Run everything; about 20 measurements of `seconds`.

    Returns:
        The JSON of `mairror bench`; docs/results/README.md says what every key means.

    Raises:
        FatalError, RetryableError: a part did not start, or did not do all of the work.
    """
    fetch(settings.cache)
    frames = bench_frames()
    before = os.getloadavg()[0]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mairror-bench-")))
        pictures = folder / "frames"
        pictures.mkdir()
        for number, jpeg in enumerate(frames):
            (pictures / f"{number:03d}.jpg").write_bytes(jpeg)
        sizes = settings.processor.batch_sizes
        loops = {
            threads: stack.enter_context(BareLoop(pictures, threads, sizes))
            for threads in MODEL_THREADS
            if threads <= (os.cpu_count() or 1)
        }
        sweep, best = _sweep(loops, sizes, seconds * SWEEP_SHARE, progress)
        system = stack.enter_context(System(folder, settings, progress))
        memory = stack.enter_context(PeakMemory(system.pids()))

        def bare() -> Speed:
            return loops[best.model_threads].run(best, seconds)

        answered = _in_turns("answers", bare, lambda: _throughput(system, frames, seconds), progress)
        progress("latency at 30 frames a second", None)
        waits = measure.latency(system, frames, seconds)
        system.serve("sink-mongo")
        memory.watch("sink-mongo", system.pids()["sink-mongo"])
        kept = _in_turns("stored", bare, lambda: {"fps": measure.stored(system, frames, seconds)}, progress)
    return _report(settings, best, sweep, answered, kept, waits, memory) | {"load_before": round(before, 2)}


def _sweep(
    loops: dict[int, BareLoop], sizes: tuple[int, ...], seconds: float, progress: Progress
) -> tuple[list[dict[str, Any]], Shape]:
    """Measure every shape twice, forwards and backwards."""
    wanted = [shape for threads in loops for shape in shapes(threads, sizes)]
    found: dict[Shape, list[Speed]] = {shape: [] for shape in wanted}
    for number, shape in enumerate([*wanted, *reversed(wanted)]):
        progress("sweeping the bare loop", number / (2 * len(wanted)))
        found[shape].append(loops[shape.model_threads].run(shape, seconds))
    progress("sweeping the bare loop", 1.0)
    rows = [
        {
            "model_threads": shape.model_threads,
            "threads": shape.threads,
            "batch": shape.batch,
            "fps": round(statistics.fmean(one.fps for one in speeds), 1),
            "cpu_ms": round(statistics.fmean(one.cpu_ms for one in speeds), 2),
        }
        for shape, speeds in found.items()
    ]
    return rows, fastest(found)


def fastest(found: dict[Shape, list[Speed]]) -> Shape:
    """The shape with the most frames a second; among those within 10 % of it, the one that costs the least.

    On a machine that does other things too, more threads catch more of the processor; cost tells the better loop.
    """
    fps = {shape: statistics.fmean(one.fps for one in speeds) for shape, speeds in found.items()}
    near = [shape for shape in found if fps[shape] >= NEAR * max(fps.values())]
    return min(near, key=lambda shape: statistics.fmean(one.cpu_ms for one in found[shape]))


def _throughput(system: System, frames: list[bytes], seconds: float) -> dict[str, Any]:
    found = measure.throughput(system, frames, seconds, os.getpid())
    return {"fps": found.fps, "cpu_ms": found.cpu_ms, "stages_ms": found.stages_ms, "answers": found.answers}


def _in_turns(
    what: str, bare: Callable[[], Speed], pipeline: Callable[[], dict[str, Any]], progress: Progress
) -> list[dict[str, Any]]:
    """Bare, pipeline, bare, pipeline, ..., bare: each pipeline run is compared with the mean of its neighbours."""
    progress(f"{what}: round 0", None)
    speeds, runs = [bare()], []
    for number in range(ROUNDS):
        progress(f"{what}: round {number + 1} of {ROUNDS}", None)
        run = pipeline()
        speeds.append(bare())
        beside = (speeds[-2].fps + speeds[-1].fps) / 2
        bare_ms = (speeds[-2].cpu_ms + speeds[-1].cpu_ms) / 2
        runs.append({**run, "bare_fps": beside, "bare_cpu_ms": bare_ms, "ratio": run["fps"] / beside})
    return runs


def _report(
    settings: Settings,
    best: Shape,
    sweep: list[dict[str, Any]],
    answered: list[dict[str, Any]],
    kept: list[dict[str, Any]],
    waits: dict[str, Any],
    memory: PeakMemory,
) -> dict[str, Any]:
    bare_cpu = statistics.median(run["bare_cpu_ms"] for run in answered)
    cpu = {name: statistics.median(run["cpu_ms"][name] for run in answered) for name in answered[0]["cpu_ms"]}
    return {
        "preset": settings.model.preset,
        "pipeline_fps": _median(answered, "fps"),
        "bare_fps": _median(answered, "bare_fps"),
        "ratio": _median(answered, "ratio", 3),
        "stored_fps": _median(kept, "fps"),
        "ratio_stored": _median(kept, "ratio", 3),
        "added_latency_ms": waits["added"],
        "end_to_end_ms": waits["end_to_end"],
        "stages_ms": waits["stages_ms"],
        "stages_saturated_ms": answered[-1]["stages_ms"],
        "cpu_ms_per_frame": {"bare": round(bare_cpu, 2), **cpu, "pipeline": round(sum(cpu.values()), 2)},
        "ratio_cpu": round(bare_cpu / sum(cpu.values()), 3),
        "cores_used": {
            "bare": round(statistics.median(run["bare_fps"] * run["bare_cpu_ms"] / 1000 for run in answered), 2),
            "pipeline": round(
                statistics.median(run["fps"] * sum(run["cpu_ms"].values()) / 1000 for run in answered), 2
            ),
        },
        "peak_rss_mb": memory.rss_mb,
        "peak_pss_mb": memory.pss_mb,
        "peak_pss_by_process_mb": dict(memory.by_process),
        "bare": {"model_threads": best.model_threads, "threads": best.threads, "batch": best.batch},
        "sweep": sweep,
        "runs": [_rounded(run) for run in answered],
        "runs_stored": [_rounded(run) for run in kept],
        "latency": {key: waits[key] for key in ("sent", "answered", "model")},
        "frame": {"width": WIDTH, "height": HEIGHT, "detector_edge": settings.model.detector_edge},
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
    }


def _median(runs: list[dict[str, Any]], key: str, digits: int = 1) -> float:
    return round(float(statistics.median(run[key] for run in runs)), digits)


def _rounded(run: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in run.items()}
