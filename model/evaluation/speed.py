"""How long a preset takes to load, and a face by the size of its batch, without detector and broker.

    python -m model.evaluation.speed PRESET THREADS

Prints one line of JSON. A process of its own, because TensorFlow's threads can be set only once. `mairror bench
--model` runs one for every preset and number of threads.
"""

import json
import sys
import time
from statistics import median
from typing import Any, Final

import numpy as np

from contracts.settings import Settings
from model.backend import configure_backend
from model.estimator import AgeEstimator
from model.manifest import load_preset
from model.weights import weights_folder

SIZES: Final = (1, 16, 64)
"""Batches measured, faces."""

ROUNDS: Final = 15
"""Runs of each batch; their median counts."""


def measure(preset: str, threads: int, settings: Settings) -> dict[str, Any]:
    """Load and time one preset.

    Returns:
        preset, parameters, threads, backend; load_s: weights read and network built; warm_up_s: traced and run for the
        settings' batch sizes, as a processor does before its first frame (both after the backend was imported);
        ms_per_face: by batch size, wall time; cpu_ms_per_face: processor time, which other work disturbs less.
    """
    backend = configure_backend(threads)
    manifest, folder = load_preset(preset), weights_folder(settings.cache)
    started = time.perf_counter()
    serving = AgeEstimator(manifest, folder, settings.processor.batch_sizes)
    loaded = time.perf_counter()
    serving.warm_up()
    warm = time.perf_counter()
    estimator = AgeEstimator(manifest, folder, SIZES)
    estimator.warm_up()
    wall, cpu = {}, {}
    for size in SIZES:
        chips = np.random.default_rng(size).integers(
            0, 256, (size, manifest.input_size, manifest.input_size, 3), dtype=np.uint8
        )
        rounds = [_timed(estimator, chips) for _ in range(ROUNDS)]
        wall[str(size)] = round(median(one[0] for one in rounds) / size, 2)
        cpu[str(size)] = round(median(one[1] for one in rounds) / size, 2)
    return {
        "preset": preset,
        "parameters": serving.parameters,
        "threads": threads,
        "backend": backend,
        "load_s": round(loaded - started, 2),
        "warm_up_s": round(warm - loaded, 2),
        "ms_per_face": wall,
        "cpu_ms_per_face": cpu,
    }


def _timed(estimator: AgeEstimator, chips: Any) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    estimator.predict(chips)
    return (time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000


def main() -> None:
    """Measure the preset named on the command line."""
    sys.stdout.write(json.dumps(measure(sys.argv[1], int(sys.argv[2]), Settings())) + "\n")


if __name__ == "__main__":
    main()
