"""The chart's pods as they would run: commands, environment and secret files as rendered, on a broker with TLS, SCRAM
and exactly the rights of strimzi/base/users.yaml, and a real store.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ResourceType
from pymongo import MongoClient

from apps.local.java import Jars
from apps.local.server import Server
from contracts.admin import apply_topics
from contracts.errors import RetryableError
from contracts.kafka import KafkaSettings
from contracts.reading import TopicReader
from contracts.settings import Settings
from contracts.topics import FRAMES_LIVE, FRAMES_UPLOAD, PROCESSOR_GROUP, TOPICS
from model.weights import fetch
from tests.deploy import asking, chart, secured
from tests.deploy.check import ROOT
from tests.deploy.processes import Process, environment, make
from tests.deploy.secured import Secured
from tests.deploy.tools import Tools
from tests.kafka.conftest import Results
from tests.kafka.sending import Sender, frame, unique
from tests.kafka.serving import client_of, part
from tests.services import wait_for

KEY = "k" + "0123456789abcdefghijklmnopqrstuvwxyz" * 2
ROUND_SECONDS = 0.2
"""Six streams of five frames a second: a load one processor can take while another one starts beside it."""
VALUES = ROOT / "charts" / "mairror" / "ci" / "kind-values.yaml"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, jars: Jars, free_port: Callable[[], int]) -> Iterator[Secured]:
    """Users, rights and topics are in place, as the operators would have put them there."""
    found = secured.prepare(tmp_path_factory.mktemp("secured"), jars, free_port)
    server = Server.broker(found.spec)
    server.start()
    secured.grant(found)
    apply_topics(KafkaSettings(bootstrap=found.spec.bootstrap))
    yield found
    server.stop()


class Release:
    """An installation of the chart: its pods as processes, its Secrets as files."""

    def __init__(
        self, tools: Tools, broker: Secured, store: Server, folder: Path, free_port: Callable[[], int]
    ) -> None:
        values = folder / "values.yaml"
        # every batch size is compiled at start: two are enough here
        values.write_text(f"kafka: {{bootstrap: '{broker.bootstrap}'}}\nprocessor: {{batchSizes: '1,4'}}\n")
        rendered = list(yaml.safe_load_all(chart.render(ROOT, tools, VALUES, values)))
        self.pods = {pod.name.removeprefix("mairror-"): pod for pod in chart.pods(ROOT, rendered)}
        self._folder, self._free_port = folder, free_port
        self._secrets = {
            ("mairror-cluster-ca-cert", "ca.crt"): broker.ca.read_text(),
            ("mairror-mongo", "uri"): store.address,
            ("mairror-gateway-keys", "keys"): f"owner:admin:{hashlib.sha256(KEY.encode()).hexdigest()}",
        }
        for user in yaml.safe_load_all(secured.USERS.read_text()):
            name = user["metadata"]["name"]
            self._secrets[name, "password"] = secured.password(name)
        self.started: list[Process] = []

    def process(self, name: str, copy: str = "") -> Process:
        """A pod; `copy` tells replicas apart."""
        pod = self.pods[name]
        place = self._folder / f"{name}{copy}"
        (place / "secrets").mkdir(parents=True)
        for file, (secret, key) in pod.files.items():
            assert key is not None
            (place / "secrets" / file).write_text(self._secrets[secret, key])
        replaced = {
            chart.SECRETS: str(place / "secrets"),
            "/opt/mairror": str(Settings().cache),
            "/tmp/mairror": str(place / "data"),
            "$(POD_IP)": "127.0.0.1",
        }
        written = {key: value for key, value in pod.environment.items() if key not in pod.files}
        env = environment(written, replaced) | {"HOME": str(place)}
        made = make(f"{name}{copy}", pod.target, pod.arguments, env, self._free_port(), self._folder)
        self.started.append(made)
        return made

    def logs(self) -> str:
        """Everything any pod said."""
        return "\n".join(process.log() for process in self.started)


@pytest.fixture(scope="module")
def release(
    tools: Tools,
    broker: Secured,
    store: Server,
    tmp_path_factory: pytest.TempPathFactory,
    free_port: Callable[[], int],
) -> Iterator[Release]:
    fetch(Settings().cache)
    found = Release(tools, broker, store, tmp_path_factory.mktemp("release"), free_port)
    yield found
    for process in found.started:
        if process.running:
            process.kill()


@pytest.fixture(scope="module")
def processor(release: Release) -> Process:
    """The first processor, running and ready."""
    return release.process("processor", "-1").start()


def test_every_pod_works_with_its_own_user_and_no_more_rights_than_the_table_gives(
    release: Release, processor: Process, store: Server, hopper: bytes
) -> None:
    assert release.pods.keys() == {"processor", "sink-mongo", "gateway", "dashboard", "sample"}
    others = {name: release.process(name) for name in release.pods if name != "processor"}
    for process in others.values():
        process.start(ready=False)
    for name, process in others.items():
        wait_for(process.is_ready, 90, f"{name} is ready: {process.log()[-1500:]}")
    with client_of(others["gateway"], headers={"X-Api-Key": KEY}) as client:
        sent = client.post("/v1/images", files=[part(hopper)])
        assert sent.status_code == 202, sent.text
        answer = client.get(sent.headers["location"], params={"wait": 30})
        assert len(answer.json()["faces"]) == 1, answer.text
        assert client.get(f"{sent.headers['location']}/annotated").status_code == 200
        assert client.get("/v1/streams").status_code == 200
    with MongoClient(store.address) as client:
        frames = client["mairror"]["frames"]
        wait_for(lambda: frames.count_documents({"stream": "sample"}) > 10, 60, "the sample stream is stored")
    for process in others.values():
        assert process.stop() == 0
    assert "AUTHORIZATION" not in release.logs().upper().replace("AUTHORIZATION: BEARER", "")


def test_a_user_is_refused_what_the_table_does_not_give_it(broker: Secured) -> None:
    reader = TopicReader(broker.kafka("mairror-producer"), [FRAMES_LIVE.name], since=0)
    with pytest.raises(RetryableError, match=r"(?i)authorization"):
        reader.poll(15)
    reader.close()
    admin = AdminClient(broker.kafka("mairror-gateway").librdkafka())
    (deleted,) = admin.delete_topics([FRAMES_UPLOAD.name]).values()
    with pytest.raises(KafkaException, match=r"(?i)authorization"):
        deleted.result(15)


def shared(broker: Secured, members: int) -> bool:
    """Do so many members have all partitions, each at least one and none two?"""
    found = [places for places in asking.assigned(broker.spec.bootstrap, PROCESSOR_GROUP) if places]
    everything = {(topic.name, number) for topic in (FRAMES_LIVE, FRAMES_UPLOAD) for number in range(6)}
    return len(found) == members and set.union(*found) == everything and sum(map(len, found)) == len(everything)


@pytest.mark.timeout(600)
def test_a_second_processor_joins_and_leaves_under_load_and_nothing_is_lost(
    release: Release, processor: Process, broker: Secured, hopper: bytes
) -> None:
    streams = [unique(f"scale{number}") for number in range(6)]
    cli = broker.kafka("mairror-cli")
    readers = [Results(cli, stream) for stream in streams]
    sender = Sender(Settings(kafka=broker.kafka("mairror-producer")))
    sequence = 0

    def load_until(condition: Callable[[], bool], what: str, least: int) -> None:
        """Send frames of every stream, round by round, until it is so (and at least so many rounds)."""
        nonlocal sequence
        first = sequence

        def round_and_ask() -> bool:
            nonlocal sequence
            sender.all([frame(stream, sequence) for stream in streams], hopper)
            sequence += 1
            time.sleep(ROUND_SECONDS)  # the cameras' own pace
            return sequence - first >= least and condition()

        wait_for(round_and_ask, 120, what)

    second = release.process("processor", "-2")
    try:
        load_until(lambda: shared(broker, 1), "one processor has all partitions", 5)
        second.start(ready=False)
        load_until(lambda: second.is_ready() and shared(broker, 2), "two processors share the partitions", 10)
        answered = _answered(second)
        load_until(lambda: _answered(second) > answered + 20, "the second one answers its share", 5)
        assert second.stop() == 0
        load_until(lambda: shared(broker, 1), "the first one has all of them again", 5)
        for found in readers:
            # answers and outcomes are two topics: the last outcome may be read before the last answer
            found.read(lambda r: _complete(r, sequence), seconds=120)
            assert all(fates == {("answered", None)} for fates in found.fates.values())
    finally:
        sender.close()
        for found in readers:
            found.close()
    assert processor.running


def _complete(found: Results, count: int) -> bool:
    return len(found.fates) == count and {answer.frame.sequence for answer in found.answers} == set(range(count))


def _answered(process: Process) -> float:
    text = process.get("/metrics")[1]
    lines = [line for line in text.splitlines() if line.startswith("mairror_frames_answered_total")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def test_the_brokers_own_word_on_every_topic_equals_the_manifest(broker: Secured) -> None:
    """kubeconform does not look into `config`: a wrong key or value would only be seen by the operator, at night."""
    manifests = {entry["metadata"]["name"]: entry["spec"] for entry in _manifests("base/topics.yaml")}
    assert manifests.keys() == {topic.name for topic in TOPICS}
    for name, spec in manifests.items():
        said, config = asking.configs(broker.spec.bootstrap, ResourceType.TOPIC, name), spec["config"]
        assert config.keys() <= said.keys(), config.keys() - said.keys()
        assert {key: said[key] for key in config} == config


@pytest.mark.parametrize("overlay", ["dev", "prod"])
def test_every_property_of_the_kafka_resource_is_one_the_broker_knows(broker: Secured, overlay: str) -> None:
    known = asking.configs(broker.spec.bootstrap, ResourceType.BROKER, "1").keys()
    (kafka,) = (entry for entry in _manifests(f"{overlay}/kafka.yaml") if entry["kind"] == "Kafka")
    config = kafka["spec"]["kafka"]["config"]
    assert config.keys() <= known, config.keys() - known


def _manifests(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((ROOT / "strimzi" / name).read_text()))
