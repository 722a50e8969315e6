"""Times presets alone: loading, and milliseconds a face by size of the batch. What `mairror bench --model` does."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import apps
from contracts.errors import FatalError

SECONDS: Final = 300
"""Longest measurement of one preset."""

Progress = Callable[[str, float | None], None]


def time_presets(presets: Sequence[str], progress: Progress) -> list[dict[str, Any]]:
    """`model.evaluation.speed.measure` of every preset, with one thread and with as many as there are cores.

    Raises:
        FatalError: a measurement failed; the message ends with its last words.
    """
    cores = os.cpu_count() or 1
    runs = [(preset, threads) for preset in presets for threads in sorted({1, cores})]
    found = []
    for number, (preset, threads) in enumerate(runs):
        progress(f"presets: {preset}, {threads} threads", number / len(runs))
        command = [sys.executable, "-m", "model.evaluation.speed", preset, str(threads)]
        root = Path(apps.__file__).parent.parent
        done = subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=SECONDS, check=False)
        if done.returncode:
            raise FatalError(f"timing {preset} failed: {' '.join(done.stderr.strip().splitlines()[-1:])}")
        found.append(json.loads(done.stdout))
    return found
