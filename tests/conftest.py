"""Fixtures every test folder shares: a real broker and a real store, started from the same specs as `mairror up`."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from apps.local.broker import BrokerSpec
from apps.local.java import Jars, fetch_jars
from apps.local.ports import choose
from apps.local.server import Server
from apps.local.store import StoreSpec
from contracts.settings import Settings

# Away from the ports people use and from the kernel's own range; test runs at the same time begin apart.
FIRST_PORT = 20_000 + os.getpid() % 400 * 25


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """A function that gives a free port on 127.0.0.1, never the same one twice."""
    taken: set[int] = set()
    return lambda: choose(FIRST_PORT, taken)


@pytest.fixture(scope="session")
def jars() -> Jars:
    """The jars of broker and store, fetched on first use into the user's cache."""
    return fetch_jars(Settings().cache, lambda text, fraction: None)


def _broker(folder: Path, jars: Jars, free_port: Callable[[], int]) -> Server:
    # Retention is looked at every second, so that tests of it need not wait for minutes.
    return Server.broker(BrokerSpec(folder, free_port(), free_port(), jars, heap_mb=320, retention_check_ms=1000))


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory, jars: Jars, free_port: Callable[[], int]) -> Iterator[str]:
    """Bootstrap address of a real broker for the whole test run. Use topics of your own."""
    server = _broker(tmp_path_factory.mktemp("kafka"), jars, free_port)
    server.start()
    yield server.address
    server.stop()


@pytest.fixture
def restartable_broker(tmp_path: Path, jars: Jars, free_port: Callable[[], int]) -> Iterator[Server]:
    """A broker of this test alone, started; it may be stopped, killed and started again on its data and port."""
    server = _broker(tmp_path / "kafka", jars, free_port)
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def mongo_uri(tmp_path_factory: pytest.TempPathFactory, jars: Jars, free_port: Callable[[], int]) -> Iterator[str]:
    """Connection string of a real store for the whole test run. Use a database of your own."""
    server = Server.store(StoreSpec(tmp_path_factory.mktemp("store"), free_port(), jars))
    server.start()
    yield server.address
    server.stop()


@pytest.fixture
def restartable_store(tmp_path: Path, jars: Jars, free_port: Callable[[], int]) -> Iterator[Server]:
    """A store of this test alone, started; it may be stopped, killed and started again on its data and port."""
    server = Server.store(StoreSpec(tmp_path / "store", free_port(), jars))
    server.start()
    yield server
    server.kill()
