"""Records of the result topics as documents. Pure: the same record always gives the same upsert.

`_id` is the event's own id, so a record delivered twice is one document.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from confluent_kafka import Message
from pymongo.operations import UpdateOne

from contracts.cloudevents import header_texts
from contracts.errors import InvalidInput, Reason
from contracts.settings import MongoSettings
from contracts.topics import AGES, CORRECTIONS, DEAD_LETTERS, OUTCOMES, STREAMS, TRACKS
from sinks.mongo.store import Document, Write

TIMES = frozenset({"captured_at", "first_seen", "last_seen", "at"})


def writes_of(message: Message, settings: MongoSettings) -> list[Write]:
    """The upserts of one record.

    Raises:
        InvalidInput: the record is not what its topic promises.
    """
    topic = str(message.topic())
    make = _MAKERS.get(topic)
    if make is None:
        raise InvalidInput(Reason.BAD_BODY, f"no documents are made of {topic}")
    return make(message, settings)


def _body(message: Message) -> Document:
    try:
        found = msgspec.json.decode(message.value() or b"")
    except msgspec.MsgspecError as error:
        raise InvalidInput(Reason.BAD_BODY, f"{message.topic()} record is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise InvalidInput(Reason.BAD_BODY, f"{message.topic()} record is not a JSON object")
    return _with_times(found)


def _with_times(document: Document) -> Document:
    for key, value in document.items():
        if key in TIMES and isinstance(value, str):
            try:
                document[key] = datetime.fromisoformat(value)
            except ValueError as error:
                raise InvalidInput(Reason.BAD_BODY, f"{key} is not a time: {value!r:.40}") from error
        elif isinstance(value, dict):
            _with_times(value)
    return document


def _required(document: Document, *keys: str) -> Any:
    found: Any = document
    for key in keys:
        if not isinstance(found, dict) or key not in found:
            raise InvalidInput(Reason.BAD_BODY, f"field {'.'.join(keys)} is missing")
        found = found[key]
    return found


def _expires(**after: float) -> datetime:
    return datetime.now(UTC) + timedelta(**after)


def _upsert(collection: str, id: Any, fields: Document, expires_at: datetime | None) -> Write:
    """The expiry counts from the first time the document is written: a redelivery does not prolong it."""
    change: Document = {"$set": fields}
    if expires_at is not None:
        change["$setOnInsert"] = {"expires_at": expires_at}
    return collection, UpdateOne({"_id": id}, change, upsert=True)


def _newest(collection: str, id: Any, fields: Document, clock: str, value: Any) -> Write:
    """Only a newer record replaces what is there."""
    return collection, UpdateOne({"_id": id, clock: {"$lt": value}}, {"$set": fields}, upsert=True)


def _answer(message: Message, settings: MongoSettings) -> list[Write]:
    body = _body(message)
    id, stream = _required(body, "id"), _required(body, "stream")
    captured = _required(body, "frame", "captured_at")
    fields = {key: value for key, value in body.items() if key != "id"}
    if _required(body, "frame", "origin") == "upload":
        return [_upsert("uploads", id, fields, _expires(hours=settings.upload_hours))]
    return [
        _upsert("frames", id, fields, _expires(minutes=settings.frame_minutes)),
        _newest("latest", stream, {"answer": body, "captured_at": captured}, "captured_at", captured),
    ]


def _track(message: Message, settings: MongoSettings) -> list[Write]:
    body = _body(message)
    id = _required(body, "track")
    expires = _expires(days=settings.history_days)
    fields = {key: value for key, value in body.items() if key != "track"} | {"expires_at": expires}
    # an `end` carries the frame count of the last update and must still win over it
    order = 2 * _required(body, "frames") + (_required(body, "event") == "end")
    return [_newest("tracks", id, fields | {"order": order}, "order", order)]


def _outcome(message: Message, settings: MongoSettings) -> list[Write]:
    body = _body(message)
    id = f"{message.topic()}/{message.partition()}/{message.offset()}"
    return [_upsert("outcomes", id, body, _expires(days=settings.history_days))]


def _stream(message: Message, settings: MongoSettings) -> list[Write]:
    body = _body(message)
    id = f"{_required(body, 'stream')}/{_required(body, 'writer')}"
    return [_newest("streams", id, body, "at", _required(body, "at"))]


def _correction(message: Message, settings: MongoSettings) -> list[Write]:
    body = _body(message)
    id = f"{_required(body, 'answer')}/{_required(body, 'face')}"
    return [_upsert("corrections", id, body, _expires(days=90))]


def _dead_letter(message: Message, settings: MongoSettings) -> list[Write]:
    """The reason outlives the bytes; the bytes and personal headers never reach the store."""
    headers = header_texts(message)
    wanted = ("reason", "detail", "topic", "partition", "offset", "failed-at")
    fields: Document = {name.replace("-", "_"): headers.get(f"mairror-{name}", "") for name in wanted}
    fields |= {"source": headers.get("ce_source", ""), "at": datetime.now(UTC), "bytes": len(message.value() or b"")}
    id = "{topic}/{partition}/{offset}".format(**fields)
    return [_upsert("dead_letters", id, fields, _expires(days=settings.reason_days))]


_MAKERS: dict[str, Callable[[Message, MongoSettings], list[Write]]] = {
    AGES.name: _answer,
    TRACKS.name: _track,
    OUTCOMES.name: _outcome,
    STREAMS.name: _stream,
    CORRECTIONS.name: _correction,
    DEAD_LETTERS.name: _dead_letter,
}

READ = tuple(_MAKERS)
"""Topics the sink reads."""
