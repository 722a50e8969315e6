"""The System page: the most urgent problem and its remedy first, every number explained, nothing waited for."""

import time
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from pymongo.operations import UpdateOne
from streamlit.testing.v1 import AppTest

from apps.dashboard import health, numbers
from apps.dashboard.choosing import OWN_STREAMS
from apps.dashboard.health import Facts
from apps.dashboard.pulse import Pulse, PulseWatch, Stage, pulse_of
from apps.dashboard.waiting import LagWatch, Waiting
from apps.dashboard.wiring import Dashboard
from apps.local.folder import ServiceState, StackState
from contracts.answers import Timing
from contracts.kafka import KafkaSettings
from contracts.publishing import Publisher
from contracts.records import json_record
from contracts.settings import MongoSettings, Settings
from contracts.topics import AGES, FRAMES_UPLOAD
from sinks.live.directory import StreamEntry
from sinks.mongo.store import Store
from tests.apps.dashboard.making import answer, frame, status
from tests.services import wait_for

SCRIPT = "from apps.dashboard.views import system\nsystem.page()\n"
READ = Waiting({}, {}, {}, known=True)


def stream(name: str = "a", **counts: int) -> StreamEntry:
    return StreamEntry(name, "camera", "c", True, 1.0, 640, 480, 15.0, {"captured": 100} | counts)


def stack(data_mb: float = 10.0, **services: ServiceState) -> StackState:
    return StackState(True, None, None, "", "", "/data", services, data_mb=data_mb, data_cap_mb=4000)


def timing(total: float | None = 20.0, **stages: float) -> Timing:
    found: dict[str, Any] = dict.fromkeys(
        ("capture_to_ingest", "queue", "decode", "detect", "estimate", "publish"), 1.0
    )
    return Timing(**(found | stages), total=total, clock="ok" if total else "skewed")


@pytest.mark.parametrize(
    ("facts", "said", "remedy"),
    [
        (Facts(problem="it is gone: KafkaError{code=1}"), "cannot be read: it is gone.", "mairror up"),
        (Facts(state=stack(processor=ServiceState("stopped"))), "Not everything is ready: processor", "processor.log"),
        (Facts(waiting=Waiting({}, {}, None, known=True)), "store does not answer", "Nothing is lost"),
        (Facts(state=stack(data_mb=3900)), "3,900 of 4,000 MB", "MAIRROR_DATA_CAP_GB"),
        (Facts(waiting=Waiting({FRAMES_UPLOAD.name: 90}, {}, {}, known=True)), "90 photos wait", "processor"),
        (Facts(pulse=pulse_of([timing(450.0)] * 9)), "one in twenty takes over 450 ms", "which stage"),
    ],
)
def test_a_problem_is_one_sentence_with_its_remedy(facts: Facts, said: str, remedy: str) -> None:
    well, words = health.sentence(facts.problem, facts.state, facts.online, facts)
    assert not well
    assert said in words
    assert remedy in health.findings(facts)[0].remedy


def test_the_most_urgent_problem_comes_first_and_what_is_no_fault_last() -> None:
    facts = Facts(
        problem="gone",
        online=[stream(superseded=80)],
        waiting=Waiting({}, {AGES.name: 6000}, {"truncated": 1}, known=True),
        pulse=pulse_of([timing(450.0)] * 9),
    )
    found = health.findings(facts)
    assert [finding.bad for finding in found] == [True, True, False, False, False]
    assert "message broker" in found[0].words
    assert "1 picture could not be answered" in found[-1].words
    calm = Facts(online=[stream(superseded=80)], waiting=READ)
    assert health.sentence(None, None, calm.online, calm)[0], "dropping in time is no fault"
    assert "80% of the pictures are dropped" in health.findings(calm)[0].words


def test_nothing_is_wrong_when_nothing_is_known_yet() -> None:
    assert health.findings(Facts()) == []
    assert {number.value for number in numbers.numbers(Facts()) if "waiting" in number.name} == {"?"}


def test_every_number_says_what_it_means_and_what_to_do() -> None:
    facts = Facts(None, stack(400.0), [stream(superseded=5, expired=5)], READ, pulse_of([timing()] * 3))
    found = {number.name: number.value for number in numbers.numbers(facts)}
    assert found == {
        "Streams": "1",
        "Answers a second": "15",
        "Time to answer": "20 ms",
        "Dropped": "10%",
        "Live waiting": "0",
        "Photos waiting": "0",
        "Results to store": "0",
        "Not answerable": "0",
        "Disk": "10%",
    }
    assert all(len(number.means) > 20 and len(number.act) > 20 for number in numbers.numbers(facts))
    assert {row["cause"]: row["pictures"] for row in numbers.dropped_rows(facts)} == {
        "superseded": 5,
        "expired": 5,
        "late": 0,
        "retention": 0,
    }


def test_stages_are_those_of_the_answers_and_skewed_clocks_are_left_out() -> None:
    found = pulse_of([timing(None, detect=9.0), timing(30.0, detect=11.0), timing(40.0, detect=10.0)])
    assert (found.answers, found.total and found.total.p50) == (3, 35.0)
    assert {stage.name: stage.p50 for stage in found.stages}["detect"] == 10.0
    assert pulse_of([]) == Pulse(0, None, ())
    assert [row["stage"] for row in numbers.stage_rows(Facts(pulse=found))][:2] == ["capture to ingest", "queue"]
    assert pulse_of([timing(5.0)]).total == Stage("total", 5.0, 5.0)


