"""What is promised when things break: nothing lost, no duplicate documents, and everything comes back by itself."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pymongo import MongoClient

from apps.local.server import Server
from contracts import ids
from contracts.admin import apply_topics
from contracts.kafka import KafkaSettings
from contracts.lag import LagReader
from contracts.reading import TopicReader
from contracts.settings import Settings
from contracts.topics import FRAMES_LIVE, FRAMES_UPLOAD
from tests.kafka.conftest import Results
from tests.kafka.sending import Sender, frame, unique
from tests.services import Service, wait_for

Reader = Callable[[str], Results]
Fault = Callable[..., None]


def lag(settings: Settings, *topics: str, group: str | None = None) -> int:
    reader = LagReader(settings.kafka, group or settings.processor.group, topics or (FRAMES_LIVE.name,))
    try:
        return sum(reader.lag().values())
    finally:
        reader.close()


def documents(uri: str, settings: Settings, stream: str) -> list[str]:
    with MongoClient(uri, serverSelectionTimeoutMS=3000) as client:
        return [found["frame"]["id"] for found in client[settings.mongo.database]["frames"].find({"stream": stream})]


def expected(stream: str, count: int) -> set[str]:
    return {str(ids.frame_id(stream, "c-test", sequence)) for sequence in range(count)}


@pytest.fixture
def small_steps(_processor: Service) -> Iterator[Service]:
    """The session's processor, taking eight frames at a time; not started."""
    if _processor.running:
        _processor.stop()
    yield _processor
    if _processor.running:
        _processor.stop()


def test_kill_in_the_middle_of_a_batch_loses_nothing_and_doubles_no_document(
    settings: Settings, small_steps: Service, fault: Fault, sink: Service, send: Sender, results: Reader, hopper: bytes
) -> None:
    stream = unique("kill")
    found = results(stream)
    fault(slow_ms=500)
    small_steps.start(MAIRROR_PROCESSOR__GATHER="8")
    send.all([frame(stream, sequence) for sequence in range(60)], hopper)
    for killed in range(2):
        found.read(lambda r, wanted=8 * (killed + 1): len(r.answers) >= wanted)
        small_steps.kill()
        fault(slow_ms=500 if killed == 0 else 0)
        small_steps.start(ready=False, MAIRROR_PROCESSOR__GATHER="8")
    found.read(lambda r: len({answer.frame.sequence for answer in r.answers}) == 60, seconds=60)
    again = [answer.id for answer in found.answers]
    wait_for(lambda: len(documents(settings.mongo.uri, settings, stream)) >= 60, 20, "60 documents")
    stored = documents(settings.mongo.uri, settings, stream)
    assert sorted(stored) == sorted(expected(stream, 60)), "one document a frame"
    assert len(set(again)) == 60, "a frame answered twice has the same answer id"
    wait_for(lambda: lag(settings) == 0, 20, "everything is committed")


def test_an_exception_in_a_batch_is_retried_and_then_dead_lettered_alone(
    settings: Settings, processor: Service, fault: Fault, send: Sender, results: Reader, hopper: bytes
) -> None:
    stream = unique("raise")
    found = results(stream)
    poisoned = hopper[:2] + b"\xff\xfe\x00\x0aPOISON!!" + hopper[2:]
    fault(bytes="POISON!!", slow_ms=300)  # slow: while the first frame is in the model, the others become one batch
    for sequence in range(20):
        send(frame(stream, sequence), poisoned if sequence == 7 else hopper)
    send.wait()
    found.read(lambda r: len(r.fates) == 20, seconds=60)
    assert found.fates[7] == {("dead_lettered", "processing_failed")}
    good = {sequence for sequence, fates in found.fates.items() if fates == {("answered", None)}}
    assert good == set(range(20)) - {7}
    wait_for(lambda: lag(settings) == 0, 20, "everything is committed")


