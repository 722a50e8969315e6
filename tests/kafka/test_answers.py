"""Frames in, answers out, on a real broker with the real model: what is said about known pictures."""

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from contracts.documents import schemas
from contracts.limits import MAX_FRAME_BYTES
from contracts.reading import TopicReader
from contracts.settings import Settings
from contracts.topics import STREAMS, TRACKS
from producers.camera import Play, Replay
from producers.sample import SampleSource
from producers.sources import open_source
from tests.kafka.conftest import Results
from tests.kafka.sending import Sender, frame, live, unique
from tests.services import Service, wait_for

Reader = Callable[[str], Results]
VALIDATOR = jsonschema.Draft202012Validator(schemas()["answer.v1.json"])


@pytest.fixture(autouse=True)
def running(processor: Service) -> None:
    """Every test here needs the processor."""


def test_known_faces_get_plausible_ages(
    settings: Settings, send: Sender, results: Reader, hopper: bytes, collins: bytes, no_face: bytes
) -> None:
    stream = unique("known")
    found = results(stream)
    for sequence, jpeg in enumerate((hopper, collins, no_face)):
        send(frame(stream, sequence), jpeg)
    send.wait()
    found.read(lambda r: len(r.answers) == 3)
    for body in found.bodies:
        VALIDATOR.validate(body)
    old, young, nobody = sorted(found.answers, key=lambda answer: answer.frame.sequence)
    assert len(old.faces) == len(young.faces) == 1
    assert old.faces[0].age is not None
    assert old.faces[0].age.years >= 55
    assert young.faces[0].age is not None
    assert 25 <= young.faces[0].age.years <= 50
    assert young.faces[0].age.low <= young.faces[0].age.years <= young.faces[0].age.high
    assert nobody.faces == []
    assert old.timing_ms.clock == "ok"


def test_a_replay_has_a_ledger_that_closes_tracks_and_a_status(settings: Settings, results: Reader) -> None:
    stream = unique("moving")
    found = results(stream)
    news = TopicReader(settings.kafka, [TRACKS.name, STREAMS.name])
    replay = Replay(settings, SampleSource(30), Play(stream, "public-domain", seconds=4))
    totals = replay.run()
    assert totals.captured >= 60
    assert totals.closes
    assert totals.in_flight == 0
    assert totals.captured == totals.answered + sum(totals.dropped.values()) + totals.dead_lettered
    assert totals.answered > 0
    found.read(lambda r: len({answer.id for answer in r.answers}) == totals.answered)
    tracks = {face.track for answer in found.answers for face in answer.faces if face.track}
    assert len(tracks) == 2, "two people, two tracks"
    smoothed = [face.age.smoothed_years for answer in found.answers for face in answer.faces if face.age and face.track]
    assert all(years is not None for years in smoothed)
    check_fused(found)
    events: list[dict[str, object]] = []
    states: list[tuple[str, str]] = []

    def ended() -> bool:
        message = news.poll(0.1)
        if message is not None and (message.key() or b"").startswith(stream.encode()):  # type: ignore[arg-type]
            body = json.loads(message.value() or b"")
            if message.topic() == TRACKS.name:
                events.append(body)
            else:
                states.append((body["writer"], body["state"]))
        return sum(event["event"] == "end" for event in events) == 2 and ("processor", "offline") in states

    wait_for(ended, 40, "tracks end and the stream goes offline")
    news.close()
    assert [event["event"] for event in events].count("new") == 2
    assert ("producer", "online") in states
    assert ("producer", "offline") in states


