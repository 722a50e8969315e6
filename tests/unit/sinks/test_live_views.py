"""What viewers of live streams are told: pairs of frame and answer, figures, the directory of streams."""

import time
import uuid

import pytest

from contracts.admin import apply_topics
from contracts.answers import Answer, encode
from contracts.frames import Frame
from contracts.kafka import KafkaSettings
from contracts.publishing import Publisher
from contracts.records import json_record
from contracts.topics import AGES, FRAMES_LIVE, STREAMS
from sinks.live.directory import MAX_STREAMS, StreamDirectory
from sinks.live.figures import WINDOW_SECONDS, LiveFigures, percentile
from sinks.live.pairing import MAX_ANSWERS, MAX_FRAMES, Pairing
from sinks.live.subscription import LiveItem
from tests.apps.dashboard.making import answer, face, frame, status
from tests.services import wait_for


def sent(item: Frame, jpeg: bytes = b"jpeg") -> LiveItem:
    return LiveItem(FRAMES_LIVE.name, item.stream, item.key.encode(), jpeg, dict(item.headers()), 0.0)


def answered(item: Answer) -> LiveItem:
    return LiveItem(AGES.name, item.stream, b"", encode(item), {}, 0.0)


def test_a_frame_and_its_answer_make_a_pair_in_either_order() -> None:
    pairing = Pairing()
    first, second = frame("cam", 1), frame("cam", 2)
    assert pairing.take(sent(first, b"one")) is None
    pair = pairing.take(answered(answer(first, face())))
    assert pair is not None
    assert (pair.jpeg, pair.answer.frame.sequence) == (b"one", 1)
    assert pairing.take(answered(answer(second))) is None
    pair = pairing.take(sent(second, b"two"))
    assert pair is not None
    assert pair.jpeg == b"two"


def test_pairs_never_go_back_within_a_connection() -> None:
    pairing = Pairing()
    frames = [frame("cam", number) for number in range(3)]
    for item in frames:
        pairing.take(sent(item))
    assert pairing.take(answered(answer(frames[2]))) is not None
    assert pairing.take(answered(answer(frames[1]))) is None
    again = frame("cam", 0, connection="c-2")
    pairing.take(sent(again))
    assert pairing.take(answered(answer(again))) is not None, "a new connection begins anew"


def test_what_never_finds_its_other_half_is_bounded() -> None:
    pairing = Pairing()
    for number in range(3 * MAX_FRAMES):
        pairing.take(sent(frame("cam", number), bytes(400_000)))
        pairing.take(answered(answer(frame("cam", 10_000 + number))))
    assert pairing._bytes == sum(len(jpeg) for jpeg in pairing._frames.values()) <= 16 * 1024 * 1024
    assert len(pairing._frames) <= MAX_FRAMES
    assert len(pairing._answers) == MAX_ANSWERS


def test_what_is_no_answer_is_left_out() -> None:
    assert Pairing().take(LiveItem(AGES.name, "cam", b"", b"not json", {}, 0.0)) is None


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_figures_count_the_last_seconds_only() -> None:
    clock = Clock()
    figures = LiveFigures(clock, time.time)
    for step in range(100):
        clock.now = 100 + step / 10
        figures.take(answer(frame("cam", step), captured_ago=0.1 if step % 10 else 0.3))
    now = figures.now()
    assert now.fps == pytest.approx(10, abs=0.5)
    assert now.p50_ms == pytest.approx(100, abs=30)
    assert now.p95_ms == pytest.approx(300, abs=30)
    clock.now += WINDOW_SECONDS + 1
    now = figures.now()
    assert (now.fps, now.p50_ms, now.p95_ms) == (0.0, None, None)
    assert now.since_answer_ms == pytest.approx(6000, abs=1)


def test_answers_with_wrong_clocks_count_but_have_no_latency() -> None:
    figures = LiveFigures()
    assert figures.take(answer(frame("cam"), clock="skewed", captured_ago=300)) is None
    assert figures.now().p50_ms is None
    assert figures.now().fps > 0


@pytest.mark.parametrize(("share", "expected"), [(0.5, 5.0), (0.95, 10.0), (0.0, 1.0), (1.0, 10.0)])
def test_percentiles_are_values_that_were_measured(share: float, expected: float) -> None:
    assert percentile([float(number) for number in range(1, 11)], share) == expected
    assert percentile([], share) is None


@pytest.fixture
def directory(kafka: str) -> StreamDirectory:
    settings = KafkaSettings(bootstrap=kafka, partitions=3)
    apply_topics(settings)
    return StreamDirectory(settings)


def test_the_directory_knows_streams_from_before_it_began(kafka: str) -> None:
    settings = KafkaSettings(bootstrap=kafka, partitions=3)
    apply_topics(settings)
    name = f"cam-{uuid.uuid4().hex[:8]}"
    publisher = Publisher(settings)
    publisher.send(*json_record(STREAMS, f"{name}/producer", status(name), id="1"), lambda *_: None)
    assert publisher.close() == 0
    directory = StreamDirectory(settings)
    wait_for(lambda: directory.entry(name) is not None, 20, "the stream is known")
    entry = directory.entry(name)
    directory.close()
    assert entry is not None
    assert entry.online
    assert (entry.origin, entry.width, entry.height, entry.counts["captured"]) == ("camera", 640, 480, 10)


def test_a_stream_is_online_while_somebody_speaks_of_it_and_its_producer_has_not_left(
    directory: StreamDirectory,
) -> None:
    directory.close()
    directory.take(status("ended", "producer", "offline"))
    directory.take(status("ended", "processor"))
    directory.take(status("silent", ago=60))
    directory.take(status("foreign", "processor", fps=9.0))
    directory.take(status("both", "producer"))
    directory.take(status("both", "processor", fps=12.0))
    directory.take(status("upload/1", "processor", origin="upload"))
    found = {
        entry.stream: entry
        for entry in directory.entries()
        if entry.stream in {"ended", "silent", "foreign", "both", "upload/1"}
    }
    assert {name for name, entry in found.items() if entry.online} == {"foreign", "both"}
    assert "upload/1" not in found
    assert found["both"].fps == 12.0
    assert found["silent"].seconds_ago == pytest.approx(60, abs=2)


def test_an_older_word_does_not_replace_a_newer_one(directory: StreamDirectory) -> None:
    directory.close()
    directory.take(status("late", "producer", "offline"))
    directory.take(status("late", "producer", "online", ago=5))
    entry = directory.entry("late")
    assert entry is not None
    assert not entry.online


def test_the_directory_is_bounded_and_forgets_whom_nobody_spoke_of_for_longest(directory: StreamDirectory) -> None:
    directory.close()
    for number in range(MAX_STREAMS + 5):
        directory.take(status(f"s{number}"))
        directory.take(status("kept"))
    assert len(directory.entries()) == MAX_STREAMS
    assert directory.entry("kept") is not None
    assert directory.entry("s0") is None
