"""Writes a measured result with what it was measured on: commit, processor, cores.

mairror bench --json | python -m apps.bench.machine docs/results/bench.json
"""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any


def cpu_name() -> str:
    """The processor's name, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def commit() -> str:
    """The commit of the code that runs, with "+" behind it when files were changed since; "unknown" outside git."""
    command = ["git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def with_machine(figures: dict[str, Any]) -> dict[str, Any]:
    """The figures and where they come from."""
    machine = {"cpu": cpu_name(), "cores": os.cpu_count(), "python": platform.python_version()}
    return {"commit": commit(), "machine": machine, "figures": figures}


def main() -> None:
    """JSON figures from stdin into the file named."""
    target = Path(sys.argv[1])
    target.write_text(json.dumps(with_machine(json.load(sys.stdin)), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
