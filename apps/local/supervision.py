"""Keeps the services running: `supervisord` as a child process, spoken to over a unix socket.

Guarantee: a service that dies is started again; and nothing outlives its parent: `setpriv --pdeathsig TERM`
stands before every service and before supervisord, so that even `kill -9` of one of them leaves no process.
Everything started here carries `STACK_DATA_DIR` in its environment, by which strays are recognised.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import xmlrpc.client
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, cast

import psutil
from supervisor.xmlrpc import SupervisorTransport

from apps.local.program import Service, bound_to_parent, render
from contracts.errors import FatalError, RetryableError

MARK = "STACK_DATA_DIR"
_SOCKET_LIMIT = 107


@dataclass(frozen=True)
class Process:
    """What supervisord says about one service."""

    name: str
    state: str
    """`running`, `starting`, `backoff`, `stopping`, `stopped`, `exited` or `fatal`."""
    pid: int | None
    uptime_seconds: float


class Supervisor:
    """supervisord of one data folder. `start` makes the caller's process its parent; the rest works from anywhere."""

    def __init__(self, data_dir: Path, directory: Path) -> None:
        """`directory` is the working directory of every service."""
        self.data_dir = data_dir
        self.directory = directory
        self.socket = _runtime_dir(data_dir) / "supervisor.sock"
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, services: Iterable[Service]) -> None:
        """Write the configuration and start supervisord, which starts every `autostart` service.

        Call from a thread that lives as long as the stack: the kernel counts the thread as the parent.
        """
        self._make_runtime_dir()
        (self.data_dir / "logs").mkdir(parents=True, exist_ok=True)
        config = self._configure(services)
        self.socket.unlink(missing_ok=True)
        command = bound_to_parent([sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(config)])
        with (self.data_dir / "logs" / "supervisord.out").open("wb") as output:
            self._child = subprocess.Popen(
                command,
                cwd=self.data_dir,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, MARK: str(self.data_dir)},
                start_new_session=True,  # Ctrl-C reaches the caller only; the caller stops things in order.
            )

    def _configure(self, services: Iterable[Service]) -> Path:
        config = self.data_dir / "supervisord.conf"
        config.touch(mode=0o600)
        config.write_text(render(services, self.directory, self.socket))
        return config

    def change(self, services: Iterable[Service], gone: Iterable[str], new: Iterable[str]) -> None:
        """While supervisord runs: `services` is all of them from now on; `gone` are ended, then `new` are started.

        A name in both is started anew. Returns when what is gone has ended (it has its `stop_seconds`).
        """
        self._configure(services)
        self._call("reloadConfig")
        for name in gone:
            with suppress(xmlrpc.client.Fault):  # it was not running, or is not known any more
                self._call("stopProcessGroup", name)
            with suppress(xmlrpc.client.Fault):
                self._call("removeProcessGroup", name)
        for name in new:
            with suppress(xmlrpc.client.Fault):  # an attempt that was broken off had added it
                self._call("addProcessGroup", name)
            with suppress(xmlrpc.client.Fault):  # it runs, or could not: its state says so
                self.start_service(name)

    @property
    def pid(self) -> int | None:
        """Process id of the supervisord that this object started."""
        return self._child.pid if self._child else None

    def died(self) -> int | None:
        """Exit status of the supervisord that this object started, None while it runs."""
        return self._child.poll() if self._child else None

    def processes(self) -> dict[str, Process]:
        """State of every service; empty when no supervisord answers."""
        try:
            answer = cast(list[dict[str, Any]], self._call("getAllProcessInfo"))
        except RetryableError:
            return {}
        return {entry["name"]: _process(entry) for entry in answer}

    def start_service(self, name: str) -> None:
        """Start one service that is not running."""
        self._call("startProcess", name, False)

    def stop_service(self, name: str) -> None:
        """Send SIGTERM to one service, SIGKILL after its `stop_seconds`; returns at once."""
        try:
            self._call("stopProcess", name, False)
        except xmlrpc.client.Fault as fault:
            if "NOT_RUNNING" not in fault.faultString:
                raise

    def shutdown(self) -> None:
        """Ask supervisord to stop everything and end; returns at once, also when none is there."""
        try:
            self._call("shutdown")
        except RetryableError:
            return

    def wait(self, timeout: float) -> bool:
        """Wait for the supervisord that this object started to end; False when it still runs, seconds."""
        if self._child is None:
            return True
        try:
            self._child.wait(max(timeout, 0.0))
        except subprocess.TimeoutExpired:
            return False
        return True

    def strays(self) -> list[psutil.Process]:
        """Every process of this data folder's stack, found by the mark in its environment."""
        return [process for process in psutil.process_iter() if _mark(process) == str(self.data_dir)]

    def forget(self) -> None:
        """Remove the socket's folder: nothing runs any more."""
        shutil.rmtree(self.socket.parent, ignore_errors=True)

    def _call(self, method: str, *arguments: object) -> object:
        transport = SupervisorTransport(serverurl=f"unix://{self.socket}")
        proxy = xmlrpc.client.ServerProxy("http://localhost", transport=transport)
        try:
            return cast(object, getattr(proxy.supervisor, method)(*arguments))
        except (OSError, HTTPException, xmlrpc.client.ProtocolError) as error:
            raise RetryableError(f"supervisord does not answer on {self.socket}: {error}") from error
        finally:
            transport.close()

    def _make_runtime_dir(self) -> None:
        folder = self.socket.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = folder.stat()
        if owner.st_uid != os.getuid() or owner.st_mode & 0o077:
            raise FatalError(f"{folder} belongs to somebody else or is open to others: remove it and try again")
        if len(str(self.socket)) > _SOCKET_LIMIT:
            raise FatalError(f"{self.socket} is too long for a socket: set XDG_RUNTIME_DIR to a shorter folder")


def _runtime_dir(data_dir: Path) -> Path:
    """A short folder for the socket: its path may have 107 characters, a data folder's may have more."""
    digest = hashlib.sha256(str(data_dir).encode()).hexdigest()[:12]
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    return Path(base) / f"mairror-{os.getuid()}-{digest}"


def _process(entry: Mapping[str, Any]) -> Process:
    alive = bool(entry["pid"])
    return Process(
        name=str(entry["name"]),
        state=str(entry["statename"]).lower(),
        pid=int(entry["pid"]) if alive else None,
        uptime_seconds=float(entry["now"] - entry["start"]) if alive else 0.0,
    )


def _mark(process: psutil.Process) -> str | None:
    try:
        return None if process.status() == psutil.STATUS_ZOMBIE else process.environ().get(MARK)
    except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
        return None  # Gone meanwhile, or somebody else's.
