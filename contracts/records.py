"""A JSON record for any topic of the table: topic, key, body, CloudEvents headers."""

from datetime import UTC, datetime

from msgspec import Struct

from contracts import answers, ids
from contracts.cloudevents import Headers, json_headers
from contracts.topics import Topic

Record = tuple[str, bytes, bytes, Headers]
"""Topic, key, value, headers."""


def type_of(topic: Topic) -> str:
    """`ce_type` of a topic's records, e.g. `mairror.answer.v1`."""
    return f"mairror.{topic.value.lower()}.v1"


def schema_of(topic: Topic) -> str:
    """`ce_dataschema` of a topic's records, a path below the gateway and below docs/."""
    return f"/schemas/{topic.value.lower()}.v1.json"


def json_record(
    topic: Topic,
    key: str,
    value: Struct,
    *,
    id: str,
    source: str = "/producers",
    traceparent: str = "",
    at: datetime | None = None,
) -> Record:
    """Build a record. `at` is the event's time (capture time for answers), now by default."""
    headers = json_headers(
        id=id,
        source=source,
        type=type_of(topic),
        schema=schema_of(topic),
        key=key,
        traceparent=traceparent or ids.new_traceparent(),
        time=at or datetime.now(UTC),
    )
    return topic.name, key.encode(), answers.encode(value), headers
