"""The model code in its fastest bare loop: no Kafka, no Faust, no tracks, no JSON. The figure to compare with.

    python -m apps.bench.bare FOLDER

A process of its own, because TensorFlow takes its threads once. Serves requests from stdin, one JSON object a line
(`threads`, `batch`, `seconds`), and answers each with a line (`frames`, `seconds`, `cpu_seconds`). FOLDER holds the
frames. The loop runs `processors.pipeline.Pipeline`, exactly what the processor runs: `look` (decode, detect, align,
measure) in a thread pool that never runs dry, `estimate` in the main thread beside it.
"""

import itertools
import json
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from contracts.settings import load_settings
from processors.pipeline import Looked, Pipeline
from processors.worker import build_pipeline


def loop(pipeline: Pipeline, frames: Sequence[bytes], threads: int, batch: int, seconds: float) -> dict[str, float]:
    """Run for `seconds`; returns frames done, wall seconds and processor seconds of the whole process."""
    done = 0
    with ThreadPoolExecutor(threads, "look") as pool:
        endless = itertools.cycle(frames)
        looking: deque[Future[Looked]] = deque(
            pool.submit(pipeline.look, next(endless)) for _ in range(batch + 2 * threads)
        )
        started, used = time.perf_counter(), time.process_time()
        while time.perf_counter() - started < seconds:
            looked = [looking.popleft().result() for _ in range(batch)]
            looking.extend(pool.submit(pipeline.look, next(endless)) for _ in range(batch))
            _check(looked, pipeline)
            done += batch
        wall, cpu = time.perf_counter() - started, time.process_time() - used
        pool.shutdown(cancel_futures=True)
    return {"frames": done, "seconds": wall, "cpu_seconds": cpu}


def _check(looked: Sequence[Looked], pipeline: Pipeline) -> None:
    """Estimate, and make sure that work was done: every frame has a face, every face an age."""
    ages = pipeline.estimate(looked)
    if not all(ages):
        raise RuntimeError("a frame without a face: the loop does less work than the pipeline")


def requests() -> Iterator[dict[str, Any]]:
    """What is asked, until stdin closes."""
    for line in sys.stdin:
        yield json.loads(line)


def main() -> None:
    """Load, warm up, say so, and serve."""
    frames = [file.read_bytes() for file in sorted(Path(sys.argv[1]).glob("*.jpg"))]
    pipeline = build_pipeline(load_settings())
    loop(pipeline, frames, 2, 4, 0.5)
    sys.stdout.write('{"ready": true}\n')
    sys.stdout.flush()
    for request in requests():
        found = loop(pipeline, frames, request["threads"], request["batch"], request["seconds"])
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
