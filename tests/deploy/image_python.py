"""Runs `mairror ARGUMENTS` as it would run in an image: only packages of that image's lock can be imported.

    python tests/deploy/image_python.py docker/requirements/gateway.lock serve gateway

Guarantee: a package the lock does not name is missing here as it is missing there, also for every process that this
one starts with `sys.executable -m` and the same environment.
"""

import importlib.metadata
import re
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType

PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==", re.M)
OURS = {"mairror", "pip", "setuptools"}


def normal(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(lock: Path) -> set[str]:
    """Names of the distributions a lock file pins."""
    return {normal(found) for found in PINNED.findall(lock.read_text())}


class OnlyLocked(MetaPathFinder):
    """Refuses top-level modules whose distributions the lock does not name."""

    def __init__(self, allowed: set[str]) -> None:
        providers = importlib.metadata.packages_distributions()
        self._refused = {
            module for module, names in providers.items() if not {normal(name) for name in names} & (allowed | OURS)
        }

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """None leaves the module to the usual finders."""
        if name.partition(".")[0] in self._refused:
            raise ModuleNotFoundError(f"No module named {name!r} (not in the image's lock)", name=name)


def main() -> None:
    """Block, then be the command line."""
    lock, arguments = Path(sys.argv[1]), sys.argv[2:]
    sys.meta_path.insert(0, OnlyLocked(locked(lock)))
    sys.argv = ["mairror", *arguments]
    from apps.cli.__main__ import main as command_line

    command_line()


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[2])
    main()
