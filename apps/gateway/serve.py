"""`mairror serve gateway`: the app in uvicorn, on loopback unless set otherwise."""

import signal
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI

from apps.gateway.app import create_app
from contracts.metrics import BUILD_INFO, gauge
from contracts.settings import Settings
from contracts.version import VERSION

log = structlog.get_logger()

STOP_SECONDS = 2
"""How long requests under way may take when the process is told to stop."""
KEEP_ALIVE_SECONDS = 15
MAX_HEAD = 32 * 1024


class _Server(uvicorn.Server):
    """Tells live streams to end before it waits for requests to end."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM or SIGINT came."""
        gateway = getattr(self._app.state, "gateway", None)
        if gateway is not None:
            gateway.closing = True
        super().handle_exit(sig, frame)


def _ended(number: int, frame: FrameType | None) -> None:
    """The signal was served already."""


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code.

    Raises:
        FatalError: the API keys make no sense, or strangers could connect and there are none.
    """
    gauge(BUILD_INFO).labels(version=VERSION).set(1)
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.web.host,
        port=settings.web.port,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        lifespan="on",
        h11_max_incomplete_event_size=MAX_HEAD,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    log.info("gateway_starting", host=settings.web.host, port=settings.web.port, keys=len(settings.gateway.keys))
    server = _Server(config, app)
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal again when it is done; without a handler of ours that would be death by signal
        signal.signal(number, _ended)
    server.run()
    return 0 if server.started else 1
