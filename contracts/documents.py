"""Documents made from the code: JSON Schemas, the AsyncAPI 3 document, and the tables of docs/.

`python -m contracts.documents docs` writes them; a test fails when what is committed differs.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from contracts import answers, events
from contracts.limits import HEADER_ROOM
from contracts.metrics import METRICS
from contracts.records import schema_of, type_of
from contracts.settings import PREFIX, Settings
from contracts.topics import FRAMES_LIVE, STREAM_ID, TOPICS, Topic, short_name

JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema"

MESSAGES: dict[str, type[msgspec.Struct]] = {
    "Answer": answers.Answer,
    "TrackEvent": events.TrackEvent,
    "Outcome": events.Outcome,
    "StreamStatus": events.StreamStatus,
    "Correction": events.Correction,
    "Erasure": events.Erasure,
}

_HEADER_TEXTS = {
    "ce_specversion": "1.0",
    "ce_id": "deterministic id of the frame; the same frame sent twice has the same id",
    "ce_source": "/streams/<stream id>",
    "ce_type": "mairror.frame.v1",
    "ce_subject": "<connection>/<sequence>",
    "ce_time": "capture time, RFC 3339, the producer's clock; informative",
    "ce_dataschema": "/schemas/frame.v1.json",
    "ce_partitionkey": "the stream id",
    "ce_sequence": "number of the frame in its connection, zero-padded",
    "ce_consentid": "consent of the people shown; no live frame without it",
    "ce_expirytime": "live frames only: capture time plus budget",
    "ce_traceparent": "W3C trace context",
    "traceparent": "the same, unprefixed, for OpenTelemetry",
    "content-type": "image/jpeg",
    "mairror-connection": "one run of one producer",
    "mairror-width": "pixels",
    "mairror-height": "pixels",
    "mairror-origin": "webcam, camera, file, upload or sample",
    "mairror-spent-ms": "milliseconds between capture and hand-over, on the producer's monotonic clock",
}


def frame_schema() -> dict[str, Any]:
    """JSON Schema of a frame's headers (the body is JPEG)."""
    optional = {"ce_expirytime", "ce_consentid"}
    return {
        "$schema": JSON_SCHEMA,
        "$id": "/schemas/frame.v1.json",
        "title": "Frame headers",
        "type": "object",
        "properties": {name: {"type": "string", "description": text} for name, text in _HEADER_TEXTS.items()},
        "required": sorted(set(_HEADER_TEXTS) - optional),
    }


