"""What was seen over time: sums per piece of time, minutes of streams, people, photos.

Reads `minutes`, `tracks`, `uploads`, `streams`, `frames` and `dead_letters`; writes nothing. Guarantee: every question
names its time span and its streams and has a limit, so no collection is read whole. Only operators that MongoDB and
the built-in store both have are used (times are rounded with `$toLong` and `$mod`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
import pymongo
from pymongo import DESCENDING
from pymongo.database import Database
from pymongo.errors import PyMongoError

from contracts.answers import Answer
from contracts.errors import RetryableError
from sinks.mongo.minutes import BUCKET_YEARS
from sinks.mongo.store import Document

ANSWER_SECONDS = 8.0
"""A store that is there and does not answer is given up after this: people look at a page meanwhile."""
MAX_ROWS = 10_000
"""Most rows of one question."""
MAX_BUCKETS = 2000
MAX_STREAMS = 1000
DECADES = tuple(range(0, 130, BUCKET_YEARS))
"""First year of every decade an age can be in."""


class Span(NamedTuple):
    """`since` <= t < `until`."""

    since: datetime
    until: datetime


@dataclass(frozen=True)
class Bucket:
    """What was seen in a piece of time that begins at `at`."""

    at: datetime
    pictures: int = 0
    faces: int = 0
    decades: Mapping[int, int] = field(default_factory=dict)
    """Faces with an age, by the decade's first year; a decade nobody was in is left out."""


@dataclass(frozen=True)
class StreamMinute:
    """One minute of one stream."""

    stream: str
    minute: datetime
    pictures: int
    faces: int
    no_age: int
    people: int
    median_age: float | None
    median_latency_ms: float | None
    decades: Mapping[int, int]


@dataclass(frozen=True)
class Person:
    """One person in one stream, with the age fused over all pictures."""

    track: str
    stream: str
    first_seen: datetime
    last_seen: datetime
    pictures: int
    years: float | None
    low: float | None
    high: float | None
    preset: str
    here: bool
    """Still in view, as far as the store knows."""


