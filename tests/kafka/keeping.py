"""Puts records into a store as the sink does, without a broker: the real makers of documents, the real summing up."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from contracts.answers import Answer
from contracts.events import StreamStatus, TrackEvent
from contracts.settings import MongoSettings
from contracts.topics import AGES, STREAMS, TRACKS
from sinks.mongo.documents import writes_of
from sinks.mongo.minutes import Minutes
from sinks.mongo.store import Store
from tests.apps.dashboard.making import answer, face, frame, status

TOPICS = {Answer: AGES, TrackEvent: TRACKS, StreamStatus: STREAMS}


class Kept:
    """A record as the sink gets it."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def topic(self) -> str:
        return TOPICS[type(self._body)].name

    def value(self) -> bytes:
        return msgspec.json.encode(self._body)


def keep(store: Store, mongo: MongoSettings, bodies: Iterable[Any]) -> None:
    """Write these answers, tracks and statuses, and sum up the minutes that are over."""
    minutes = Minutes(store, mongo)
    for body in bodies:
        store.write(writes_of(Kept(body), mongo))  # type: ignore[arg-type]
        if isinstance(body, Answer) and body.frame.origin != "upload":
            minutes.touch(body.stream, body.frame.captured_at)
    minutes.sum_up()


def seen(stream: str, at: datetime, *years: float | None, sequence: int = 0, track: str | None = None) -> Answer:
    """An answer of a live stream, captured at `at`, with these faces."""
    found = answer(frame(stream, sequence), *(face(years=age, track=track) for age in years))
    return msgspec.structs.replace(
        found, id=f"a-{stream}-{at.timestamp()}", frame=msgspec.structs.replace(found.frame, captured_at=at)
    )


def photo(name: str, at: datetime, *years: float | None) -> Answer:
    """An answer to an uploaded picture."""
    found = answer(
        frame(f"upload/{name}", origin="upload"), *(face(0.1 + n / 5, years=age) for n, age in enumerate(years))
    )
    return msgspec.structs.replace(
        found, id=f"photo-{name}", frame=msgspec.structs.replace(found.frame, captured_at=at)
    )


def person(stream: str, number: int, first: datetime, seconds: float, years: float | None = 34.0) -> TrackEvent:
    """The end of somebody's time in a stream."""
    low, high = (None, None) if years is None else (years - 5, years + 6)
    last = first + timedelta(seconds=seconds)
    box = face().box
    return TrackEvent(f"{stream}:c-1:1:{number}", stream, "end", first, last, 9, 8, years, low, high, box, "cydral")


def speaks(stream: str, origin: str = "camera") -> StreamStatus:
    """The producer's word that makes a stream known."""
    return status(stream, origin=origin)
