"""What the routes share: everything that is open, who is asking, and whether they may."""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from apps.gateway import auth
from apps.gateway.answers import AnswerBook, Pending
from apps.gateway.auth import Client
from apps.gateway.idempotency import Keys
from apps.gateway.multipart import Limits
from apps.gateway.problems import Problem
from apps.gateway.records import UploadRecords
from contracts.errors import Reason
from contracts.publishing import Publisher
from contracts.settings import Settings
from contracts.topics import AGES
from producers.edge.decoding import LEAST_EDGE
from producers.edge.pool import DecodePool
from producers.upload import CONFIRM_SECONDS, UploadPublisher
from sinks.live.directory import StreamDirectory
from sinks.live.fanout import LiveFanout
from sinks.mongo.reading import StoreReader

MAX_VIEWERS = 200
"""Most live streams that are read at the same time."""


class Gateway:
    """Everything that is open in this process. Starts without a broker and without a store.

    Raises:
        FatalError: the keys do not fit the address, or no decoder starts.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.keys = auth.key_ring(settings)
        self.limits = Limits(settings.upload.max_bytes, settings.upload.max_files, settings.gateway.body_seconds)
        self.pool = DecodePool(settings.upload)
        self.uploads = UploadPublisher(settings.kafka)
        self.publisher = Publisher(settings.kafka, message_timeout_ms=int(CONFIRM_SECONDS * 1000))
        self.book = AnswerBook(settings.kafka, settings.gateway.answers)
        self.pending = Pending(10 * settings.gateway.answers)
        self.records = UploadRecords(settings.kafka, settings.processor.group)
        self.store = StoreReader(settings.mongo)
        self.directory = StreamDirectory(settings.kafka)
        self.live = LiveFanout(settings.kafka, [AGES.name])
        self.idempotency = Keys()
        self.turns = asyncio.Semaphore(settings.gateway.max_requests)
        self.viewers = 0
        self.closing = False

    def problem(self) -> str | None:
        """None when it can do its work now; else a sentence saying what is wrong."""
        return self.book.problem or self.live.problem

    def close(self) -> None:
        """Close what is open; waits for confirmations that are under way."""
        self.closing = True
        for part in (self.live, self.book, self.records, self.directory, self.uploads, self.publisher, self.store):
            part.close()
        self.pool.close()


def limits_of(settings: Settings) -> dict[Reason, Any]:
    """The limit behind every reason that has one, as problems name it."""
    upload = settings.upload
    return {
        Reason.TOO_MANY_BYTES: upload.max_bytes,
        Reason.TOO_MANY_PIXELS: upload.max_pixels,
        Reason.TOO_SMALL: LEAST_EDGE,
        Reason.EMPTY: 1,
        Reason.TIMEOUT: upload.seconds,
        Reason.UNSUPPORTED_TYPE: ["JPEG", "PNG", "WebP", "HEIC"],
        Reason.NOT_AN_IMAGE: ["JPEG", "PNG", "WebP", "HEIC"],
    }


def gateway_of(request: Request) -> Gateway:
    """The gateway that serves this request."""
    found = request.app.state.gateway
    assert isinstance(found, Gateway)
    return found


Door = Annotated[Gateway, Depends(gateway_of)]

_header = APIKeyHeader(name="X-Api-Key", auto_error=False, description="An API key")
_bearer = HTTPBearer(auto_error=False, description="The same key, as a bearer token")


def needs(scope: str) -> Callable[..., Awaitable[Client]]:
    """A dependency: the client that asks, who must have this scope."""

    async def check(
        door: Door,
        key: Annotated[str | None, Depends(_header)],
        token: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ) -> Client:
        if door.keys.empty:
            return auth.ANYBODY
        presented = key or (token.credentials if token else None)
        client = door.keys.client(presented) if presented else None
        if client is None:
            wrong = "this API key is not known" if presented else "an API key is needed"
            detail = f"{wrong}: send it as X-Api-Key, or as Authorization: Bearer"
            raise Problem(401, "unauthorized", detail, {"WWW-Authenticate": 'Bearer realm="mairror"'})
        if not client.may(scope):
            raise Problem(403, "forbidden", f"key {client.id!r} has no scope {scope!r}", scope=scope)
        return client

    return check


Reader = Annotated[Client, Depends(needs("read"))]
Uploader = Annotated[Client, Depends(needs("upload"))]


def host_allowed(host: str, settings: Settings, open_door: bool) -> bool:
    """May clients use this Host? Without keys only names of this machine: a web page that has its own name resolve
    to 127.0.0.1 would else read everything (DNS rebinding).
    """
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    allowed = [entry.strip().lower() for entry in settings.gateway.allowed_hosts.split(",") if entry.strip()]
    if allowed:
        return name.lower() in allowed
    if not open_door:
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name.lower() == "localhost" or name.lower().endswith(".localhost")
