"""Fixtures every test folder shares: a real broker, a real store, a real processor and a real sink.

Servers are started from the same specs as `mairror up`.
"""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from apps.local.broker import BrokerSpec
from apps.local.java import Jars, fetch_jars
from apps.local.ports import choose
from apps.local.server import Server
from apps.local.store import StoreSpec
from contracts.admin import apply_topics
from contracts.kafka import KafkaSettings
from contracts.settings import MongoSettings, Settings
from model.weights import fetch
from producers.sample import public_domain_pictures
from producers.sources import read_picture
from tests.services import Service

# Away from the ports people use and from the kernel's own range; test runs at the same time begin apart, also when
# their process ids are neighbours.
FIRST_PORT = 10_240 + os.getpid() % 40 * 400


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


@pytest.fixture(scope="session")
def settings(kafka: str, mongo_uri: str) -> Settings:
    """Settings of the session's broker and store; topics applied, weights fetched."""
    found = Settings(
        kafka=KafkaSettings(bootstrap=kafka),
        mongo=MongoSettings(uri=mongo_uri, database="tests"),
    )
    fetch(found.cache)
    apply_topics(found.kafka)
    return found


@pytest.fixture(scope="session")
def environment(settings: Settings) -> dict[str, str]:
    """What a process of ours needs to find the session's servers."""
    return {
        "MAIRROR_KAFKA__BOOTSTRAP": settings.kafka.bootstrap,
        "MAIRROR_MONGO__URI": settings.mongo.uri,
        "MAIRROR_MONGO__DATABASE": settings.mongo.database,
        "MAIRROR_PROCESSOR__INSTANCE": "tests-1",
        "MAIRROR_PROCESSOR__BATCH_SIZES": "1,4",  # tests start many processors; every size is compiled at start
        "MAIRROR_LOG_FORMAT": "json",
    }


@pytest.fixture(scope="session")
def _processor(
    environment: dict[str, str], free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    log = tmp_path_factory.mktemp("processor") / "processor.log"
    command = [sys.executable, "-m", "apps.cli", "serve", "processor"]
    service = Service(command, environment, free_port(), log)
    yield service
    if service.running:
        service.stop()


@pytest.fixture
def processor(_processor: Service) -> Service:
    """The session's processor, running and ready."""
    if not _processor.running:
        _processor.start()
    return _processor


@pytest.fixture(scope="session")
def _sink(
    environment: dict[str, str], free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    log = tmp_path_factory.mktemp("sink") / "sink.log"
    service = Service([sys.executable, "-m", "apps.cli", "serve", "sink-mongo"], environment, free_port(), log)
    yield service
    if service.running:
        service.stop()


@pytest.fixture
def sink(_sink: Service) -> Service:
    """The session's MongoDB sink, running and ready."""
    if not _sink.running:
        _sink.start()
    return _sink


@pytest.fixture
def no_other_sink(_sink: Service) -> None:
    """The session's sink is stopped, so that another one gets all partitions."""
    if _sink.running:
        _sink.stop()


@pytest.fixture(scope="session")
def hopper() -> bytes:
    """Grace Hopper's portrait as JPEG."""
    from model.images import encode_jpeg

    return encode_jpeg(read_picture(public_domain_pictures()["hopper"]), 90)


@pytest.fixture(scope="session")
def collins() -> bytes:
    """Eileen Collins' portrait as JPEG."""
    from model.images import encode_jpeg

    return encode_jpeg(read_picture(public_domain_pictures()["collins"]), 90)


@pytest.fixture(scope="session")
def no_face() -> bytes:
    """A drawn picture without a face, as JPEG."""
    from model.images import encode_jpeg

    picture = np.full((480, 640, 3), 200, np.uint8)
    cv2.circle(picture, (320, 240), 120, (40, 160, 220), -1)
    cv2.rectangle(picture, (40, 40), (160, 420), (90, 40, 10), -1)
    return encode_jpeg(picture, 90)