def check_fused(found: Results) -> None:
    """What people see of a track stands still and belongs together, on the topic as in the schema."""
    for body in found.bodies:
        VALIDATOR.validate(body)
    shown: dict[str, list[int]] = {}
    for answer in sorted(found.answers, key=lambda answer: answer.frame.sequence):
        for face in answer.faces:
            if face.track is None or face.age is None:
                continue
            age = face.age
            assert age.smoothed_low is not None
            assert age.smoothed_high is not None
            assert age.smoothed_years is not None
            assert age.shown_years is not None
            assert age.smoothed_low <= age.smoothed_years <= age.smoothed_high
            assert abs(age.shown_years - age.smoothed_years) <= 1
            shown.setdefault(face.track, []).append(age.shown_years)
    for years in shown.values():
        assert np.std(years[len(years) // 3 :]) <= 1, "years people see of one person once they had time to settle"


def test_the_cli_plays_a_picture_and_every_frame_of_a_folder(
    settings: Settings, tmp_path: Path, hopper: bytes, collins: bytes, no_face: bytes
) -> None:
    for number, jpeg in enumerate((hopper, collins, no_face)):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg)
    source = open_source(str(tmp_path))
    totals = Replay(settings, source, Play(unique("folder"), "public-domain", every_frame=True)).run()
    assert (totals.captured, totals.answered) == (3, 3)
    assert totals.closes


def test_a_producer_whose_clock_is_five_minutes_off_loses_nothing(send: Sender, results: Reader, hopper: bytes) -> None:
    from datetime import UTC, datetime, timedelta

    for minutes in (-5, 5):
        stream = unique("skewed")
        found = results(stream)
        wrong = datetime.now(UTC) + timedelta(minutes=minutes)
        for sequence in range(3):
            item = live(stream, sequence)
            wrong += timedelta(milliseconds=33)
            skewed = frame(stream, sequence, captured_at=wrong, expires_at=wrong + timedelta(seconds=0.5))
            assert item.id == skewed.id
            send(skewed, hopper)
            send.wait()
            found.read(lambda r, wanted=sequence + 1: len(r.answers) >= wanted)
        assert [answer.timing_ms.total for answer in found.answers] == [None] * 3
        assert {answer.timing_ms.reason for answer in found.answers} == {"clock"}
        assert {fate for fates in found.fates.values() for fate in fates} <= {("answered", None)}


def test_an_old_live_frame_is_dropped_unread_and_told(send: Sender, results: Reader, hopper: bytes) -> None:
    stream = unique("late")
    found = results(stream)
    send(live(stream, 0, spent_ms=900.0), hopper)
    send(frame(stream, 1), hopper)
    send.wait()
    found.read(lambda r: {0, 1} <= set(r.fates))
    assert found.fates[0] == {("dropped", "expired")}
    assert found.fates[1] == {("answered", None)}
    found.read(lambda r: len(r.answers) == 1)
    assert found.answers[0].dropped_since_last == {"expired": 1}


def test_the_largest_frame_with_all_headers_passes(send: Sender, results: Reader, hopper: bytes) -> None:
    """JPEG may carry anything behind a comment marker: the picture is Hopper's, the rest is padding."""
    room = MAX_FRAME_BYTES - len(hopper)
    padding = b""
    while room > 0:
        size = min(room - 4, 65_000) if room > 8 else 0
        if size <= 0:
            break
        padding += b"\xff\xfe" + (size + 2).to_bytes(2, "big") + bytes(size)
        room = MAX_FRAME_BYTES - len(hopper) - len(padding)
    largest = hopper[:2] + padding + hopper[2:]
    largest = largest[:-2] + bytes(MAX_FRAME_BYTES - len(largest)) + largest[-2:]
    assert len(largest) == MAX_FRAME_BYTES
    stream = ("s" * 50 + unique("x"))[:64]
    found = results(stream)
    send(live(stream, 10**11, budget=20, consent="c" * 2000, connection="c-" + "f" * 60), largest)
    send(frame(stream, 10**11 + 1, consent="c" * 2000), largest)
    send.wait()
    found.read(lambda r: len(r.fates) == 2)
    assert found.fates[10**11 + 1] == {("answered", None)}


def test_poison_is_dead_lettered_and_the_rest_is_answered(
    settings: Settings, processor: Service, send: Sender, results: Reader, hopper: bytes
) -> None:
    from contracts.cloudevents import header_texts
    from contracts.topics import DEAD_LETTERS

    stream = unique("poison")
    letters = TopicReader(settings.kafka, [DEAD_LETTERS.name])
    found = results(stream)
    pid = processor.process.pid if processor.process else 0
    bad = [b"", b"not a picture", hopper[: len(hopper) // 2], b"\xff\xd8\xff\xe0" + bytes(200)]
    for sequence in range(12):
        send(frame(stream, sequence), bad[sequence // 3] if sequence % 3 == 0 else hopper)
    send.raw("mairror.frames.live.v1", stream, hopper, [("content-type", b"image/jpeg")])
    send.wait()
    found.read(lambda r: len(r.fates) == 12)
    assert {sequence for sequence, fates in found.fates.items() if fates == {("answered", None)}} == {
        sequence for sequence in range(12) if sequence % 3
    }
    reasons = {next(iter(found.fates[sequence]))[1] for sequence in (0, 3, 6, 9)}
    assert reasons <= {"empty", "not_an_image", "truncated"}
    got: dict[str, dict[str, str]] = {}

    def all_there() -> bool:
        message = letters.poll(0.1)
        if message is not None and message.key() == stream.encode():
            texts = header_texts(message)
            got[texts["mairror-offset"]] = texts
        return len(got) == 5

    wait_for(all_there, 20, f"five dead letters, got {got}")
    letters.close()
    assert all(text["mairror-topic"] == "mairror.frames.live.v1" for text in got.values())
    assert sum(text["mairror-reason"] == "bad_header" for text in got.values()) == 1
    assert processor.running
    assert processor.process is not None
    assert processor.process.pid == pid, "poison restarted the processor"
