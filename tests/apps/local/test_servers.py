"""The real broker and the real store, each by itself."""

import dataclasses
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pymongo
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from apps.local import broker, java, store
from apps.local.broker import BrokerSpec
from apps.local.java import Jars
from apps.local.ports import choose, is_free
from apps.local.server import Server
from contracts.errors import FatalError
from contracts.kafka import KafkaSettings
from contracts.limits import MAX_REQUEST_BYTES


def _records(bootstrap: str, topic: str, wanted: int) -> list[bytes]:
    consumer = Consumer(KafkaSettings(bootstrap=bootstrap).librdkafka_consumer(f"read-{topic}-{wanted}"))
    consumer.subscribe([topic])
    messages = [consumer.poll(20) for _ in range(wanted)]
    consumer.close()
    return [message.value() for message in messages if message is not None and message.error() is None]


def _send(bootstrap: str, topic: str, values: list[bytes]) -> None:
    producer = Producer(KafkaSettings(bootstrap=bootstrap).librdkafka_producer())
    for value in values:
        producer.produce(topic, value, key=b"key")
    assert producer.flush(30) == 0


def test_broker_serves_with_our_limits_and_keeps_data_over_kill_and_restart(restartable_broker: Server) -> None:
    bootstrap = restartable_broker.address
    admin = AdminClient({"bootstrap.servers": bootstrap})
    resource = ConfigResource(ResourceType.BROKER, "1")
    config = admin.describe_configs([resource])[resource].result(10)
    assert config["message.max.bytes"].value == str(MAX_REQUEST_BYTES)
    assert config["auto.create.topics.enable"].value == "false"
    admin.create_topics([NewTopic("kept", 2, 1)])["kept"].result(10)
    sent = [b"%d" % number for number in range(50)]
    _send(bootstrap, "kept", sent)

    restartable_broker.kill()
    assert not broker.ready(bootstrap)
    restartable_broker.start()

    assert sorted(_records(bootstrap, "kept", 50)) == sorted(sent)


def test_moved_port_reaches_the_clients(tmp_path: Path, jars: Jars, free_port: Callable[[], int]) -> None:
    ports = [free_port() for _ in range(4)]
    first = BrokerSpec(tmp_path / "kafka", ports[0], ports[1], jars)
    server = Server.broker(first)
    server.start()
    admin = AdminClient({"bootstrap.servers": first.bootstrap})
    admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result(10)
    _send(first.bootstrap, "kept", [b"before"])
    server.stop()

    second = dataclasses.replace(first, port=ports[2], controller_port=ports[3])
    moved = Server.broker(second)
    moved.start()
    try:
        assert _records(second.bootstrap, "kept", 1) == [b"before"]
    finally:
        moved.stop()


def test_store_keeps_documents_over_a_clean_restart(restartable_store: Server) -> None:
    with pymongo.MongoClient(restartable_store.address) as client:
        client["trial"]["answers"].insert_many([{"_id": number} for number in range(500)])
    restartable_store.stop()
    assert not store.ready(restartable_store.address)
    restartable_store.start()
    with pymongo.MongoClient(restartable_store.address) as client:
        assert client["trial"]["answers"].count_documents({}) == 500


def test_store_opens_again_after_kill(restartable_store: Server) -> None:
    with pymongo.MongoClient(restartable_store.address) as client:
        client["trial"]["answers"].insert_many([{"_id": number} for number in range(500)])
    restartable_store.kill()
    restartable_store.start()
    with pymongo.MongoClient(restartable_store.address) as client:
        # Up to a second of writes may be gone; what is there is whole, and writing goes on.
        client["trial"]["answers"].update_one({"_id": 499}, {"$set": {"again": True}}, upsert=True)
        assert client["trial"]["answers"].find_one({"_id": 499}) == {"_id": 499, "again": True}


def test_busy_port_moves_to_the_next_free_one() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        assert not is_free(port)
        taken: set[int] = set()
        first = choose(port, taken)
        assert first > port
        assert choose(port, taken) > first
    assert is_free(port)


def test_jars_are_checked_and_a_second_call_changes_nothing(jars: Jars) -> None:
    def fail(text: str, fraction: float | None) -> None:
        pytest.fail(f"fetched again: {text}")

    cache = jars.kafka.parents[2]
    marker = jars.kafka.parent / java.MARKER
    before = marker.stat().st_mtime_ns
    assert java.fetch_jars(cache, fail) == jars
    assert marker.stat().st_mtime_ns == before
    assert json.loads(marker.read_text()).keys() == java.read_lock().keys()


@pytest.mark.prove
def test_two_processes_that_fetch_at_once_share_one_download(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "apps.local.java", "fetch"]
    environment = {**os.environ, "MAIRROR_CACHE": str(tmp_path)}
    (tmp_path / "jars" / ".staging-1").mkdir(parents=True)  # what a killed process left
    both = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate(timeout=200)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted("jars checked" in text for text in told) == [False, True]
    assert {path.name for path in (tmp_path / "jars").iterdir()} == {
        ".lock",
        java.fetch_jars(tmp_path, print).kafka.parent.name,
    }


def test_a_jar_with_another_hash_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "kafka.jar").write_bytes(b"not what was reviewed")
    with pytest.raises(FatalError, match=r"1 jars differ .*kafka/kafka\.jar"):
        java._check(tmp_path, {"kafka/kafka.jar": "0" * 64})
