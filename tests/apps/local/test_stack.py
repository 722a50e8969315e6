"""The stack: the real broker and store under the real supervisor, with services that only answer `/readyz`."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from apps.local import broker, store
from apps.local.folder import Folder, StackState
from apps.local.services import BROKER, SERVICES, STORE, TOPICS, Row
from apps.local.stack import Stack
from apps.local.supervision import Supervisor
from contracts.errors import FatalError
from contracts.settings import Settings
from tests.services import wait_for

STUB = Path(__file__).with_name("stub_service.py")
DOWN_SECONDS = 10.0


def _rows(free_port: Callable[[], int], record: Path) -> tuple[Row, ...]:
    return (
        Row("early", free_port(), arguments=(str(STUB),)),
        Row("late", free_port(), after=(STORE, TOPICS), address="url", arguments=(str(STUB), str(record))),
    )


class Progress:
    """What a person would have seen."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, text: str, fraction: float | None) -> None:
        self.lines.append(text)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("MAIRROR_KAFKA__BOOTSTRAP", raising=False)
    monkeypatch.delenv("MAIRROR_MONGO__URI", raising=False)
    return Settings(data=tmp_path / "a data folder, 100% ours".replace(",", " -"))


@pytest.fixture
def stack(settings: Settings, free_port: Callable[[], int], tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(settings, _rows(free_port, tmp_path / "environment.json"))
    yield stack
    stack.down()


def test_from_nothing_to_ready_to_nothing_and_again(stack: Stack, tmp_path: Path) -> None:
    first = Progress()
    state = stack.up(first)

    assert state.ready
    assert set(state.services) == {"broker", "store", "early", "late"}
    assert all(service.ready and service.state in {"starting", "running"} for service in state.services.values())
    assert broker.ready(state.bootstrap)
    assert store.ready(state.mongo_uri)
    assert first.lines.index("topics ready") < first.lines.index("late ready")
    given = json.loads((tmp_path / "environment.json").read_text())
    assert given["MAIRROR_KAFKA__BOOTSTRAP"] == state.bootstrap
    assert given["MAIRROR_MONGO__URI"] == state.mongo_uri
    assert given["MAIRROR_DATA"] == state.data_dir == str(stack.folder.path)
    assert state.url == f"http://127.0.0.1:{given['MAIRROR_WEB__PORT']}"
    written = json.loads((stack.folder.path / "state.json").read_text())
    assert {"ready", "url", "gateway_url", "bootstrap", "mongo_uri", "data_dir", "services"} <= written.keys()
    assert written["services"]["late"].keys() >= {"state", "pid", "port", "ready"}

    began = time.monotonic()
    stack.down()
    assert time.monotonic() - began < DOWN_SECONDS
    assert stack.supervisor.strays() == []
    assert not (stack.folder.path / "state.json").exists()

    again = stack.up(Progress())
    assert again.ready
    status = Stack(stack.settings, stack.rows).status()
    assert status.ready
    assert all(service.pss_mb > 1 for service in status.services.values())


@pytest.mark.parametrize("name", ["broker", "late"])
def test_killed_service_is_started_again(stack: Stack, name: str) -> None:
    state = stack.up(Progress())
    before = state.services[name].pid
    assert before is not None
    until, seen = threading.Event(), Progress()
    os.kill(before, signal.SIGKILL)

    def mended() -> bool:
        now = stack.supervisor.processes()[name].pid
        return now is not None and now != before and stack.status().services[name].ready

    watcher = threading.Thread(target=stack.watch, args=(seen, until))
    watcher.start()
    try:
        wait_for(mended, 30, f"{name} is ready again")
        wait_for(lambda: any(f"{name} was restarted" in line for line in seen.lines), 5, "the restart is told")
        wait_for(lambda: stack.status().services[name].restarts == 1, 5, "the restart is counted")
    finally:
        until.set()
        watcher.join()


def test_killed_supervisor_takes_everything_along_and_is_started_again(stack: Stack) -> None:
    state = stack.up(Progress())
    old = {service.pid for service in state.services.values()}
    assert stack.supervisor.pid is not None
    os.kill(stack.supervisor.pid, signal.SIGKILL)
    until = threading.Event()
    seen = Progress()

    def when_ready() -> None:
        wait_for(lambda: "late ready" in seen.lines, 60, "everything is ready again")
        until.set()

    observer = threading.Thread(target=when_ready)
    observer.start()
    stack.watch(seen, until)
    observer.join()
    new = stack.status()
    assert new.ready
    assert not old & {service.pid for service in new.services.values()}
    assert not any(psutil.pid_exists(pid) for pid in old if pid)


RUN = """
import sys
from pathlib import Path
from apps.local.services import Row
from apps.local.stack import Stack
from contracts.settings import load_settings
from contracts.telemetry import configure_logging
from tests.services import wait_for
configure_logging(load_settings(), "up")
row = Row("early", int(sys.argv[1]), arguments=(sys.argv[2],))
Stack(load_settings(), (row,)).run(lambda text, fraction: None, lambda state: print("ready", flush=True))
"""


def _environment(settings: Settings) -> dict[str, str]:
    return {**os.environ, "MAIRROR_DATA": str(settings.data), "PYTHONPATH": os.getcwd()}


@pytest.fixture
def other(settings: Settings, free_port: Callable[[], int]) -> Iterator[subprocess.Popen[str]]:
    """`mairror up` in a process of its own, ready."""
    command = [sys.executable, "-c", RUN, str(free_port()), str(STUB)]
    process = subprocess.Popen(command, env=_environment(settings), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.stdout.close()
        process.wait(10)
        Stack(settings).stop()


def _supervisor(settings: Settings) -> Supervisor:
    return Stack(settings).supervisor


def test_killing_up_leaves_no_process_and_the_next_up_works(
    other: subprocess.Popen[str], settings: Settings, stack: Stack
) -> None:
    strays = _supervisor(settings).strays()
    assert len(strays) >= 4
    other.kill()
    wait_for(lambda: not _supervisor(settings).strays(), DOWN_SECONDS, "no process is left")
    assert not stack.status().ready
    assert stack.up(Progress()).ready


def test_second_up_is_refused_and_stop_works_from_outside(
    other: subprocess.Popen[str], settings: Settings, stack: Stack
) -> None:
    command = [sys.executable, "-c", RUN, str(stack.rows[0].port), str(STUB)]
    second = subprocess.run(
        command, env=_environment(settings), capture_output=True, text=True, timeout=60, check=False
    )
    assert second.returncode == 1
    assert f"already runs in {stack.folder.path} (process {other.pid})" in second.stderr
    stack.down()
    with pytest.raises(FatalError, match="mairror stop"):
        stack.reset()
    assert stack.status().ready
    began = time.monotonic()
    assert stack.stop()
    assert time.monotonic() - began < DOWN_SECONDS
    assert other.wait(5) == 0
    assert _supervisor(settings).strays() == []
    assert not stack.stop()
    stack.reset()
    assert not settings.data.exists()


def test_ctrl_c_stops_everything(other: subprocess.Popen[str], settings: Settings) -> None:
    began = time.monotonic()
    other.send_signal(signal.SIGINT)
    assert other.wait(DOWN_SECONDS) == 0
    assert time.monotonic() - began < DOWN_SECONDS
    assert _supervisor(settings).strays() == []


def test_service_that_ignores_sigterm_is_killed_in_time(
    settings: Settings, free_port: Callable[[], int], tmp_path: Path
) -> None:
    deaf = tmp_path / "deaf.py"
    deaf.write_text("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + STUB.read_text())
    stack = Stack(settings, (Row("deaf", free_port(), arguments=(str(deaf),)),))
    stack.up(Progress())
    began = time.monotonic()
    stack.down()
    assert time.monotonic() - began < DOWN_SECONDS
    assert stack.supervisor.strays() == []


@pytest.fixture
def servers_elsewhere(settings: Settings, kafka: str, mongo_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names the servers of the test run: the stack starts none of its own."""
    monkeypatch.setenv("MAIRROR_KAFKA__BOOTSTRAP", kafka)
    monkeypatch.setenv("MAIRROR_MONGO__URI", mongo_uri)


def test_service_that_cannot_start_is_named_with_its_last_words(
    servers_elsewhere: None, settings: Settings, free_port: Callable[[], int], tmp_path: Path
) -> None:
    settings = Settings(data=settings.data)
    broken = tmp_path / "broken.py"
    broken.write_text("raise SystemExit('no model here')")
    stack = Stack(settings, (Row("broken", free_port(), arguments=(str(broken),)),))
    with pytest.raises(FatalError, match=r"(?s)broken keeps dying.*no model here"):
        stack.up(Progress())
    assert stack.supervisor.strays() == []
    assert stack.folder.owner() is None


def test_busy_port_is_told_and_moved(
    servers_elsewhere: None, settings: Settings, free_port: Callable[[], int], tmp_path: Path
) -> None:
    stack = Stack(Settings(data=settings.data), _rows(free_port, tmp_path / "environment.json"))
    wanted = stack.rows[0].port
    with socket.create_server(("127.0.0.1", wanted)):
        seen = Progress()
        state = stack.up(seen)
        stack.down()
    moved = state.services["early"].port
    assert moved != wanted
    assert f"port {wanted} is busy: early takes {moved}" in seen.lines


def test_named_servers_are_used_and_none_is_started(
    servers_elsewhere: None, settings: Settings, free_port: Callable[[], int], kafka: str, mongo_uri: str
) -> None:
    given = Settings(data=settings.data)
    stack = Stack(given, (Row("early", free_port(), after=(STORE, TOPICS), arguments=(str(STUB),)),))
    try:
        state: StackState = stack.up(Progress())
        assert (state.bootstrap, state.mongo_uri) == (kafka, mongo_uri)
        assert set(state.services) == {"early"}
    finally:
        stack.down()
    assert broker.ready(kafka)


def test_every_service_of_the_table_has_its_own_name_and_port() -> None:
    assert len({row.name for row in SERVICES}) == len({row.port for row in SERVICES}) == len(SERVICES)
    assert {name for row in SERVICES for name in row.after} <= {STORE, TOPICS, BROKER} | {row.name for row in SERVICES}


def test_only_a_data_folder_is_used_or_removed(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("keep me")
    folder = Folder(tmp_path)
    with pytest.raises(FatalError, match="not a Mairror data folder"):
        folder.claim()
    with pytest.raises(FatalError, match="not a Mairror data folder"):
        folder.remove()
    assert (tmp_path / "letter.txt").read_text() == "keep me"
