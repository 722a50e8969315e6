"""The live fan-out on a real broker: newest wins, memory is bounded, an outage ends by itself."""

import asyncio
import threading
import time
import uuid
from collections.abc import Iterator

import pytest

from apps.local.server import Server
from contracts.admin import apply_topics
from contracts.kafka import KafkaSettings
from contracts.metrics import LIVE_SUBSCRIBERS, gauge
from contracts.publishing import Publisher
from contracts.topics import STREAMS, TRACKS, Topic
from sinks.live.fanout import LiveFanout, stream_of
from sinks.live.subscription import MAX_WAITING, LiveItem, Subscription
from tests.services import wait_for

HEADERS = [("ce_id", b"1")]


class Wire:
    """A topic of its own, a publisher on it and a fan-out that reads it."""

    def __init__(self, bootstrap: str) -> None:
        self.settings = KafkaSettings(bootstrap=bootstrap, partitions=2)
        self.topic = f"tests.live.{uuid.uuid4().hex[:8]}"
        apply_topics(self.settings, topics=[Topic(self.topic, "stream id", "jpeg", 100_000, 600)])
        self.publisher = Publisher(self.settings, message_timeout_ms=60_000)
        self.fanout = LiveFanout(self.settings, [self.topic])
        assert self.fanout.wait_ready()

    def send(self, stream: str, value: bytes) -> None:
        self.publisher.send(self.topic, stream, value, HEADERS, lambda *_: None)

    def close(self) -> None:
        self.fanout.close()
        self.publisher.close()


@pytest.fixture
def wire(kafka: str) -> Iterator[Wire]:
    found = Wire(kafka)
    yield found
    found.close()


def read_to(subscription: Subscription, last: bytes, seconds: float = 20) -> list[bytes]:
    """Values up to and with `last`."""
    found: list[bytes] = []
    deadline = time.monotonic() + seconds
    while not found or found[-1] != last:
        assert time.monotonic() < deadline, f"{last!r} did not come; {len(found)} did, the last was {found[-1:]!r}"
        item = subscription.next(0.2)
        if item is not None:
            found.append(item.value)
    return found


def test_a_viewer_gets_key_value_headers_and_time(wire: Wire) -> None:
    with wire.fanout.subscribe("cam") as viewer:
        sent = time.time()
        wire.send("other", b"not mine")
        wire.send("cam", b"mine")
        item = viewer.next(10)
    assert item is not None
    assert (item.topic, item.stream, item.key, item.value) == (wire.topic, "cam", b"cam", b"mine")
    assert item.headers == {"ce_id": b"1"}
    assert abs(item.timestamp - sent) < 5


def test_a_slow_viewer_sees_the_newest_and_holds_one_item_a_stream(wire: Wire) -> None:
    with wire.fanout.subscribe() as slow, wire.fanout.subscribe("a") as quick:
        for number in range(50):
            for stream in ("c", "b", "a"):
                wire.send(stream, f"{stream}{number}".encode())
            assert read_to(quick, f"a{number}".encode()) == [f"a{number}".encode()], "the quick one misses nothing"
            assert len(slow) <= 3
        wait_for(lambda: slow.skipped == 150 - 3, 20, "the slow one skipped")
        newest = [slow.next(1) for _ in range(3)]
        assert {item.value for item in newest if item} == {b"a49", b"b49", b"c49"}
        assert slow.next(0.01) is None


def test_a_viewer_of_everything_that_never_reads_is_bounded_by_a_number_too() -> None:
    viewer = Subscription(None, frozenset({"t"}), lambda _: None)
    for number in range(3 * MAX_WAITING):
        viewer.put(LiveItem("t", f"upload-{number}", b"", b"", {}, 0.0))
    assert len(viewer) == MAX_WAITING
    newest = viewer.next(0)
    assert newest is not None
    assert newest.stream == f"upload-{2 * MAX_WAITING}"


def test_a_fast_stream_does_not_push_itself_back_in_the_queue() -> None:
    viewer = Subscription(None, frozenset({"t"}), lambda _: None)
    for stream in ("fast", "slow", "fast", "fast"):
        viewer.put(LiveItem("t", stream, b"", b"", {}, 0.0))
    assert [item.stream for item in (viewer.next(0), viewer.next(0)) if item] == ["fast", "slow"]


def test_fifty_viewers_each_see_the_newest(wire: Wire) -> None:
    before = gauge(LIVE_SUBSCRIBERS)._value.get()
    viewers = [wire.fanout.subscribe("cam") for _ in range(50)]
    assert gauge(LIVE_SUBSCRIBERS)._value.get() == before + 50
    for number in range(100):
        wire.send("cam", str(number).encode())
    ended: list[bytes] = []
    threads = [threading.Thread(target=lambda v=viewer: ended.append(read_to(v, b"99")[-1])) for viewer in viewers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended == [b"99"] * 50
    for viewer in viewers:
        viewer.close()
    assert gauge(LIVE_SUBSCRIBERS)._value.get() == before


def test_a_task_of_an_event_loop_waits_without_a_thread(wire: Wire) -> None:
    async def watch() -> tuple[LiveItem | None, LiveItem | None]:
        with wire.fanout.subscribe("upload/u1") as viewer:
            nothing = await viewer.next_async(0.05)
            waiting = asyncio.create_task(viewer.next_async(10))
            await asyncio.sleep(0)
            wire.send("u1", b"answer")
            return nothing, await waiting

    nothing, item = asyncio.run(watch())
    assert nothing is None
    assert item is not None
    assert item.value == b"answer"


def test_closing_ends_whoever_waits(wire: Wire) -> None:
    viewer = wire.fanout.subscribe("cam")
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(viewer.next(30)))
    thread.start()
    wire.fanout.close()
    thread.join(5)
    assert found == [None]
    assert viewer.closed
    assert wire.fanout.subscribe("cam").closed


def test_a_topic_it_does_not_read_is_refused(wire: Wire) -> None:
    with pytest.raises(ValueError, match="not elsewhere"):
        wire.fanout.subscribe("cam", ["elsewhere"])


def test_the_stream_is_found_in_every_kind_of_key() -> None:
    assert stream_of(TRACKS.name, "cam-42:c-9f31:3:7") == "cam-42"
    assert stream_of(STREAMS.name, "cam-42/producer") == "cam-42"
    assert stream_of("mairror.ages.v1", "cam-42") == "cam-42"


def test_it_says_so_while_the_broker_is_away_and_goes_on_when_it_is_back(restartable_broker: Server) -> None:
    wire = Wire(restartable_broker.address)
    with wire.fanout.subscribe("cam") as viewer:
        wire.send("cam", b"before")
        assert read_to(viewer, b"before")
        restartable_broker.kill()
        wait_for(lambda: wire.fanout.problem is not None, 30, "the loss is noticed")
        restartable_broker.start()
        wire.send("cam", b"after")
        read_to(viewer, b"after", 60)
        assert wire.fanout.problem is None
    wire.close()


def test_it_starts_before_its_broker(restartable_broker: Server) -> None:
    wire = Wire(restartable_broker.address)
    wire.fanout.close()
    restartable_broker.kill()
    fanout = LiveFanout(wire.settings, [wire.topic])
    with fanout.subscribe("cam") as viewer:
        restartable_broker.start()
        assert fanout.wait_ready(60)
        wire.send("cam", b"hello")
        read_to(viewer, b"hello", 60)
    fanout.close()
    wire.close()
