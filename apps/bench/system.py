"""A whole Mairror of the bench's own, in a temporary folder: broker, store, processor, and the sink on demand."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from apps.local import ports
from apps.local.broker import BrokerSpec
from apps.local.java import fetch_jars
from apps.local.program import bound_to_parent
from apps.local.readiness import answers
from apps.local.resolver import Progress
from apps.local.server import Server
from apps.local.store import StoreSpec, found_mongod
from contracts.admin import apply_topics
from contracts.errors import FatalError
from contracts.settings import Settings

FIRST_PORT = 31_000
READY_SECONDS = 120.0
STOP_SECONDS = 15.0


class System:
    """Use as a context: on leaving, every process is stopped. One thread owns it.

    Args:
        folder: empty folder for data and logs.
        settings: the model, processor and cache to use; its servers are replaced by this system's own.
    """

    def __init__(self, folder: Path, settings: Settings, progress: Progress) -> None:
        self._folder, self._progress, self._taken = folder, progress, set[int]()
        jars = fetch_jars(settings.cache, progress)
        broker = BrokerSpec(folder / "kafka", self._port(), self._port(), jars)
        store = StoreSpec(folder / "store", self._port(), jars, mongod=found_mongod())
        self.servers = {"broker": Server.broker(broker), "store": Server.store(store)}
        kafka = settings.kafka.model_copy(update={"bootstrap": broker.bootstrap})
        mongo = settings.mongo.model_copy(update={"uri": store.uri})
        self.settings = settings.model_copy(update={"kafka": kafka, "mongo": mongo})
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def _port(self) -> int:
        return ports.choose(FIRST_PORT, self._taken)

    def __enter__(self) -> Self:
        try:
            for name, server in self.servers.items():
                self._progress(f"starting the {name}", None)
                server.start()
            apply_topics(self.settings.kafka)
            self.serve("processor")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_args: object) -> None:
        self.stop()

    def serve(self, name: str) -> None:
        """Start `mairror serve NAME` and wait until it is ready.

        Raises:
            FatalError: it ended or was not ready in time; with the last lines of its log.
        """
        self._progress(f"starting the {name}", None)
        port, log = self._port(), self._folder / f"{name}.log"
        environment = os.environ | {
            "MAIRROR_KAFKA__BOOTSTRAP": self.settings.kafka.bootstrap,
            "MAIRROR_MONGO__URI": self.settings.mongo.uri,
            "MAIRROR_MODEL__PRESET": self.settings.model.preset,
            # every face of every frame, as in the bare loop it is compared with
            "MAIRROR_PROCESSOR__REUSE_MS": "0",
            "MAIRROR_WEB__PORT": str(port),
            "MAIRROR_LOG_FORMAT": "json",
        }
        command = bound_to_parent([sys.executable, "-m", "apps.cli", "serve", name])
        with log.open("ab") as output:
            process = subprocess.Popen(
                command, cwd=self._folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self._processes[name] = process
        deadline = time.monotonic() + READY_SECONDS
        while not answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise FatalError(f"{name} did not become ready: {log.read_text(errors='replace')[-1500:]}")
            time.sleep(0.05)

    def pids(self) -> dict[str, int]:
        """Process ids by name."""
        found = {name: server.pid for name, server in self.servers.items()}
        return {name: pid for name, pid in found.items() if pid} | {
            name: process.pid for name, process in self._processes.items()
        }

    def stop(self) -> None:
        """Stop everything, what was started last first."""
        for process in reversed(self._processes.values()):
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(STOP_SECONDS)
        self._processes.clear()
        for server in self.servers.values():
            server.stop()
