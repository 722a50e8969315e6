"""History to take away: a stream's minutes or its people as CSV or Parquet, the columns of the dashboard's tables."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime

from apps.gateway.deps import Door, Reader
from apps.gateway.openapi import problems
from apps.gateway.routes.streams import StreamId
from apps.tables import MEDIA_TYPES, MINUTES, PEOPLE, WRITERS, minute_rows, people_rows
from contracts.cloudevents import rfc3339
from contracts.topics import check_stream_id
from sinks.mongo.history import MAX_ROWS, Span
from sinks.mongo.reading import StoreReader

router = APIRouter(tags=["streams"])

Format = Annotated[Literal["csv", "parquet"], Query(description="What to make.")]
Table = Annotated[
    Literal["minutes", "people"], Query(description="One row a minute, or one row a person the tracker saw.")
]
FILE: dict[str, Any] = {
    "description": "The rows, newest first, at most `limit`. `Link: <...>; rel=next` has older minutes if there are.",
    "content": {kind.split(";")[0]: {} for kind in MEDIA_TYPES.values()},
}


@router.get("/v1/streams/{stream}/export", response_class=Response, responses={200: FILE, **problems(422, 503)})
async def export(
    stream: StreamId,
    door: Door,
    client: Reader,
    format: Format = "csv",
    table: Table = "minutes",
    since: Annotated[AwareDatetime | None, Query(description="At this time or later; else a day ago.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Before this time; else now.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_ROWS)] = MAX_ROWS,
) -> Response:
    """The history of a stream as a file."""
    end = until or datetime.now(UTC)
    span = Span(since or end - timedelta(days=1), end)
    content, older = await run_sync(_file, door.store, check_stream_id(stream), span, table, format, limit)
    headers = {"Content-Disposition": f'attachment; filename="{stream}-{table}.{format}"'}
    if older is not None:
        asked = {"format": format, "table": table, "since": rfc3339(span.since), "until": rfc3339(older)}
        query = urlencode(asked | {"limit": limit})
        headers["Link"] = f'</v1/streams/{stream}/export?{query}>; rel="next"'
    return Response(content, headers=headers, media_type=MEDIA_TYPES[format])


def _file(
    store: StoreReader, stream: str, span: Span, table: str, format: str, limit: int
) -> tuple[bytes, datetime | None]:
    """The file, and where older rows end when there may be more."""
    origins = store.history.origins()
    if table == "minutes":
        minutes = store.history.minutes([stream], span, limit)
        older = minutes[-1].minute if len(minutes) == limit else None
        return WRITERS[format](MINUTES, minute_rows(minutes, origins)), older
    people = store.history.people([stream], span, limit)
    return WRITERS[format](PEOPLE, people_rows(people, origins)), None
