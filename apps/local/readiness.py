"""Truly ready: the broker serves every partition, the store answers a ping, a service says 200 on `/readyz`."""

import http.client
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from apps.local import broker, store
from apps.local.folder import StackState
from apps.local.plan import Plan
from apps.local.ports import HOST
from apps.local.resolver import Progress
from apps.local.services import BROKER, STORE, TOPICS
from apps.local.supervision import Process, Supervisor
from contracts.admin import apply_topics
from contracts.errors import FatalError
from contracts.kafka import KafkaSettings
from contracts.settings import Settings, given

START_SECONDS = 180.0
"""How long the slowest machine may take to start everything."""
MOST_DEATHS = 5
"""A service that dies this often before it is ready will not become ready."""
POLL_SECONDS = 0.1
TOPICS_SHARE = 0.8
"""Share of the data folder's cap the topics may fill; the store and the logs have the rest."""

Check = Callable[[], bool]


def answers(port: int) -> bool:
    """Does `GET /readyz` on this port of 127.0.0.1 say 200?"""
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def now(state: StackState, settings: Settings) -> dict[str, bool]:
    """Readiness of every service of a running stack, asked at the same time."""
    kafka = settings.kafka.model_copy(update={"bootstrap": state.bootstrap})
    checks = {name: _check(name, service.port, kafka, state.mongo_uri) for name, service in state.services.items()}
    if not checks:
        return {}
    with ThreadPoolExecutor(len(checks)) as pool:
        return dict(zip(checks, pool.map(lambda check: check(), checks.values()), strict=True))


def reach(plan: Plan, supervisor: Supervisor, settings: Settings, progress: Progress) -> None:
    """Start what waits for something else as soon as that is ready; return when everything is.

    Raises:
        FatalError: supervisord died, a service keeps dying, or 180 s were not enough; with the log's last lines.
    """
    own = {} if given("MAIRROR_KAFKA__BOOTSTRAP") else {"total_gb": settings.data_cap_gb * TOPICS_SHARE}
    kafka = settings.kafka.model_copy(update={"bootstrap": plan.bootstrap, **own})
    names = dict.fromkeys([BROKER, STORE, *plan.names])
    checks: dict[str, Check] = {TOPICS: _Topics(kafka)} | {
        name: _check(name, plan.ports.get(name), kafka, plan.mongo_uri) for name in names
    }
    waiting = {TOPICS: {BROKER}} | {
        service.name: set(service.after) for service in plan.services if not service.autostart
    }
    progress(f"starting {', '.join(plan.names)}", 0.0)
    ready: set[str] = set()
    deaths = _Deaths(supervisor)
    deadline = time.monotonic() + START_SECONDS
    while len(ready) < len(checks):
        deaths.look()
        for name in [name for name, after in waiting.items() if after <= ready]:
            del waiting[name]
            if name != TOPICS:
                supervisor.start_service(name)
        for name in checks.keys() - ready - waiting.keys():
            if not checks[name]():
                continue
            ready.add(name)
            progress(f"{name} ready", len(ready) / len(checks))
        if time.monotonic() > deadline:
            missing = sorted(checks.keys() - ready)
            raise FatalError(
                f"not ready after {START_SECONDS:.0f} s: {', '.join(missing)}. {deaths.last_words(missing)}"
            )
        time.sleep(POLL_SECONDS)


class _Topics:
    """Applies the topic table on the first look; true when every partition is served.

    A leader is named in the metadata a moment before it serves.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._applied = False

    def __call__(self) -> bool:
        if not self._applied:
            apply_topics(self._kafka)
            self._applied = True
        return broker.ready(self._kafka)


def _check(name: str, port: int | None, kafka: KafkaSettings, mongo_uri: str) -> Check:
    if name == BROKER:
        return partial(broker.ready, kafka)
    return partial(store.ready, mongo_uri, port) if name == STORE else partial(answers, port or 0)


class _Deaths:
    """Counts how often each service died during a start."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._last: dict[str, Process] = {}
        self._counts: dict[str, int] = {}

    def look(self) -> None:
        """Raises FatalError when supervisord or, for good, a service died."""
        status = self._supervisor.died()
        logs = self._supervisor.data_dir / "logs"
        if status is not None:
            raise FatalError(f"supervisord ended with status {status}: {_tail(logs / 'supervisord.out')}")
        for process in self._supervisor.processes().values():
            before = self._last.get(process.name)
            self._last[process.name] = process
            if before is not None and before.pid is not None and process.pid != before.pid:
                self._counts[process.name] = self._counts.get(process.name, 0) + 1
            if self._counts.get(process.name, 0) >= MOST_DEATHS or process.state == "fatal":
                raise FatalError(f"{process.name} keeps dying while it starts. {self.last_words([process.name])}")

    def last_words(self, names: list[str]) -> str:
        """The last log lines of the services named."""
        logs = self._supervisor.data_dir / "logs"
        files = {name: logs / f"{name}.log" for name in names}
        return " ".join(
            f"Last lines of {path}: {_tail(path)}" if path.exists() else f"{name}: no answer from the server you named."
            for name, path in files.items()
        )


def _tail(path: Path, size: int = 600) -> str:
    return path.read_text(errors="replace")[-size:].strip() or "(empty)"