def schemas() -> dict[str, dict[str, Any]]:
    """File name -> JSON Schema of every message."""
    found = {"frame.v1.json": frame_schema()}
    for name, kind in MESSAGES.items():
        schema = msgspec.json.schema(kind)
        file = f"{name.lower()}.v1.json"
        found[file] = {"$schema": JSON_SCHEMA, "$id": f"/schemas/{file}", "title": name} | schema
    return found


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3.0 document of all topics."""
    channels, operations, messages = {}, {}, {}
    for topic in TOPICS:
        name = short_name(topic)
        messages[name] = _message(topic)
        channels[name] = {
            "address": topic.name,
            "messages": {name: {"$ref": f"#/components/messages/{name}"}},
            "description": f"Key: {topic.key}. At most {topic.max_bytes} bytes of body.",
            "bindings": {"kafka": {"topic": topic.name, "topicConfiguration": _topic_binding(topic)}},
        }
        operations[f"receive.{name}"] = {
            "action": "receive",
            "channel": {"$ref": f"#/channels/{name}"},
            "summary": f"Read {topic.name}",
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Mairror",
            "version": "1.0.0",
            "description": (
                "Frames in, ages out. Every record is a CloudEvents 1.0 event in Kafka binary mode. Delivery is at "
                "least once: a record may come twice with the same ce_id; remember the ids of the last minutes, or "
                "upsert by id, and ignore the second. Fields are only ever added inside v1: ignore what you do not "
                "know. An age is an estimate and never proof of anybody's age."
            ),
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def _topic_binding(topic: Topic) -> dict[str, Any]:
    config = topic.config()
    return {
        "cleanup.policy": list(topic.cleanup),
        "retention.ms": int(config["retention.ms"]),
        "max.message.bytes": topic.max_message_bytes,
    }


def _message(topic: Topic) -> dict[str, Any]:
    if topic.value == "jpeg":
        return {
            "name": "Frame",
            "title": "A frame: JPEG bytes, everything else in headers",
            "contentType": "image/jpeg",
            "headers": {"schemaFormat": "application/schema+json;version=draft-2020-12", "schema": frame_schema()},
        }
    if topic.value not in MESSAGES:
        return {
            "name": "DeadLetter",
            "title": "The original record, with mairror-reason, -detail, -topic, -partition and -offset headers",
            "contentType": "application/octet-stream",
        }
    schema = schemas()[f"{topic.value.lower()}.v1.json"]
    return {
        "name": type_of(topic),
        "title": topic.value,
        "contentType": "application/json",
        "payload": {"schemaFormat": "application/schema+json;version=draft-2020-12", "schema": schema},
    }


def topics_table() -> str:
    """docs/contracts.md."""
    lines = [
        "# Topics",
        "",
        "Made from `contracts/topics.py` by `python -m contracts.documents docs`; do not edit.",
        "",
        "Every record is a CloudEvents 1.0 event in Kafka binary mode. At least once: the same `ce_id` may come twice.",
        f"Stream ids match `{STREAM_ID.pattern}`. Headers may take {HEADER_ROOM // 1024} KiB beside the body.",
        "Schemas: [schemas/](schemas/); all topics as one document: [asyncapi.json](asyncapi.json).",
        "",
        "| topic | key | value | largest body | cleanup | kept | written by | read by (group) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for topic in TOPICS:
        readers = ", ".join(f"{who} ({group or 'no group'})" for who, group in topic.readers.items())
        value = f"[{topic.value}]({schema_of(topic)[1:]})" if topic.value in MESSAGES else topic.value
        lines.append(
            f"| `{topic.name}` | {topic.key} | {value} | {topic.max_bytes // 1024} KiB | {' + '.join(topic.cleanup)} "
            f"| {_duration(topic.retention)} | {', '.join(topic.writers)} | {readers} |"
        )
    lines += ["", f"## Headers of a frame (`{FRAMES_LIVE.name}`)", "", "| header | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {text} |" for name, text in _HEADER_TEXTS.items()]
    return "\n".join(lines) + "\n"


def _duration(seconds: int | None) -> str:
    if seconds is None:
        return "newest per key"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def metrics_table() -> str:
    """docs/metrics.md."""
    lines = [
        "# Metrics",
        "",
        "Made from `contracts/metrics.py` by `python -m contracts.documents docs`; do not edit.",
        "Every process serves `/metrics`, `/livez` (offsets move, or there is nothing to do) and `/readyz`.",
        "",
        "| metric | kind | labels | meaning | what to do when it is high |",
        "|---|---|---|---|---|",
    ]
    for metric in METRICS:
        labels = ", ".join(metric.labels) or "-"
        lines.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} | {metric.if_high} |")
    return "\n".join(lines) + "\n"


def settings_table() -> str:
    """docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "Made from `contracts/settings.py` by `python -m contracts.documents docs`; do not edit.",
        "Environment variables, or files of these names in the folder `MAIRROR_SECRETS_DIR` names. "
        "An unknown `MAIRROR_*` variable is an error at start.",
        "",
        "| variable | default | meaning |",
        "|---|---|---|",
    ]
    lines += [f"| `{name}` | {default} | {text} |" for name, default, text in _settings_rows(Settings, PREFIX)]
    return "\n".join(lines) + "\n"


def _settings_rows(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _settings_rows(inner, f"{prefix}{name.upper()}__")
            continue
        default = field.default
        if default is PydanticUndefined:
            shown = "user cache folder"
        elif default is None:
            shown = "-"
        else:
            shown = f"`{','.join(map(str, default)) if isinstance(default, tuple) else default}`"
        yield f"{prefix}{name.upper()}", shown, field.description or ""


def documents() -> dict[str, str]:
    """Path below docs/ -> content."""
    found = {
        "contracts.md": topics_table(),
        "metrics.md": metrics_table(),
        "settings.md": settings_table(),
        "asyncapi.json": json.dumps(asyncapi(), indent=1) + "\n",
    }
    for file, schema in schemas().items():
        found[f"schemas/{file}"] = json.dumps(schema, indent=1) + "\n"
    return found


def write(folder: Path) -> None:
    """Write all documents below `folder`."""
    for name, content in documents().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
