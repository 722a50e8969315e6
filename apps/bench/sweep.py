"""Drives the bare loops: one process a number of model threads, kept loaded between measurements."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from apps.local.program import bound_to_parent
from contracts.errors import FatalError

THREADS = (1, 2)
MODEL_THREADS = (1, 2)


@dataclass(frozen=True)
class Shape:
    """How a bare loop is run."""

    model_threads: int
    threads: int
    batch: int


@dataclass(frozen=True)
class Speed:
    """What it reached: frames a second, and processor milliseconds a frame (all threads together)."""

    fps: float
    cpu_ms: float


class BareLoop:
    """One process with the model loaded. Use as a context; idle it takes no processor time."""

    def __init__(self, folder: Path, model_threads: int, batch_sizes: Sequence[int]) -> None:
        self._command = [sys.executable, "-m", "apps.bench.bare", str(folder)]
        self._environment = os.environ | {
            "MAIRROR_PROCESSOR__MODEL_THREADS": str(model_threads),
            "MAIRROR_PROCESSOR__BATCH_SIZES": ",".join(map(str, batch_sizes)),
        }
        self._log = folder / f"bare-{model_threads}.log"
        self.model_threads = model_threads

    def __enter__(self) -> "BareLoop":
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                bound_to_parent(self._command),
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._line()
        return self

    def __exit__(self, *_args: object) -> None:
        self._process.terminate()
        self._process.wait(10)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def run(self, shape: Shape, seconds: float) -> Speed:
        """Measure one shape.

        Raises:
            FatalError: the process ended; with the last lines of its log.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({**asdict(shape), "seconds": seconds}) + "\n")
        self._process.stdin.flush()
        found = self._line()
        return Speed(found["frames"] / found["seconds"], found["cpu_seconds"] / found["frames"] * 1000)

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise FatalError(f"the bare loop ended: {self._log.read_text(errors='replace')[-1500:]}")
        found: dict[str, Any] = json.loads(line)
        return found


def shapes(model_threads: int, batch_sizes: Sequence[int]) -> list[Shape]:
    """Every shape of one process: threads times batch sizes."""
    return [Shape(model_threads, threads, batch) for threads in THREADS for batch in batch_sizes]