def test_answers_are_timed_while_somebody_looks_and_photos_are_not(dashboard: Dashboard, settings: Settings) -> None:
    watch, publisher = PulseWatch(dashboard.answers), Publisher(settings.kafka)

    def send() -> bool:
        for origin in ("camera", "upload"):
            reply = answer(frame(f"pulse-{uuid.uuid4().hex[:6]}", origin=origin))
            publisher.send(*json_record(AGES, reply.stream, reply, id=reply.id), lambda *_: None)
        assert publisher.flush(10) == 0
        return watch.now().answers > 0

    try:
        assert watch.now() == Pulse(0, None, ()), "the first question is answered at once"
        wait_for(send, 20, "sent")
        found = watch.now()
        assert found.total is not None
        assert {stage.name for stage in found.stages} == set(numbers.STAGES)
    finally:
        watch.close()
        publisher.close()


def test_what_waits_is_read_from_the_broker_and_reasons_from_the_store(settings: Settings, mongo_uri: str) -> None:
    """A consumer group of this test's own: what it has not committed waits."""
    mongo = MongoSettings(uri=mongo_uri, database=f"t{uuid.uuid4().hex[:10]}")
    group = f"lag-{uuid.uuid4().hex[:8]}"
    own = settings.model_copy(
        update={"mongo": mongo, "processor": settings.processor.model_copy(update={"group": group})}
    )
    store, now = Store(mongo), datetime.now(UTC)
    reasons = ("truncated", "truncated", "timeout")
    store.write(
        [
            ("dead_letters", UpdateOne({"_id": n}, {"$set": {"reason": reason, "at": now}}, upsert=True))
            for n, reason in enumerate(reasons)
        ]
    )
    store.close()
    _commit_end(own.kafka, group)
    watch = LagWatch(own)
    try:
        assert watch.now() == Waiting(), "the first question is answered at once"
        wait_for(lambda: watch.now().known, 40, "known")
        found = watch.now()
        assert (found.uploads, found.dead_letters) == (0, {"truncated": 2, "timeout": 1})
        assert found.to_store is not None
        with_one = frame(f"upload/{uuid.uuid4()}", origin="upload")
        publisher = Publisher(own.kafka)
        publisher.send(FRAMES_UPLOAD.name, with_one.key, b"\xff\xd8", with_one.headers(), lambda *_: None)
        assert publisher.flush(10) == 0
        publisher.close()
        wait_for(lambda: watch.now().uploads == 1, 40, "one upload")
    finally:
        watch.close()


def _commit_end(kafka: KafkaSettings, group: str) -> None:
    consumer = Consumer(kafka.librdkafka_consumer(group))
    numbers_of = consumer.list_topics(FRAMES_UPLOAD.name, timeout=10).topics[FRAMES_UPLOAD.name].partitions
    ends = []
    for number in numbers_of:
        place = TopicPartition(FRAMES_UPLOAD.name, number)
        ends.append(TopicPartition(FRAMES_UPLOAD.name, number, consumer.get_watermark_offsets(place, timeout=10)[1]))
    consumer.commit(offsets=ends, asynchronous=False)
    consumer.close()


def test_a_store_that_is_away_is_told_without_waiting_for_it(settings: Settings) -> None:
    away = MongoSettings(uri="mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200")
    watch = LagWatch(settings.model_copy(update={"mongo": away}))
    try:
        started = time.monotonic()
        watch.now()
        assert time.monotonic() - started < 0.1
        wait_for(lambda: watch.now().known, 40, "known")
        assert watch.now().store_away
        assert watch.now().live is not None
    finally:
        watch.close()


def words(app: AppTest) -> str:
    assert not app.exception, app.exception
    kinds = (app.title, app.subheader, app.markdown, app.caption, app.info, app.warning, app.success)
    return "\n".join(element.value for kind in kinds for element in kind)


def test_the_page_works_without_a_stack_and_hides_other_peoples_webcams(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(dashboard, "settings", dashboard.settings.model_copy(update={"data": tmp_path}))
    for name, origin in (("sys-cam", "camera"), ("webcam-sys", "webcam")):
        dashboard.directory.take(status(name, origin=origin))
    app = AppTest.from_string(SCRIPT, default_timeout=60).run()
    shown = words(app)
    assert "not started by “mairror up”" in shown
    assert "of other visitors" in shown
    assert len(app.metric) == 9
    assert all(metric.help for metric in app.metric)
    listed = app.dataframe[0].value
    assert "webcam-sys" not in listed["stream"].tolist()
    assert listed.set_index("stream").loc["sys-cam"]["state"] == "online"
    dashboard.directory.take(status("sys-cam", state="offline"))
    mine = AppTest.from_string(SCRIPT, default_timeout=60)
    mine.session_state[OWN_STREAMS] = ["webcam-sys"]
    listed = mine.run().dataframe[0].value
    assert "webcam-sys" in listed["stream"].tolist()
    assert listed.set_index("stream").loc["sys-cam"]["state"] == "offline", "one that ended is still told"
    dashboard.directory.take(status("webcam-sys", state="offline", origin="webcam"))
