"""CloudEvents 1.0 over Kafka in binary mode: attributes as `ce_*` headers, the body as it is.

Source of the names: CloudEvents Kafka protocol binding 1.0.2 and the extensions sequence,
partitioning, expirytime and distributed tracing. `traceparent` is written twice: plain for
OpenTelemetry's Kafka instrumentation, prefixed as the CloudEvents mapping asks.
"""

from datetime import UTC, datetime
from typing import cast

from confluent_kafka import Message

Headers = list[tuple[str, bytes]]

SPEC_VERSION = "1.0"


def attributes(**values: str | None) -> Headers:
    """CloudEvents attributes as headers; None leaves one out."""
    found: Headers = [("ce_specversion", SPEC_VERSION.encode())]
    found += [(f"ce_{name}", value.encode()) for name, value in values.items() if value is not None]
    return found


def json_headers(
    *, id: str, source: str, type: str, schema: str, key: str, traceparent: str, time: datetime
) -> Headers:
    """Headers of a JSON record."""
    found = attributes(
        id=id,
        source=source,
        type=type,
        time=rfc3339(time),
        dataschema=schema,
        partitionkey=key,
        traceparent=traceparent,
    )
    return [*found, ("content-type", b"application/json"), ("traceparent", traceparent.encode())]


def rfc3339(moment: datetime) -> str:
    """UTC with milliseconds and a Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def parse_time(text: str) -> datetime:
    """An RFC 3339 time; a time without zone is refused with ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"time {text!r} has no zone")
    return moment


def header_texts(message: Message) -> dict[str, str]:
    """Headers of a record as text; bytes that are no UTF-8 are replaced, empty headers left out."""
    found = {}
    pairs = cast("list[tuple[str, bytes | None]]", message.headers() or [])
    for name, value in pairs:
        if value:
            found[name] = value.decode("utf-8", "replace")
    return found
