"""One server by itself, without the stack: for tests and drills that stop, kill and restart it.

Guarantee: `start` returns when the server is ready; the server ends when its starter does.
"""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from apps.local import broker, store
from apps.local.broker import BrokerSpec
from apps.local.program import bound_to_parent
from apps.local.store import StoreSpec
from contracts.errors import FatalError

READY_SECONDS = 90.0
STOP_SECONDS = 30.0


class Server:
    """A server process with an `address` that stays the same over restarts."""

    def __init__(self, address: str, command: list[str], ready: Callable[[], bool], log: Path) -> None:
        self.address = address
        self._command = command
        self._ready = ready
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def broker(cls, spec: BrokerSpec) -> "Server":
        """A broker, prepared and not started; its address is the bootstrap address."""
        spec.prepare()
        return cls(spec.bootstrap, spec.command(), lambda: broker.ready(spec.bootstrap), spec.log_dir / "broker.log")

    @classmethod
    def store(cls, spec: StoreSpec) -> "Server":
        """A store, prepared and not started; its address is the connection string."""
        spec.prepare()
        return cls(spec.uri, spec.command(), lambda: store.ready(spec.uri, spec.port), spec.data_dir / "store.log")

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start and wait until it is ready. The calling thread must live as long as the server should.

        Raises:
            FatalError: it ended, or was not ready after 90 s; with the last lines of its log.
        """
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                bound_to_parent(self._command), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + READY_SECONDS
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise FatalError(f"{self._command[-1]} did not become ready: {self._log.read_text()[-1000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """SIGTERM, and wait until it is gone; nothing happens when it does not run."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone; nothing happens when it does not run."""
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(STOP_SECONDS)
            self._process = None
