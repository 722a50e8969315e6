"""The smaller JSON messages: tracks, outcomes, stream status, corrections, erasures.

`mairror.tracks.v1` tells a person's life in a stream (new, update, end); `mairror.outcomes.v1` tells
what became of every frame; `mairror.streams.v1` tells which streams are there.
"""

from datetime import datetime
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from contracts.answers import Box
from contracts.errors import InvalidInput, Reason

T = TypeVar("T", bound=Struct)
Kind = Literal["answered", "dropped", "dead_lettered"]
Cause = Literal["superseded", "expired", "late", "retention"]


class TrackEvent(Struct, frozen=True):
    """One person in one stream. Key: the track id; the topic is compacted, so the last event stays."""

    track: str
    stream: str
    event: Literal["new", "update", "end"]
    first_seen: datetime
    last_seen: datetime
    frames: Annotated[int, Meta(ge=1, description="frames in which the face was seen")]
    aged_frames: Annotated[int, Meta(ge=0, description="frames that gave an age")]
    years: float | None
    low: float | None
    high: float | None
    box: Box
    preset: str


class SequenceRange(Struct, frozen=True):
    """Sequences first..last (both included) of one connection and what became of them."""

    first: Annotated[int, Meta(ge=0)]
    last: Annotated[int, Meta(ge=0)]
    outcome: Kind
    cause: str | None = None
    """For drops: superseded, expired, late, retention. For dead letters: the reason code."""


class Outcome(Struct, frozen=True):
    """What became of some frames. The ledger is the set union over sequences, so redelivery changes nothing."""

    stream: str
    connection: str
    writer: Literal["producer", "processor"]
    at: datetime
    ranges: list[SequenceRange]


class StreamStatus(Struct, frozen=True):
    """A stream as one writer sees it. Key: stream + "/" + writer."""

    stream: str
    writer: Literal["producer", "processor"]
    state: Literal["online", "offline"]
    connection: str
    at: datetime
    origin: str
    width: int
    height: int
    fps: float
    counts: dict[str, int]
    detail: str = ""


class Correction(Struct, frozen=True):
    """Somebody says an answer was wrong."""

    answer: str
    face: Annotated[int, Meta(ge=0)]
    at: datetime
    true_age: Annotated[float, Meta(ge=0, le=120)] | None = None
    comment: Annotated[str, Meta(max_length=500)] = ""


class Erasure(Struct, frozen=True):
    """Everything about a subject is to be removed, and never to come back."""

    subject: str
    kind: Literal["stream", "upload", "person"]
    at: datetime


def decode(kind: type[T], body: bytes) -> T:
    """Read a message of this kind.

    Raises:
        InvalidInput: not JSON, or not of this kind.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise InvalidInput(Reason.BAD_BODY, f"not a {kind.__name__}: {error}") from error
