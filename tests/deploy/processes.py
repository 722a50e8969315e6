"""Runs what a deployment file describes as processes on this machine: exact arguments, exact environment.

Replaced are only addresses, ports and folders, because no container is around the process; and only packages of the
image's lock can be imported. Each process writes to one file and ends with its test.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from contracts.settings import PREFIX
from tests.deploy.check import ROOT
from tests.services import Service

RUNNER = ROOT / "tests" / "deploy" / "image_python.py"
KEPT = ("PATH", "LANG", "LC_ALL", "TZ")
"""What a process here takes from the machine; everything else is the container's own."""


# A root file system that is read-only, a tmpfs on /tmp, no capabilities, no new privileges: compose's `read_only`,
# `tmpfs`, `cap_drop` and `no-new-privileges`. A checkout below /tmp stays visible.
CONTAINED = """
set -e
mount --make-rprivate /
case "$1" in /tmp/*) mount --bind "$1" /media ;; esac
mount -t tmpfs -o size=256m,mode=1777 tmpfs /tmp
case "$1" in /tmp/*) mkdir -p "$1"; mount --bind /media "$1"; mount -o remount,bind,ro "$1" ;; esac
mount -o remount,bind,ro /
if touch /.written 2>/dev/null; then echo "the root file system is writable" >&2; exit 99; fi
shift
exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs -- "$@"
"""


def contained(line: Sequence[str]) -> list[str]:
    """The same command as if in a hardened container; it needs root, to make its own mounts."""
    return ["unshare", "--mount", "sh", "-c", CONTAINED, "sh", str(ROOT), *line]


def command(target: str, arguments: Sequence[str]) -> list[str]:
    """The command line of an image's entry point."""
    lock = ROOT / "docker" / "requirements" / f"{target}.lock"
    return [sys.executable, str(RUNNER), str(lock), *arguments]


def environment(written: Mapping[str, str], replaced: Mapping[str, str]) -> dict[str, str]:
    """The container's environment; `replaced` maps a piece of a value to what stands for it here."""
    found = {}
    for key, value in written.items():
        for old, new in replaced.items():
            value = value.replace(old, new)
        found[key] = value
    found.pop("PATH", None)  # of the image: its virtual environment
    return found


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
    *,
    hardened: bool = False,
) -> Process:
    """A process that is not started yet."""
    line = command(target, arguments)
    return Process(contained(line) if hardened else line, dict(env), port, folder / f"{name}.log")
