"""A frame on Kafka: JPEG bytes as the value, everything else as CloudEvents 1.0 headers (binary mode).

Written by producers to `mairror.frames.live.v1` and `mairror.frames.upload.v1`, read by the processor.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from contracts import ids
from contracts.cloudevents import Headers, attributes, parse_time, rfc3339
from contracts.errors import InvalidInput, Reason
from contracts.limits import HEADER_ROOM
from contracts.topics import Topic, check_stream_id

FRAME_TYPE = "mairror.frame.v1"
FRAME_SCHEMA = "/schemas/frame.v1.json"
PUBLIC_DOMAIN_CONSENT = "public-domain"
ORIGINS = ("webcam", "camera", "file", "upload", "sample")
RECORD_FRAMING = 1024
"""What Kafka itself adds to a record and its batch, generously."""


@dataclass(frozen=True)
class Frame:
    """The headers of one frame.

    `captured_at` is the producer's wall clock and informative only; `spent_ms` is a duration on its
    monotonic clock, from capture to hand-over, and counts. `expires_at` is set on live frames only:
    a frame without it is never dropped.
    """

    stream: str
    connection: str
    sequence: int
    captured_at: datetime
    width: int
    height: int
    origin: str
    consent: str | None = None
    spent_ms: float = 0.0
    expires_at: datetime | None = None
    traceparent: str = ""

    @property
    def id(self) -> UUID:
        """Deterministic: see `contracts.ids.frame_id`."""
        return ids.frame_id(self.stream, self.connection, self.sequence)

    @property
    def key(self) -> str:
        """The record key: the stream id, or the upload id."""
        return self.stream.removeprefix("upload/")

    @property
    def is_upload(self) -> bool:
        """Uploads never expire and have no tracks."""
        return self.origin == "upload"

    def headers(self) -> Headers:
        """As Kafka headers."""
        traceparent = self.traceparent or ids.new_traceparent()
        found = attributes(
            id=str(self.id),
            source=f"/streams/{self.stream}",
            type=FRAME_TYPE,
            subject=f"{self.connection}/{self.sequence}",
            time=rfc3339(self.captured_at),
            dataschema=FRAME_SCHEMA,
            partitionkey=self.stream,
            sequence=f"{self.sequence:012d}",
            traceparent=traceparent,
            expirytime=rfc3339(self.expires_at) if self.expires_at else None,
            consentid=self.consent,
        )
        own = {
            "content-type": "image/jpeg",
            "traceparent": traceparent,
            "mairror-connection": self.connection,
            "mairror-width": str(self.width),
            "mairror-height": str(self.height),
            "mairror-origin": self.origin,
            "mairror-spent-ms": f"{self.spent_ms:.3f}",
        }
        return found + [(key, value.encode()) for key, value in own.items()]

    @classmethod
    def from_headers(cls, headers: Iterable[tuple[str, bytes]], key: bytes | None) -> "Frame":
        """Read a frame's headers back.

        Raises:
            InvalidInput: a header is missing or malformed; the message names it.
        """
        found = dict(headers)
        try:
            text = {name: value.decode() for name, value in found.items() if value is not None}
            stream = text["ce_source"].removeprefix("/streams/")
            frame = cls(
                stream=stream if stream.startswith("upload/") else check_stream_id(stream),
                connection=text["mairror-connection"],
                sequence=int(text["ce_sequence"]),
                captured_at=parse_time(text["ce_time"]),
                width=int(text["mairror-width"]),
                height=int(text["mairror-height"]),
                origin=text["mairror-origin"],
                consent=text.get("ce_consentid"),
                spent_ms=float(text["mairror-spent-ms"]),
                expires_at=parse_time(text["ce_expirytime"]) if "ce_expirytime" in text else None,
                traceparent=text.get("traceparent", ""),
            )
        except (KeyError, ValueError, UnicodeDecodeError) as error:
            raise InvalidInput(
                Reason.BAD_HEADER, f"frame header missing or malformed: {error} (key {key!r:.80})"
            ) from error
        return frame._checked(text.get("ce_id", ""))

    def _checked(self, claimed_id: str) -> "Frame":
        if claimed_id != str(self.id):
            raise InvalidInput(Reason.BAD_HEADER, f"ce_id {claimed_id!r} is not the id of this frame, {self.id}")
        if not (0 <= self.spent_ms < 3.6e6):
            raise InvalidInput(Reason.BAD_HEADER, f"mairror-spent-ms is {self.spent_ms}, must be 0..3600000")
        if self.origin not in ORIGINS:
            raise InvalidInput(Reason.BAD_HEADER, f"mairror-origin is {self.origin!r}, must be one of {ORIGINS}")
        if self.origin != "upload" and not self.consent:
            raise InvalidInput(Reason.NO_CONSENT, f"stream {self.stream} sent a live frame without ce_consentid")
        return self


def check_size(topic: Topic, jpeg: bytes, headers: Headers) -> None:
    """Hold a frame against the topic's limits before it is handed to Kafka.

    Raises:
        InvalidInput: the body or the headers are over the limit; the message names the limit.
    """
    if len(jpeg) > topic.max_bytes:
        raise InvalidInput(
            Reason.TOO_MANY_BYTES, f"frame is {len(jpeg)} bytes, {topic.name} takes at most {topic.max_bytes}"
        )
    size = sum(len(name) + len(value) + 8 for name, value in headers)
    room = min(topic.header_room, HEADER_ROOM) - RECORD_FRAMING
    if size > room:
        raise InvalidInput(Reason.TOO_MANY_BYTES, f"headers are {size} bytes, {topic.name} takes at most {room}")


def wall_clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)