def test_a_passing_exception_loses_and_dead_letters_nothing(
    processor: Service, fault: Fault, send: Sender, results: Reader, hopper: bytes
) -> None:
    stream = unique("hiccup")
    found = results(stream)
    poisoned = hopper[:2] + b"\xff\xfe\x00\x0aPOISON!!" + hopper[2:]
    fault(bytes="POISON!!", times=3, slow_ms=300)
    send(frame(stream, 0), hopper)  # while it is in the model, the others become one batch
    send.all([frame(stream, sequence) for sequence in range(1, 8)], poisoned)
    found.read(lambda r: len(r.fates) == 8, seconds=60)
    assert all(fates == {("answered", None)} for fates in found.fates.values())


def test_a_slow_model_drops_what_is_too_old_and_says_so(
    settings: Settings, processor: Service, fault: Fault, results: Reader
) -> None:
    from producers.camera import Play, Replay
    from producers.sample import SampleSource

    stream = unique("slow")
    found = results(stream)
    fault(slow_ms=200)
    totals = Replay(settings, SampleSource(30), Play(stream, "public-domain", seconds=6)).run()
    assert totals.closes
    assert totals.answered > 0, "slow is not stopped"
    assert totals.dropped["superseded"] > totals.answered
    found.read(lambda r: len({answer.id for answer in r.answers}) >= totals.answered)
    late = [answer.timing_ms.total for answer in found.answers if (answer.timing_ms.total or 0) > 500]
    assert not late, f"no live answer is older than its budget, got {late}"


def test_two_processors_share_partitions_and_lose_nothing_when_one_comes_and_goes(
    settings: Settings,
    processor: Service,
    environment: dict[str, str],
    free_port: Callable[[], int],
    tmp_path: Path,
    send: Sender,
    results: Reader,
    hopper: bytes,
) -> None:
    streams = [unique(f"share{number}") for number in range(6)]
    readers = [results(stream) for stream in streams]
    second = Service(
        [sys.executable, "-m", "apps.cli", "serve", "processor"],
        environment | {"MAIRROR_PROCESSOR__INSTANCE": "tests-2"},
        free_port(),
        tmp_path / "second.log",
    )
    second.start(ready=False)
    for sequence in range(0, 20):
        send.all([frame(stream, sequence) for stream in streams], hopper)
    wait_for(second.is_ready, 60, "the second processor has partitions")
    for sequence in range(20, 40):
        send.all([frame(stream, sequence) for stream in streams], hopper)
    second.kill()
    for sequence in range(40, 50):
        send.all([frame(stream, sequence) for stream in streams], hopper)
    for found in readers:
        found.read(lambda r: len({answer.frame.sequence for answer in r.answers}) == 50, seconds=60)
    assert processor.running


@pytest.fixture
def own_store(
    restartable_store: Server, environment: dict[str, str], free_port: Callable[[], int], tmp_path: Path
) -> Iterator[tuple[Server, Service]]:
    """A store that may be killed, and a sink of its own group member that writes to it."""
    sink = Service(
        [sys.executable, "-m", "apps.cli", "serve", "sink-mongo"],
        environment | {"MAIRROR_MONGO__URI": restartable_store.address, "MAIRROR_MONGO__REWIND_SECONDS": "60"},
        free_port(),
        tmp_path / "sink.log",
    )
    yield restartable_store, sink
    if sink.running:
        sink.stop()


def test_kill_of_the_store_misses_no_document(
    settings: Settings,
    processor: Service,
    own_store: tuple[Server, Service],
    no_other_sink: None,
    send: Sender,
    hopper: bytes,
) -> None:
    store, sink = own_store
    sink.start()
    stream = unique("store")
    send.all([frame(stream, sequence) for sequence in range(40)], hopper)
    wait_for(lambda: len(documents(store.address, settings, stream)) >= 30, 30, "documents are written")
    store.kill()
    send.all([frame(stream, sequence) for sequence in range(40, 80)], hopper)
    wait_for(lambda: "waiting for the store" in sink.get("/readyz")[1], 30, "the sink says what it waits for")
    assert sink.get("/livez")[0] == 200, "an outage of the store is not the sink's fault"
    store.start()
    wait_for(lambda: set(documents(store.address, settings, stream)) == expected(stream, 80), 40, "all documents")
    assert len(documents(store.address, settings, stream)) == 80
    assert sink.running


