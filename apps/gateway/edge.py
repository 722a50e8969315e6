"""Around every request: which host is asked, from which page, what is counted, which headers every answer has."""

import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apps.gateway.deps import Gateway, host_allowed
from apps.gateway.problems import Problem
from contracts.metrics import HTTP_REQUESTS, HTTP_SECONDS, counter, histogram

HEADERS: Final = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
UNKNOWN = "unknown"
"""Label of requests no route took: never the path, there is no end of them."""


class Edge:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.monotonic()
        status = 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add(MutableHeaders(scope=message), time.monotonic() - begun)
            await send(message)

        try:
            refusal = _refusal(scope)
            if refusal is not None:
                await refusal.response(Request(scope))(scope, receive, sending)
            else:
                await self._app(scope, receive, sending)
        finally:
            _count(scope, status, time.monotonic() - begun)


def _add(headers: MutableHeaders, seconds: float) -> None:
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("Cache-Control", "no-store")
    headers.setdefault("Server-Timing", f"total;dur={seconds * 1000:.1f}")


def _refusal(scope: Scope) -> Problem | None:
    """A host this gateway is not, or a page of another site that makes a browser send something."""
    door: Gateway = scope["app"].state.gateway
    headers = Headers(scope=scope)
    host = headers.get("host", "")
    if not host_allowed(host, door.settings, door.keys.empty):
        detail = f"this gateway does not serve host {host[:100]!r}: see MAIRROR_GATEWAY__ALLOWED_HOSTS"
        return Problem(421, "misdirected_request", detail)
    if scope["method"] not in ("GET", "HEAD", "OPTIONS") and door.keys.empty and _foreign(headers, host):
        return Problem(403, "forbidden", "pages of other sites may not send anything here")
    return None


def _foreign(headers: Mapping[str, str], host: str) -> bool:
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc.lower() != host.lower()


def _count(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", UNKNOWN)
    method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "DELETE", "PUT", "OPTIONS") else UNKNOWN
    counter(HTTP_REQUESTS).labels(route=route, method=method, status=str(status)).inc()
    histogram(HTTP_SECONDS).labels(route=route).observe(seconds)
