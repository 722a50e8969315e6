"""The data folder of a stack: who owns it, how large it is, what runs in it.

Guarantee: one stack at a time per folder (a kernel lock, gone with its owner however it ends), and only a
folder that a stack made is ever removed.
"""

import fcntl
import os
import shutil
from pathlib import Path
from typing import IO

import msgspec

from contracts.errors import FatalError
from producers.cameras import FILE as CAMERAS

MARKER = ".mairror-data"
MB = 1_000_000


class ServiceState(msgspec.Struct):
    """One process of the stack. Memory counts its children; `pss_mb` shares shared pages out."""

    state: str
    pid: int | None = None
    port: int | None = None
    ready: bool = False
    uptime_seconds: float = 0.0
    restarts: int = 0
    rss_mb: float = 0.0
    pss_mb: float = 0.0


class CameraState(ServiceState):
    """One camera of `cameras.toml`. `state`: `playing`, `waiting`, or supervisord's word; no password in `source`."""

    source: str = ""
    detail: str = ""
    """What it waits for; empty while it plays."""


class StackState(msgspec.Struct):
    """What `mairror up` and `mairror status` print."""

    ready: bool
    url: str | None
    gateway_url: str | None
    bootstrap: str
    mongo_uri: str
    data_dir: str
    services: dict[str, ServiceState]
    data_mb: float = 0.0
    data_cap_mb: float = 0.0
    cameras: dict[str, CameraState] = msgspec.field(default_factory=dict)
    camera_problems: list[str] = msgspec.field(default_factory=list)
    """What is wrong in `cameras.toml`; the rest of it plays."""


class Folder:
    """A data folder; `path` is absolute."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self._lock: IO[str] | None = None

    def claim(self) -> None:
        """Make the folder if needed and become its only owner.

        Raises:
            FatalError: another stack runs here, or the folder is somebody else's.
        """
        if not self.is_free():
            raise FatalError(f"{self.path} is not empty and not a Mairror data folder: set MAIRROR_DATA to another one")
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.path / MARKER).touch()
        lock = (self.path / "up.lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise FatalError(
                f"Mairror already runs in {self.path} (process {self.owner()}): see `mairror status`, `mairror stop`"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    @property
    def is_claimed(self) -> bool:
        """Is this object the owner?"""
        return self._lock is not None

    def release(self) -> None:
        """Give the folder up; nothing happens when it was not claimed."""
        if self._lock is not None:
            self._lock.truncate(0)
            self._lock.close()
            self._lock = None

    def owner(self) -> int | None:
        """Process id of the stack that runs in the folder, None when there is none."""
        try:
            with (self.path / "up.lock").open() as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(lock.read() or 0)
        except FileNotFoundError:
            return None
        return None

    def is_ours(self) -> bool:
        """Did a stack make this folder?"""
        return (self.path / MARKER).exists()

    def is_free(self) -> bool:
        """May a stack be here? Not where somebody else's files lie; a list of cameras may be there before the stack."""
        if self.is_ours() or not self.path.exists():
            return True
        return self.path.is_dir() and all(entry.name == CAMERAS for entry in self.path.iterdir())

    def remove(self) -> None:
        """Delete the folder and all data in it; a list of cameras stays, somebody wrote it.

        Raises:
            FatalError: a stack runs in it, or no stack made it.
        """
        if not self.path.exists():
            return
        if not self.is_ours():
            raise FatalError(f"{self.path} is not a Mairror data folder (no {MARKER} in it): not removed")
        if (owner := self.owner()) is not None:
            raise FatalError(f"Mairror runs in {self.path} (process {owner}): `mairror stop` first")
        for entry in self.path.iterdir():
            if entry.name == CAMERAS:
                continue
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        if not any(self.path.iterdir()):
            self.path.rmdir()

    def size_bytes(self) -> int:
        """Bytes on disk. Files may vanish while they are counted."""
        total = 0
        for folder, _, names in os.walk(self.path):
            for name in names:
                try:
                    total += os.lstat(os.path.join(folder, name)).st_blocks * 512
                except FileNotFoundError:
                    continue
        return total

    def write_state(self, state: StackState) -> None:
        """Publish the state to other processes, whole or not at all."""
        staging = self.path / ".state.json"
        staging.write_bytes(msgspec.json.format(msgspec.json.encode(state)))
        staging.rename(self.path / "state.json")

    def read_state(self) -> StackState | None:
        """The state of the stack that runs here, None when there is none."""
        try:
            return msgspec.json.decode((self.path / "state.json").read_bytes(), type=StackState)
        except FileNotFoundError:
            return None

    def forget_state(self) -> None:
        """Nothing runs here any more."""
        (self.path / "state.json").unlink(missing_ok=True)
