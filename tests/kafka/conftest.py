"""A whole Mairror for tests: topics on a real broker, a real processor and a real sink as processes."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from contracts import events
from contracts.admin import apply_topics
from contracts.answers import Answer, decode_answer
from contracts.events import Outcome
from contracts.kafka import KafkaSettings
from contracts.reading import TopicReader
from contracts.settings import MongoSettings, Settings
from contracts.topics import AGES, OUTCOMES
from model.weights import fetch
from producers.sample import public_domain_pictures
from producers.sources import read_picture
from tests.kafka.sending import Sender

FAULTY = Path(__file__).parent / "faulty_processor.py"


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


@pytest.fixture(scope="session")
def settings(kafka: str, mongo_uri: str) -> Settings:
    """Settings of the session's broker and store; topics applied, weights fetched."""
    found = Settings(
        kafka=KafkaSettings(bootstrap=kafka, partitions=3),
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
        "MAIRROR_KAFKA__PARTITIONS": "3",
        "MAIRROR_MONGO__URI": settings.mongo.uri,
        "MAIRROR_MONGO__DATABASE": settings.mongo.database,
        "MAIRROR_PROCESSOR__INSTANCE": "tests-1",
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


@pytest.fixture
def faulty_processor(
    _processor: Service, environment: dict[str, str], free_port: Callable[[], int], tmp_path: Path
) -> Iterator[Service]:
    """A processor whose model can be told to fail or to be slow; the good one is stopped meanwhile. Not started."""
    if _processor.running:
        _processor.stop()
    service = Service([sys.executable, str(FAULTY)], environment, free_port(), tmp_path / "faulty.log")
    yield service
    if service.running:
        service.stop()


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


class Results:
    """What the result topics say about one stream since this object was made."""

    def __init__(self, kafka: KafkaSettings, key: str) -> None:
        self._key = key.encode()
        self._reader = TopicReader(kafka, [AGES.name, OUTCOMES.name])
        self.answers: list[Answer] = []
        self.bodies: list[dict[str, object]] = []
        self.fates: dict[int, set[tuple[str, str | None]]] = {}

    def read(self, until: Callable[["Results"], bool], seconds: float = 30) -> "Results":
        deadline = time.monotonic() + seconds
        while not until(self):
            assert time.monotonic() < deadline, f"after {seconds} s: {len(self.answers)} answers, {self.fates}"
            message = self._reader.poll(0.1)
            if message is None or message.key() != self._key:
                continue
            body = message.value() or b""
            if message.topic() == AGES.name:
                self.answers.append(decode_answer(body))
                self.bodies.append(json.loads(body))
            else:
                outcome = events.decode(Outcome, body)
                for span in outcome.ranges:
                    for sequence in range(span.first, span.last + 1):
                        self.fates.setdefault(sequence, set()).add((span.outcome, span.cause))
        return self

    def close(self) -> None:
        self._reader.close()


@pytest.fixture
def results(settings: Settings) -> Iterator[Callable[[str], Results]]:
    """Makes a reader for one stream."""
    made: list[Results] = []

    def make(key: str) -> Results:
        made.append(Results(settings.kafka, key))
        return made[-1]

    yield make
    for found in made:
        found.close()


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


@pytest.fixture
def send(settings: Settings) -> Iterator[Sender]:
    """Sends frames one by one."""
    sender = Sender(settings)
    yield sender
    sender.close()


@pytest.fixture(scope="session")
def no_face() -> bytes:
    """A drawn picture without a face, as JPEG."""
    from model.images import encode_jpeg

    picture = np.full((480, 640, 3), 200, np.uint8)
    cv2.circle(picture, (320, 240), 120, (40, 160, 220), -1)
    cv2.rectangle(picture, (40, 40), (160, 420), (90, 40, 10), -1)
    return encode_jpeg(picture, 90)
