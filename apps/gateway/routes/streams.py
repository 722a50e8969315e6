"""Live streams: which there are, what was answered, and the newest answers as they come."""

import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import AwareDatetime

from apps.gateway.answers import upload_of
from apps.gateway.deps import MAX_VIEWERS, Door, Gateway, Reader
from apps.gateway.openapi import message, problems
from apps.gateway.problems import Problem, not_found
from apps.gateway.routes.images import reply
from contracts.cloudevents import rfc3339
from contracts.topics import check_stream_id
from sinks.live.directory import StreamEntry
from sinks.live.subscription import LiveItem

router = APIRouter(tags=["streams"])

HEARTBEAT_SECONDS = 10.0
TICK_SECONDS = 1.0
"""How soon a live answer ends when the gateway stops."""

StreamId = Annotated[str, Path(max_length=64, description="Stream id.")]


def _described(entry: StreamEntry) -> dict[str, Any]:
    return asdict(entry) | {"seconds_ago": round(entry.seconds_ago, 1), "fps": round(entry.fps, 2)}


@router.get("/v1/streams", responses={200: message("StreamList", "Online ones first."), **problems()})
async def streams(door: Door, client: Reader) -> Response:
    """All streams anybody spoke of."""
    return reply([_described(entry) for entry in door.directory.entries()])


@router.get("/v1/streams/{stream}", responses={200: message("Stream", "The stream."), **problems(404, 422, 503)})
async def stream_info(stream: StreamId, door: Door, client: Reader) -> Response:
    """One stream, with its newest answer if there is one."""
    entry = door.directory.entry(check_stream_id(stream))
    if entry is None:
        raise not_found(f"nobody spoke of stream {stream!r}")
    latest = await run_sync(door.store.latest, stream)
    return reply(_described(entry) | {"latest": latest})


@router.get(
    "/v1/streams/{stream}/ages",
    responses={200: message("History", "Newest first."), **problems(422, 503)},
)
async def history(
    stream: StreamId,
    door: Door,
    client: Reader,
    since: Annotated[AwareDatetime | None, Query(description="Captured at this time or later.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Captured before this time.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """Stored answers of a stream."""
    found = await run_sync(door.store.stream_history, check_stream_id(stream), since, until, limit)
    older = None
    if len(found) == limit:
        older = _older(stream, since, found[-1].frame.captured_at, limit)
    return reply({"stream": stream, "answers": found, "next": older})


def _older(stream: str, since: datetime | None, until: datetime, limit: int) -> str:
    span = {"since": rfc3339(since)} if since else {}
    return f"/v1/streams/{stream}/ages?{urlencode({**span, 'until': rfc3339(until), 'limit': limit})}"


def one_stream(stream: StreamId) -> str:
    """The checked stream id: an error must come before the first event."""
    return check_stream_id(stream)


async def viewing(door: Door) -> AsyncIterator[None]:
    """One of at most `MAX_VIEWERS` viewers."""
    if door.viewers >= MAX_VIEWERS:
        detail = f"{MAX_VIEWERS} live streams are being read already: try again"
        raise Problem(503, "too_many_viewers", detail, {"Retry-After": "5"}, limit=MAX_VIEWERS)
    door.viewers += 1
    try:
        yield
    finally:
        door.viewers -= 1


LIVE: dict[str, Any] = {
    "response_class": EventSourceResponse,
    "dependencies": [Depends(viewing)],
    "responses": problems(422, 503),
}


@router.get("/v1/streams/{stream}/live", **LIVE)
async def live_one(
    stream: Annotated[str, Depends(one_stream)], door: Door, client: Reader
) -> AsyncIterator[ServerSentEvent]:
    """The newest answers of one stream, pushed. A slow reader misses answers and never gets old ones."""
    async for event in _events(door, stream):
        yield event


@router.get("/live", **LIVE)
async def live_all(door: Door, client: Reader) -> AsyncIterator[ServerSentEvent]:
    """The newest answers of all live streams, pushed; uploads are left out."""
    async for event in _events(door, None):
        yield event


async def _events(door: Gateway, stream: str | None) -> AsyncIterator[ServerSentEvent]:
    yield ServerSentEvent(comment="answers of " + (stream or "all streams"), retry=2000)
    spoke = time.monotonic()
    with door.live.subscribe(stream) as mail:
        while not (door.closing or mail.closed):
            item = await mail.next_async(TICK_SECONDS)
            event = _event(item) if item is not None else None
            if event is None:
                if time.monotonic() - spoke < HEARTBEAT_SECONDS:
                    continue
                event = ServerSentEvent(comment="still here")
            spoke = time.monotonic()
            yield event


def _event(item: LiveItem) -> ServerSentEvent | None:
    if upload_of(item.value) is not None:
        return None
    identity = item.headers.get("ce_id", b"").decode("ascii", "replace")
    return ServerSentEvent(raw_data=item.value.decode("utf-8", "replace"), event="answer", id=identity)
