"""The Faust application: reads both frame topics, hands every frame to the engine.

Reads `mairror.frames.live.v1` and `mairror.frames.upload.v1` in one consumer group; at least once. Offsets are
committed only behind acknowledged frames (see `acknowledgement`). Topics are declared by `mairror topics apply`,
never by Faust. One agent, concurrency 1, `noack`: `take()` would acknowledge a batch whose body raised.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import faust
import structlog

from contracts.errors import InvalidInput
from contracts.frames import Frame
from contracts.settings import Settings
from contracts.topics import FRAMES_LIVE, FRAMES_UPLOAD
from processors import publishing
from processors.engine import Engine
from processors.frames import Held

log = structlog.get_logger()

COMMIT_SECONDS = 0.5
SESSION_SECONDS = 10.0
HEARTBEAT_SECONDS = 3.0
METADATA_MS = 10_000
"""Partitions that were added are read after this long (the client's own default is five minutes)."""
APPEND_TIME = 1
"""Kafka's timestamp type for LogAppendTime."""


@dataclass(eq=False)
class Unreadable:
    """A record that is no frame; held so that it is acknowledged in order."""

    topic: str
    partition: int
    event: Any
    done: bool = False


def create_app(settings: Settings) -> faust.App:
    """The Faust app, connected to nothing yet."""
    return faust.App(
        settings.processor.group,
        **settings.kafka.faust(),
        version=1,
        autodiscover=False,
        store="memory://",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        processing_guarantee="at_least_once",
        broker_commit_interval=COMMIT_SECONDS,
        broker_session_timeout=SESSION_SECONDS,
        broker_heartbeat_interval=HEARTBEAT_SECONDS,
        consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=METADATA_MS,
        # None, not "": an empty id is a static id too, and processors with the same one evict each other for ever
        consumer_group_instance_id=settings.processor.instance,
        # waiting for unacknowledged frames at shutdown hangs when a batch failed; they are delivered again anyway
        stream_wait_empty=False,
        key_serializer="raw",
        value_serializer="raw",
    )


def attach(app: faust.App, engine: Engine) -> None:
    """Let the engine answer what the app reads."""
    topic = app.topic(FRAMES_LIVE.name, FRAMES_UPLOAD.name, value_type=bytes, key_type=bytes)

    @app.agent(topic, concurrency=1, name="frames")
    async def frames(stream: Any) -> None:
        async for event in stream.noack().events():
            await _take(engine, event)

    @app.task  # type: ignore[untyped-decorator]
    async def begin() -> None:
        engine.start()

    async def revoked(_sender: Any, /, *args: Any, **_kwargs: Any) -> None:
        partitions = args[0]
        ended = engine.forget({(tp.topic, tp.partition) for tp in partitions})
        log.info("partitions_revoked", count=len(partitions), tracks_ended=len(ended))
        engine.tell(ended)

    app.on_partitions_revoked.connect(revoked, weak=False)


async def _take(engine: Engine, event: Any) -> None:
    message = event.message
    headers = list(_pairs(message.headers))
    try:
        frame = Frame.from_headers(headers, message.key)
    except InvalidInput as problem:
        letter = publishing.dead_letter(
            message.topic, message.partition, message.offset, message.key, message.value or b"", headers, problem
        )
        log.warning("record_refused", reason=problem.reason.value, detail=problem.detail, offset=message.offset)
        await engine.refuse(Unreadable(message.topic, message.partition, event), letter)
        return
    appended = message.timestamp if message.timestamp_type == APPEND_TIME else frame.captured_at.timestamp()
    await engine.take(
        Held(
            frame=frame,
            jpeg=message.value or b"",
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
            appended=appended,
            event=event,
            headers=headers,
            key=message.key,
        )
    )


def _pairs(headers: Any) -> list[tuple[str, bytes]]:
    if isinstance(headers, Mapping):
        return list(headers.items())
    return list(headers or ())
