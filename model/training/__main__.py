"""`python -m model.training CONFIG`: one training run in plain lines. `mairror train CONFIG` is the same in colour."""

import argparse
import sys
import time
from pathlib import Path
from typing import Final

from contracts.settings import load_settings
from model.training.running import train

EVERY: Final = 20.0
"""Seconds between two lines of progress."""


class PlainWatcher:
    """Writes lines on stderr, progress at most every `EVERY` seconds."""

    def __init__(self) -> None:
        self._last = 0.0

    def step(self, text: str, done: int, total: int) -> None:
        """A line now and then."""
        now = time.monotonic()
        if now - self._last >= EVERY or done == total:
            self._last = now
            self.say(f"{text}: {done} of {total}")

    def say(self, text: str) -> None:
        """A line with the time."""
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
        sys.stderr.flush()


def main() -> None:
    """Read the arguments, train."""
    parser = argparse.ArgumentParser(prog="python -m model.training", description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--cache", type=Path, help="where chips, checkpoints and weights go; default: Mairror's cache")
    arguments = parser.parse_args()
    train(arguments.config, arguments.cache or load_settings().cache, PlainWatcher())


if __name__ == "__main__":
    main()
