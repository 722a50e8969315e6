"""`make test`: two test runs side by side, each with a broker and a store of its own, then the browser alone.

Starting processes leaves a core idle half of the time, so two runs need little more time than one. What a browser
shows is timed to milliseconds: nothing else runs beside it. Every group runs to its end, whatever another one found.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

TOGETHER = {"kafka": ["tests/kafka"], "rest": ["tests/apps", "tests/unit", "tests/deploy"]}
ALONE = {"browser": ["tests/browser"]}
PYTEST = [sys.executable, "-u", "-m", "pytest", "--durations=15", "--durations-min=3"]


def run(groups: dict[str, list[str]], options: Sequence[str]) -> dict[str, int]:
    """Exit status of every group; all of them run at the same time."""
    with ThreadPoolExecutor(len(groups)) as pool:
        return dict(zip(groups, pool.map(lambda name: _one(name, groups[name], options), groups), strict=True))


def _one(name: str, paths: list[str], options: Sequence[str]) -> int:
    began = time.monotonic()
    with subprocess.Popen([*PYTEST, *options, *paths], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            # bytes: a failing test may print anything
            sys.stdout.buffer.write(f"{name:>7} | ".encode() + line)
            sys.stdout.buffer.flush()
    print(f"{name:>7} | took {time.monotonic() - began:.0f} s, status {process.returncode}", flush=True)
    return process.returncode


def main() -> int:
    """0 when every group passed."""
    options = sys.argv[1:]
    ended = run(TOGETHER, options) | run(ALONE, options)
    failed = [name for name, status in ended.items() if status]
    print(f"failed: {', '.join(failed)}" if failed else "every group passed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
