"""The topic table: the one source for topics, users, rights, clients and documents.

The local broker's topics, Strimzi's KafkaTopics and KafkaUsers, the AsyncAPI document and
docs/contracts.md are generated from it or tested equal to it.
"""

import re
from dataclasses import dataclass, field

from contracts.errors import InvalidInput, Reason
from contracts.limits import (
    DEAD_LETTER_HEADER_ROOM,
    HEADER_ROOM,
    MAX_ANSWER_BYTES,
    MAX_FRAME_BYTES,
    MAX_UPLOAD_BYTES,
    MIB,
)

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR

STREAM_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

PROCESSOR_GROUP = "mairror-processor"
MONGO_GROUP = "mairror-sink-mongo"
READER_GROUP = "mairror-reader"
"""Named by readers that `assign()`: nobody joins it, nothing is committed."""


@dataclass(frozen=True)
class Topic:
    """One row of the table. Times in seconds, sizes in bytes."""

    name: str
    key: str
    """What the record key is, in words."""
    value: str
    """Name of the message type (see `contracts.asyncapi`), or `jpeg`, or `original bytes`."""
    max_bytes: int
    """Largest body."""
    retention: int | None
    """Seconds a record is kept; None: compacted for ever."""
    cleanup: tuple[str, ...] = ("delete",)
    retention_bytes: int = 512 * MIB
    """Largest size of one partition."""
    header_room: int = HEADER_ROOM
    append_time: bool = False
    """Stamped by the broker, so that a producer's wrong clock neither keeps nor deletes faces."""
    writers: tuple[str, ...] = ()
    readers: dict[str, str | None] = field(default_factory=dict)
    """Component -> consumer group, or None for readers that `assign()` and join no group."""
    subject_key: str | None = None
    """What an erasure looks for in the key."""

    @property
    def max_message_bytes(self) -> int:
        """Transport limit: body plus headers and framing."""
        return self.max_bytes + self.header_room

    def config(self, retention: float | None = None, scale: float = 1.0) -> dict[str, str]:
        """Topic configuration as the broker's own keys and strings.

        `retention.ms` alone does not delete: an active segment keeps its records. So a segment is at
        most a sixth of the retention old (at most half a day), and with a check every 30 s nothing on
        a running stream is older than 1.5 x retention.

        Args:
            retention: seconds, instead of the table's (drills and tests).
            scale: share of `retention_bytes` that a small disk can give (see `scale_for`).
        """
        seconds = retention if retention is not None else self.retention
        most_bytes = max(int(self.retention_bytes * scale), 2 * self.max_message_bytes)
        entries = {
            "cleanup.policy": ",".join(self.cleanup),
            "max.message.bytes": str(self.max_message_bytes),
            "message.timestamp.type": "LogAppendTime" if self.append_time else "CreateTime",
            "file.delete.delay.ms": "1000",
            "segment.bytes": str(min(64 * MIB, max(most_bytes // 4, 2 * self.max_message_bytes))),
        }
        if seconds is not None:
            entries["retention.ms"] = str(int(seconds * 1000))
            entries["retention.bytes"] = str(most_bytes)
            entries["segment.ms"] = str(int(min(seconds / 6, DAY / 2) * 1000))
        else:
            entries["retention.ms"] = "-1"
            entries["segment.ms"] = str(HOUR * 1000)
        if "compact" in self.cleanup:
            entries["min.cleanable.dirty.ratio"] = "0.1"
            entries["delete.retention.ms"] = str(DAY * 1000)
            entries["max.compaction.lag.ms"] = str(HOUR * 1000)
        return entries


FRAMES_LIVE = Topic(
    name="mairror.frames.live.v1",
    key="stream id",
    value="jpeg",
    max_bytes=MAX_FRAME_BYTES,
    retention=2 * MINUTE,
    retention_bytes=256 * MIB,
    append_time=True,
    writers=("producer", "dashboard"),
    readers={"processor": PROCESSOR_GROUP, "gateway": None, "dashboard": None},
    subject_key="stream",
)
FRAMES_UPLOAD = Topic(
    name="mairror.frames.upload.v1",
    key="upload id",
    value="jpeg",
    max_bytes=MAX_UPLOAD_BYTES,
    retention=24 * HOUR,
    append_time=True,
    writers=("gateway", "dashboard"),
    readers={"processor": PROCESSOR_GROUP, "gateway": None, "dashboard": None},
    subject_key="upload",
)
AGES = Topic(
    name="mairror.ages.v1",
    key="stream id or upload id",
    value="Answer",
    max_bytes=MAX_ANSWER_BYTES,
    retention=7 * DAY,
    writers=("processor",),
    readers={"sink-mongo": MONGO_GROUP, "producer": None, "gateway": None, "dashboard": None, "cli": None},
    subject_key="stream",
)
TRACKS = Topic(
    name="mairror.tracks.v1",
    key="track id",
    value="TrackEvent",
    max_bytes=64 * 1024,
    retention=7 * DAY,
    cleanup=("compact", "delete"),
    writers=("processor",),
    readers={"sink-mongo": MONGO_GROUP, "gateway": None, "dashboard": None, "cli": None},
    subject_key="stream",
)
OUTCOMES = Topic(
    name="mairror.outcomes.v1",
    key="stream id",
    value="Outcome",
    max_bytes=64 * 1024,
    retention=7 * DAY,
    writers=("processor", "producer", "dashboard"),
    readers={"sink-mongo": MONGO_GROUP, "producer": None, "dashboard": None, "cli": None},
    subject_key="stream",
)
STREAMS = Topic(
    name="mairror.streams.v1",
    key="stream id + writer",
    value="StreamStatus",
    max_bytes=16 * 1024,
    retention=None,
    cleanup=("compact",),
    append_time=True,
    writers=("producer", "processor", "dashboard"),
    readers={"sink-mongo": MONGO_GROUP, "producer": None, "gateway": None, "dashboard": None, "cli": None},
    subject_key="stream",
)
CORRECTIONS = Topic(
    name="mairror.corrections.v1",
    key="stream id or upload id",
    value="Correction",
    max_bytes=16 * 1024,
    retention=90 * DAY,
    writers=("gateway", "dashboard"),
    readers={"sink-mongo": MONGO_GROUP},
    subject_key="stream",
)
ERASURES = Topic(
    name="mairror.erasures.v1",
    key="subject",
    value="Erasure",
    max_bytes=16 * 1024,
    retention=90 * DAY,
    cleanup=("compact", "delete"),
    writers=("gateway", "cli"),
    readers={"sink-mongo": MONGO_GROUP, "processor": None},
    subject_key="subject",
)
DEAD_LETTERS = Topic(
    name="mairror.dead-letters.v1",
    key="original key",
    value="original bytes",
    max_bytes=MAX_UPLOAD_BYTES,
    header_room=DEAD_LETTER_HEADER_ROOM,
    retention=24 * HOUR,
    append_time=True,
    writers=("processor", "sink-mongo"),
    readers={"cli": None, "gateway": None, "dashboard": None, "sink-mongo": MONGO_GROUP},
    subject_key="stream",
)

TOPICS: tuple[Topic, ...] = (
    FRAMES_LIVE,
    FRAMES_UPLOAD,
    AGES,
    TRACKS,
    OUTCOMES,
    STREAMS,
    CORRECTIONS,
    ERASURES,
    DEAD_LETTERS,
)


SEGMENT_OVERHANG = 1.25
"""A partition may be a quarter larger than its limit: the segment being written is not deleted."""


def scale_for(total_bytes: float | None, partitions: int) -> float:
    """Share of every topic's byte limit that keeps all topics together within `total_bytes`; at most 1."""
    if total_bytes is None:
        return 1.0
    full = sum(topic.retention_bytes for topic in TOPICS) * partitions * SEGMENT_OVERHANG
    return min(1.0, total_bytes / full)


def by_short_name(name: str) -> Topic:
    """`ages` or `mairror.ages.v1` -> the topic.

    Raises:
        InvalidInput: no such topic; the message lists the names.
    """
    for topic in TOPICS:
        if name in (topic.name, short_name(topic)):
            return topic
    known = ", ".join(short_name(topic) for topic in TOPICS)
    raise InvalidInput(Reason.BAD_HEADER, f"no topic {name!r}: there are {known}")


def short_name(topic: Topic) -> str:
    """`mairror.frames.live.v1` -> `frames.live`."""
    return topic.name.removeprefix("mairror.").removesuffix(".v1")


def check_stream_id(stream: str) -> str:
    """Return the id unchanged.

    Raises:
        InvalidInput: not lower-case letters, digits, dot, underscore, dash; over 64; or a wrong first character.
    """
    if not STREAM_ID.fullmatch(stream):
        raise InvalidInput(
            Reason.BAD_STREAM_ID,
            f"stream id {stream[:80]!r} must match {STREAM_ID.pattern}: at most 64 of a-z, 0-9, . _ -",
        )
    return stream