def test_nothing_on_a_running_stream_is_older_than_one_and_a_half_retentions(
    restartable_broker: Server, hopper: bytes
) -> None:
    """The broker of the test looks every second, as it looks every 30 s in service; retention is 6 s here."""
    retention = 6.0
    kafka = KafkaSettings(bootstrap=restartable_broker.address, partitions=1)
    settings = Settings(kafka=kafka)
    short = {"frames.live": retention, "frames.upload": retention}
    apply_topics(kafka, retention=short, topics=[FRAMES_LIVE, FRAMES_UPLOAD])
    sender = Sender(settings)
    try:
        started, sequence = time.time(), 0
        while time.time() - started < 3 * retention:
            sender(frame("retention", sequence), hopper)
            sequence += 1
            sender.wait()
            time.sleep(0.1)  # the stream's own pace
            if time.time() - started > 1.6 * retention and sequence % 20 == 0:
                assert oldest_age(kafka) <= 1.5 * retention
        assert oldest_age(kafka) <= 1.5 * retention
    finally:
        sender.close()


def oldest_age(kafka: KafkaSettings) -> float:
    """Seconds since the oldest record on the topic was appended."""
    reader = TopicReader(kafka, [FRAMES_LIVE.name], since=0)
    try:
        message = reader.poll(5)
        assert message is not None
        return time.time() - message.timestamp()[1] / 1000
    finally:
        reader.close()


def test_every_process_serves_metrics_liveness_and_readiness(
    processor: Service, sink: Service, environment: dict[str, str], free_port: Callable[[], int], tmp_path: Path
) -> None:
    sample = Service(
        [sys.executable, "-m", "apps.cli", "serve", "sample"], environment, free_port(), tmp_path / "sample.log"
    )
    sample.start()
    wanted = {
        processor: ("mairror_frames_answered_total", "mairror_stage_duration_seconds", "mairror_model_info"),
        sink: ("mairror_sink_documents_total", "mairror_sink_write_duration_seconds"),
        sample: ("mairror_frames_captured_total", "mairror_frames_published_total"),
    }
    try:
        for service, names in wanted.items():
            assert service.get("/livez")[0] == 200
            assert service.get("/readyz")[0] == 200
            assert service.get("/nope")[0] == 404
            for name in (*names, "mairror_build_info"):
                # the sample stream plays when the streams of earlier tests are gone, and then the rest has work
                wait_for(lambda s=service, n=name: f"\n{n}" in s.get("/metrics")[1], 40, f"{name} is served")  # type: ignore[misc]
    finally:
        assert sample.stop() == 0


def test_a_processor_stops_cleanly_and_its_successor_answers_at_once(
    processor: Service, send: Sender, results: Reader, hopper: bytes
) -> None:
    stream = unique("restart")
    found = results(stream)
    send.all([frame(stream, sequence) for sequence in range(5)], hopper)
    found.read(lambda r: len(r.answers) == 5)
    assert processor.stop() == 0
    processor.start()
    send.all([frame(stream, sequence) for sequence in range(5, 10)], hopper)
    found.read(lambda r: len(r.answers) >= 10)
    assert len(found.answers) == 10, "a clean stop leaves nothing to answer twice"


def test_a_processor_without_weights_says_what_to_do(environment: dict[str, str], tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "apps.cli", "serve", "processor"],
        env=os.environ | environment | {"MAIRROR_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    assert "mairror weights" in ended.stderr
    assert "Traceback" not in ended.stderr
