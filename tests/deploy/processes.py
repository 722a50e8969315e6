"""Runs what a deployment file describes as processes on this machine: exact arguments, exact environment.

Replaced are only addresses, ports and folders, because no container is around the process; and only packages of the
image's lock can be imported. Each process writes to one file and ends with its test.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from contracts.settings import PREFIX
from tests.deploy.check import ROOT
from tests.services import Service

RUNNER = ROOT / "tests" / "deploy" / "image_python.py"
KEPT = ("PATH", "LANG", "LC_ALL", "TZ")
"""What a process here takes from the machine; everything else is the container's own."""


def command(target: str, arguments: Sequence[str]) -> list[str]:
    """The command line of an image's entry point."""
    lock = ROOT / "docker" / "requirements" / f"{target}.lock"
    return [sys.executable, str(RUNNER), str(lock), *arguments]


def environment(written: Mapping[str, str], replaced: Mapping[str, str], home: Path) -> dict[str, str]:
    """The container's environment; `replaced` maps a piece of a value to what stands for it here."""
    found = {}
    for key, value in written.items():
        for old, new in replaced.items():
            value = value.replace(old, new)
        found[key] = value
    found.pop("PATH", None)  # of the image: its virtual environment
    return found | {"HOME": str(home)}


class Process(Service):
    """A service that inherits nothing of the test's own environment."""

    def start(self, *, ready: bool = True, seconds: float = 90, **extra: str) -> "Process":
        """Start, and wait until it is ready."""
        leaked = [key for key in os.environ if key.startswith(PREFIX)]
        assert not leaked, f"the test's own environment would reach the process: {leaked}"
        super().start(ready=ready, seconds=seconds, **extra)
        return self

    def healthy(self) -> bool:
        """As the image's health check sees it."""
        check = [sys.executable, str(ROOT / "docker" / "healthy.py")]
        env = {key: os.environ[key] for key in KEPT if key in os.environ} | {"MAIRROR_WEB__PORT": str(self.port)}
        return subprocess.run(check, env=env, capture_output=True, timeout=20, check=False).returncode == 0


def run_once(target: str, arguments: Sequence[str], env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """A job: runs to its end."""
    inherited = {key: os.environ[key] for key in KEPT if key in os.environ}
    return subprocess.run(
        command(target, arguments), env=inherited | dict(env), capture_output=True, text=True, timeout=120, check=False
    )


def make(
    name: str,
    target: str,
    arguments: Sequence[str],
    env: Mapping[str, str],
    port: int,
    folder: Path,
) -> Process:
    """A process that is not started yet."""
    return Process(command(target, arguments), dict(env), port, folder / f"{name}.log")


Ports = Callable[[], int]
