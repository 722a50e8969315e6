"""A process of the system under test: started, asked, stopped, killed."""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll a condition of another process."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


class Service:
    """One process of the system, with its log and its port."""

    def __init__(self, command: list[str], environment: dict[str, str], port: int, log: Path) -> None:
        self._command, self._environment, self.port, self._log = command, environment, port, log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, ready: bool = True, seconds: float = 60, **extra: str) -> "Service":
        environment = os.environ | self._environment | {"MAIRROR_WEB__PORT": str(self.port)} | extra
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command, env=environment, stdout=log, stderr=log)
        if ready:
            wait_for(self.is_ready, seconds, f"{self._command} ready, see {self._log}: {self.log()[-2000:]}")
        return self

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.log()[-3000:]}"
        return self.get("/readyz")[0] == 200

    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self, seconds: float = 15) -> int:
        assert self.process is not None
        if self.running:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
