"""docker-compose.yml as it would run: each service's command and environment, as processes, on a real broker and store.

The broker and the store are the local ones; what compose says of Kafka's and MongoDB's own containers is not run here.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from confluent_kafka.admin import ResourceType
from pymongo import MongoClient

from apps.local.broker import BrokerSpec
from apps.local.java import Jars
from apps.local.server import Server
from contracts.settings import Settings
from contracts.topics import TOPICS
from model.weights import fetch
from tests.deploy import asking, compose
from tests.deploy.check import ROOT
from tests.deploy.processes import Process, environment, make, run_once
from tests.deploy.tools import Tools
from tests.kafka.serving import client_of, part
from tests.services import wait_for


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, jars: Jars, free_port: Callable[[], int]) -> Iterator[Server]:
    """A broker of this module alone: compose's topics job makes its topics."""
    server = Server.broker(BrokerSpec(tmp_path_factory.mktemp("kafka"), free_port(), free_port(), jars, heap_mb=320))
    server.start()
    yield server
    server.stop()


class Project:
    """The project's services of ours, by name, with the environment they have here."""

    def __init__(self, tools: Tools, broker: str, store: str, folder: Path, free_port: Callable[[], int]) -> None:
        self.key = "k" + "0123456789abcdefghijklmnopqrstuvwxyz" * 2
        loaded = compose.load(ROOT, tools, [compose.BASE])
        self.containers = {container.name: container for container in compose.containers(ROOT, loaded)}
        self.folder, self._free_port = folder, free_port
        uri = self.containers["sink-mongo"].environment["MAIRROR_MONGO__URI"]
        digest = self.containers["gateway"].environment["MAIRROR_GATEWAY__KEYS"].rpartition(":")[2]
        self._replaced = {
            "kafka:19092": broker,
            uri.rpartition("/")[0]: store,
            "/opt/mairror": str(Settings().cache),
            digest: _sha256(self.key),
        }

    def environment(self, name: str) -> dict[str, str]:
        return environment(self.containers[name].environment, self._replaced)

    def process(self, name: str) -> Process:
        """Root may make a read-only root file system around it; others run it as it is."""
        container = self.containers[name]
        port, hardened = self._free_port(), os.geteuid() == 0
        env = self.environment(name)
        return make(name, container.target, container.arguments, env, port, self.folder, hardened=hardened)


def _sha256(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture(scope="module")
def project(
    tools: Tools,
    broker: Server,
    store: Server,
    tmp_path_factory: pytest.TempPathFactory,
    free_port: Callable[[], int],
) -> Project:
    fetch(Settings().cache)
    return Project(tools, broker.address, store.address, tmp_path_factory.mktemp("compose"), free_port)


@pytest.mark.prove
def test_every_service_starts_becomes_healthy_and_does_its_work(project: Project, store: Server, hopper: bytes) -> None:
    job = project.containers["topics"]
    applied = run_once(job.target, job.arguments, project.environment("topics"))
    assert applied.returncode == 0, applied.stderr
    assert f"{len(TOPICS)} topics are as they should be" in applied.stderr
    services = {name: project.process(name) for name in project.containers if name != "topics"}
    assert services.keys() == {"processor", "sink-mongo", "gateway", "dashboard", "sample"}
    try:
        for service in services.values():
            service.start(ready=False)
        for name, service in services.items():
            wait_for(service.is_ready, 120, f"{name} is ready: {service.log()[-1500:]}")
            assert service.healthy(), name
        with client_of(services["gateway"], headers={"X-Api-Key": project.key}) as client:
            assert _ages(client, hopper) == 1
        with MongoClient(store.address) as client:
            frames = client["mairror"]["frames"]
            wait_for(lambda: frames.count_documents({"stream": "sample"}) > 10, 60, "the sample stream is stored")
        assert services["dashboard"].get("/")[0] == 200
    finally:
        ended = {name: service.stop() for name, service in services.items() if service.process}
    assert set(ended.values()) == {0}, ended


def _ages(client: httpx2.Client, picture: bytes) -> int:
    sent = client.post("/v1/images", files=[part(picture)])
    assert sent.status_code == 202, sent.text
    answer = client.get(sent.headers["location"], params={"wait": 30})
    assert answer.status_code == 200, answer.text
    return len(answer.json()["faces"])


def test_the_gateway_does_not_start_without_keys(tools: Tools, tmp_path: Path, free_port: Callable[[], int]) -> None:
    project = Project(tools, "127.0.0.1:1", "mongodb://127.0.0.1:1", tmp_path, free_port)
    gateway, env = project.containers["gateway"], project.environment("gateway")
    done = run_once(gateway.target, gateway.arguments, env | {"MAIRROR_GATEWAY__KEYS": ""})
    assert done.returncode == 1
    assert "strangers can connect" in done.stderr


def test_every_property_of_the_kafka_container_is_one_the_broker_knows(tools: Tools, kafka: str) -> None:
    written = compose.load(ROOT, tools, [compose.BASE])["services"]["kafka"]["environment"]
    properties = {
        key.removeprefix("KAFKA_").lower().replace("_", "."): value
        for key, value in written.items()
        if key.startswith("KAFKA_") and key != "KAFKA_HEAP_OPTS"
    }
    known = asking.configs(kafka, ResourceType.BROKER, "1").keys()
    assert properties.keys() <= known, properties.keys() - known
    roles = {"process.roles": "broker,controller", "node.id": "1"}
    assert properties.items() >= roles.items()
    for listener in re.findall(r"(\w+)://", properties["listeners"]):
        assert f"{listener}:PLAINTEXT" in properties["listener.security.protocol.map"]