class History:
    """Safe from several threads. Every method raises RetryableError when the store does not answer."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database

    def origins(self) -> dict[str, str]:
        """Stream -> where its pictures come from; at most `MAX_STREAMS`, those heard of last first."""
        with _asking():
            found = self._database["streams"].find({}, {"stream": 1, "origin": 1}).sort("at", DESCENDING)
            origins: dict[str, str] = {}
            # a stream has one document per writer
            for document in found.limit(2 * MAX_STREAMS):
                if document["origin"] != "upload":
                    origins.setdefault(str(document["stream"]), str(document["origin"]))
            return origins

    def seen(self, streams: Sequence[str], span: Span, step_seconds: int) -> list[Bucket]:
        """What was seen in these streams, in pieces of `step_seconds`, oldest first; empty pieces are left out."""
        sums: Document = {name: {"$sum": f"${name}"} for name in ("frames", "faces")}
        sums |= {f"d{decade}": {"$sum": f"$decades.{decade}"} for decade in DECADES}
        pipeline: list[Document] = [
            {"$match": _minutes(streams, span)},
            {"$group": {"_id": _rounded("$minute", step_seconds)} | sums},
            *_in_order(),
        ]
        return [
            Bucket(
                _moment(row["_id"]),
                row["frames"],
                row["faces"],
                {decade: row[f"d{decade}"] for decade in DECADES if row[f"d{decade}"]},
            )
            for row in self._aggregate("minutes", pipeline)
        ]

    def present(self, streams: Sequence[str], span: Span, step_seconds: int) -> dict[str, dict[datetime, int]]:
        """Pictures answered of each stream, in pieces of `step_seconds`; who sent nothing is left out."""
        piece = {"stream": "$stream", "at": _rounded("$minute", step_seconds)}
        pipeline: list[Document] = [
            {"$match": _minutes(streams, span)},
            {"$group": {"_id": piece, "frames": {"$sum": "$frames"}}},
            {"$limit": MAX_ROWS},
        ]
        found: dict[str, dict[datetime, int]] = {}
        for row in self._aggregate("minutes", pipeline):
            found.setdefault(row["_id"]["stream"], {})[_moment(row["_id"]["at"])] = row["frames"]
        return found

    def photos_seen(self, span: Span, step_seconds: int) -> list[Bucket]:
        """The same of uploaded pictures."""
        captured = {"$match": {"frame.captured_at": _between(span)}}
        piece = _rounded("$frame.captured_at", step_seconds)
        sums = {"_id": piece, "pictures": {"$sum": 1}, "faces": {"$sum": {"$size": "$faces"}}}
        rows = self._aggregate("uploads", [captured, {"$group": sums}, *_in_order()])
        decade = {"$floor": {"$divide": ["$faces.age.years", BUCKET_YEARS]}}
        ages: list[Document] = [
            captured,
            {"$unwind": "$faces"},
            {"$match": {"faces.age": {"$ne": None}}},
            {"$group": {"_id": {"at": piece, "decade": decade}, "faces": {"$sum": 1}}},
            {"$limit": MAX_ROWS},
        ]
        decades: dict[datetime, dict[int, int]] = {}
        for row in self._aggregate("uploads", ages):
            by = decades.setdefault(_moment(row["_id"]["at"]), {})
            by[int(row["_id"]["decade"]) * BUCKET_YEARS] = row["faces"]
        moments = ((_moment(row["_id"]), row) for row in rows)
        return [Bucket(at, row["pictures"], row["faces"], decades.get(at, {})) for at, row in moments]

    def minutes(self, streams: Sequence[str], span: Span, limit: int = MAX_ROWS) -> list[StreamMinute]:
        """Minutes of these streams, newest first."""
        found = self._find("minutes", _minutes(streams, span), "minute", limit)
        return [_minute(document) for document in found]

    def people(self, streams: Sequence[str], span: Span, limit: int = MAX_ROWS) -> list[Person]:
        """People who were in view in the span, those seen last first."""
        query = {
            "stream": {"$in": list(streams)},
            "last_seen": {"$gte": span.since},
            "first_seen": {"$lt": span.until},
        }
        return [_person(document) for document in self._find("tracks", query, "last_seen", limit)]

    def person(self, track: str) -> Person | None:
        """One person."""
        found = self._find("tracks", {"_id": track}, "_id", 1)
        return _person(found[0]) if found else None

    def newest_of(self, person: Person) -> Answer | None:
        """The newest stored answer that shows this person; None when single answers are gone already."""
        query = {
            "stream": person.stream,
            "frame.captured_at": {"$gte": person.first_seen, "$lte": person.last_seen},
            "faces.track": person.track,
        }
        found = self._find("frames", query, "frame.captured_at", 1)
        return answer_of(found[0]) if found else None

    def photos(self, span: Span, limit: int = MAX_ROWS) -> list[Answer]:
        """Answers to uploaded pictures, newest first."""
        found = self._find("uploads", {"frame.captured_at": _between(span)}, "frame.captured_at", limit)
        return [answer_of(document) for document in found]

    def photo(self, answer: str) -> Answer | None:
        """One answer to an uploaded picture, by the answer's id."""
        found = self._find("uploads", {"_id": answer}, "_id", 1)
        return answer_of(found[0]) if found else None

    def dead_letters(self, span: Span) -> dict[str, int]:
        """How many records could not be answered, by reason."""
        pipeline: list[Document] = [
            {"$match": {"at": _between(span)}},
            {"$group": {"_id": "$reason", "count": {"$sum": 1}}},
            {"$limit": 100},
        ]
        return {str(row["_id"]): int(row["count"]) for row in self._aggregate("dead_letters", pipeline)}

    def _find(self, collection: str, query: Document, newest_by: str, limit: int) -> list[Document]:
        most = max(1, min(limit, MAX_ROWS))
        with _asking():
            return list(self._database[collection].find(query).sort(newest_by, DESCENDING).limit(most))

    def _aggregate(self, collection: str, pipeline: Sequence[Document]) -> list[Document]:
        with _asking():
            return list(self._database[collection].aggregate(pipeline))


@contextmanager
def _asking() -> Iterator[None]:
    try:
        with pymongo.timeout(ANSWER_SECONDS):
            yield
    except PyMongoError as error:
        raise RetryableError(f"the store does not answer: {error}"[:300]) from error


def _between(span: Span) -> Document:
    return {"$gte": span.since, "$lt": span.until}


def _minutes(streams: Sequence[str], span: Span) -> Document:
    return {"stream": {"$in": list(streams)}, "minute": _between(span)}


def _rounded(time: str, seconds: int) -> Document:
    """Milliseconds of the piece of time it lies in."""
    milliseconds = {"$toLong": time}
    return {"$subtract": [milliseconds, {"$mod": [milliseconds, seconds * 1000]}]}


def _in_order() -> list[Document]:
    return [{"$sort": {"_id": 1}}, {"$limit": MAX_BUCKETS}]


def _moment(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _minute(document: Document) -> StreamMinute:
    return StreamMinute(
        document["stream"],
        document["minute"],
        document["frames"],
        document["faces"],
        document["abstained"],
        document["tracks"],
        document["median_age"],
        document["median_latency_ms"],
        {int(decade): count for decade, count in document["decades"].items()},
    )


def _person(document: Document) -> Person:
    return Person(
        document["_id"],
        document["stream"],
        document["first_seen"],
        document["last_seen"],
        document["frames"],
        document["years"],
        document["low"],
        document["high"],
        document["preset"],
        document["event"] != "end",
    )


def answer_of(document: Document) -> Answer:
    """A stored answer as it was on its topic."""
    fields = {key: value for key, value in document.items() if key not in ("_id", "expires_at")}
    return msgspec.convert(fields | {"id": document["_id"]}, Answer)
