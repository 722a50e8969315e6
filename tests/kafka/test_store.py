"""The store: documents are a function of the records, newer beats older, what has expired goes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.operations import UpdateOne

from contracts.errors import InvalidInput, RetryableError
from contracts.settings import MongoSettings
from sinks.mongo.minutes import Minutes
from sinks.mongo.store import Store, ping


class Record:
    """A record as the sink gets it."""

    def __init__(self, topic: str, body: bytes, headers: list[tuple[str, bytes]] | None = None) -> None:
        self._topic, self._body, self._headers = topic, body, headers

    def topic(self) -> str:
        return self._topic

    def value(self) -> bytes:
        return self._body

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 0

    def headers(self) -> list[tuple[str, bytes]] | None:
        return self._headers


def writes(record: Record, mongo: MongoSettings) -> Any:
    from sinks.mongo.documents import writes_of

    return writes_of(record, mongo)  # type: ignore[arg-type]


def answer(sequence: int, at: datetime, years: float = 40.0) -> bytes:
    import json

    face = {"track": "s:c:1:1", "age": {"years": years}, "abstained": None}
    frame = {"id": f"f{sequence}", "connection": "c", "sequence": sequence, "origin": "camera"}
    frame["captured_at"] = at.isoformat()
    body = {"id": f"a{sequence}", "stream": "s", "frame": frame, "faces": [face, {"track": None, "age": None}]}
    return json.dumps(body | {"timing_ms": {"total": 20.0 + sequence}}).encode()


def test_the_same_record_twice_is_one_document_and_the_newest_answer_stays_latest(
    store: Store, mongo: MongoSettings
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    for sequence in (1, 2, 0, 2, 1):
        record = Record("mairror.ages.v1", answer(sequence, now + timedelta(seconds=sequence)))
        store.write(writes(record, mongo))
    assert store.database["frames"].count_documents({}) == 3
    latest = store.database["latest"].find_one({"_id": "s"})
    assert latest is not None
    assert latest["answer"]["frame"]["sequence"] == 2
    assert latest["answer"]["id"] == "a2"


def test_minutes_are_summed_up_once_and_frames_expire(store: Store, mongo: MongoSettings) -> None:
    minute = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=2)
    minutes = Minutes(store, mongo)
    for sequence in range(6):
        at = minute + timedelta(seconds=sequence * 5)
        store.write(writes(Record("mairror.ages.v1", answer(sequence, at, years=30 + sequence * 4)), mongo))
        minutes.touch("s", at)
    assert minutes.sum_up() == 1
    found = store.database["minutes"].find_one({"stream": "s"})
    assert found is not None
    assert (found["frames"], found["faces"], found["abstained"], found["tracks"]) == (6, 12, 6, 1)
    assert found["decades"] == {"30": 3, "40": 2, "50": 1}
    assert found["median_age"] == 40.0
    assert minutes.sum_up() == 0, "nothing is due twice"
    minutes.touch("s", minute)
    minutes.sum_up()
    assert store.database["minutes"].count_documents({}) == 1
    later = datetime.now(UTC) + timedelta(minutes=mongo.frame_minutes + 1)
    assert store.sweep(later) == 6
    assert store.database["frames"].count_documents({}) == 0
    assert store.database["minutes"].count_documents({}) == 1, "history outlives the frames"


def test_a_minute_still_running_is_left_alone(store: Store, mongo: MongoSettings) -> None:
    minutes = Minutes(store, mongo)
    minutes.touch("s", datetime.now(UTC))
    assert minutes.sum_up() == 0


def test_the_end_of_a_track_wins_over_its_last_update(store: Store, mongo: MongoSettings) -> None:
    import json

    body = {"track": "s:c:1:0", "stream": "s", "frames": 9, "last_seen": datetime.now(UTC).isoformat()}
    for event in ("update", "end", "update"):
        store.write(writes(Record("mairror.tracks.v1", json.dumps(body | {"event": event}).encode()), mongo))
    found = store.database["tracks"].find_one({"_id": "s:c:1:0"})
    assert found is not None
    assert found["event"] == "end"


def test_of_a_dead_letter_only_the_reason_is_kept(store: Store, mongo: MongoSettings) -> None:
    headers = [("mairror-reason", b"truncated"), ("mairror-topic", b"t"), ("mairror-partition", b"0")]
    headers += [("mairror-offset", b"7"), ("ce_consentid", b"secret-consent")]
    store.write(writes(Record("mairror.dead-letters.v1", b"\xff\xd8picture", headers=headers), mongo))
    found = store.database["dead_letters"].find_one({"_id": "t/0/7"})
    assert found is not None
    assert found["reason"] == "truncated"
    assert found["bytes"] == 9
    assert "secret-consent" not in str(found)
    assert b"picture" not in str(found).encode()


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"id": 1}', b'{"id": "a", "stream": "s", "frame": {}}'])
def test_what_is_no_answer_is_refused(mongo: MongoSettings, body: bytes) -> None:
    with pytest.raises(InvalidInput):
        writes(Record("mairror.ages.v1", body), mongo)


def test_a_store_that_is_away_is_retryable_and_a_refused_write_is_not_swallowed(store: Store) -> None:
    assert not ping("mongodb://127.0.0.1:1")
    away = Store(MongoSettings(uri="mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200"))
    with pytest.raises(RetryableError, match="does not answer"):
        away.prepare()
    away.close()
    store.database["frames"].create_index("unique_field", unique=True)
    bad = [("frames", UpdateOne({"_id": "x"}, {"$push": {"a": 1}, "$set": {"a": 2}}, upsert=True))]
    with pytest.raises(RetryableError):
        store.write(bad)
