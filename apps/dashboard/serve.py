"""`mairror serve dashboard`: Streamlit on the process's address, with the live WebSocket, health and metrics beside it.

One process, one port: `/livez`, `/readyz` and `/metrics` are routes of the same server. Ends within seconds of SIGTERM.
"""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import streamlit as st
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from apps.dashboard.wiring import Dashboard, install
from apps.live.watch_socket import LivePush
from apps.live.webcam_socket import WebcamSocket
from contracts.limits import MIB
from contracts.metrics import BUILD_INFO, gauge
from contracts.settings import Settings
from contracts.version import VERSION

log = structlog.get_logger()

SCRIPT = Path(__file__).with_name("app.py")
LIVE_PATH = "/ws/live"
WEBCAM_PATH = "/ws/webcam"
NO_STORE = {"Cache-Control": "no-store"}

LIGHT = {
    "primaryColor": "#8a5200",
    "backgroundColor": "#fcfbf8",
    "secondaryBackgroundColor": "#f1eee6",
    "textColor": "#1d1b17",
}
# Streamlit writes white on the primary colour: both have a contrast of 4.7 and more with it
DARK = {
    "primaryColor": "#a86400",
    "backgroundColor": "#13151a",
    "secondaryBackgroundColor": "#1f232b",
    "textColor": "#eceae4",
}


def streamlit_config(settings: Settings) -> dict[str, Any]:
    """Streamlit's options, so that no file is needed: loopback, no statistics, no file watcher, our colours."""
    options: dict[str, Any] = {
        "server.address": settings.web.host,
        "server.port": settings.web.port,
        "server.baseUrlPath": settings.dashboard.base_path,
        "server.headless": True,
        "server.fileWatcherType": "none",
        "server.runOnSave": False,
        "server.maxUploadSize": max_file_mb(settings),
        "server.allowedHosts": [host.strip() for host in settings.dashboard.allowed_hosts.split(",") if host.strip()],
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "viewer",
        "client.showErrorDetails": "none",
        "theme.baseRadius": "10px",
    }
    for name, colours in (("light", LIGHT), ("dark", DARK)):
        options |= {f"theme.{name}.{key}": value for key, value in colours.items()}
    return options


def max_file_mb(settings: Settings) -> int:
    """Largest file the page takes, MiB: the uploader knows no finer unit, the edge knows the exact limit."""
    return max(1, -(-settings.upload.max_bytes // MIB))


def routes(dashboard: Dashboard) -> list[BaseRoute]:
    """Our own routes. Streamlit does not put its base path before them: the sockets get it here."""

    async def livez(_request: Request) -> Response:
        return PlainTextResponse("ok\n", headers=NO_STORE)

    async def readyz(_request: Request) -> Response:
        problem = dashboard.problem()
        return PlainTextResponse(f"{problem or 'ok'}\n", status_code=503 if problem else 200, headers=NO_STORE)

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST, headers=NO_STORE)

    push = LivePush(dashboard.watching, dashboard.directory, dashboard.tickets)
    webcam = WebcamSocket(dashboard.webcams, dashboard.tickets, dashboard.settings)
    return [
        Route("/livez", livez),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        WebSocketRoute(f"{socket_path(dashboard.settings, LIVE_PATH)}/{{stream}}", push.serve),
        WebSocketRoute(f"{socket_path(dashboard.settings, WEBCAM_PATH)}/{{stream}}", webcam.serve),
    ]


def socket_path(settings: Settings, path: str) -> str:
    """A WebSocket's path as browsers see it, without the stream."""
    base = settings.dashboard.base_path.strip("/")
    return f"/{base}{path}" if base else path


def create(dashboard: Dashboard) -> st.App:
    """The ASGI app; closes the dashboard when the server ends."""

    @asynccontextmanager
    async def lifespan(_app: st.App) -> AsyncIterator[dict[str, Any]]:
        yield {}
        dashboard.close()

    return st.App(SCRIPT, routes=routes(dashboard), lifespan=lifespan)


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    # the web server has its own handlers while it runs and raises the signal again once it has closed everything
    signal.signal(signal.SIGTERM, _ended)
    signal.signal(signal.SIGINT, _ended)
    gauge(BUILD_INFO).labels(version=VERSION).set(1)
    dashboard = install(Dashboard(settings))
    log.info("dashboard_starting", host=settings.web.host, port=settings.web.port)
    create(dashboard).run(config=streamlit_config(settings))
    return 0


def _ended(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
