"""`/metrics`, `/livez` and `/readyz` of a process, served from a thread on loopback.

Liveness means "offsets move or there is nothing to do"; readiness means "can do its work now".
Both are functions of the process itself: they return None when well, or a sentence saying what is wrong.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app

from contracts.errors import FatalError
from contracts.metrics import BUILD_INFO, gauge
from contracts.settings import WebSettings
from contracts.version import VERSION

Check = Callable[[], str | None]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Probes come every few seconds: not worth a line each."""


class _Server(WSGIServer):
    daemon_threads = True
    address_family = 2  # AF_INET; "localhost" must not become ::1 on one machine and 127.0.0.1 on another


class HealthServer:
    """Serves until closed.

    Raises:
        FatalError: the port is taken; the message names it.
    """

    def __init__(self, settings: WebSettings, *, live: Check, ready: Check) -> None:
        gauge(BUILD_INFO).labels(version=VERSION).set(1)
        self._checks = {"/livez": live, "/readyz": ready}
        self._metrics = make_wsgi_app()
        try:
            self._server = make_server(
                settings.host, settings.port, self._answer, server_class=_Server, handler_class=_Silent
            )
        except OSError as error:
            raise FatalError(
                f"cannot serve /metrics on {settings.host}:{settings.port} ({error.strerror}): set MAIRROR_WEB__PORT"
            ) from error
        self.port: int = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)
        self._thread.start()

    def _answer(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            answer: Iterable[bytes] = self._metrics(environ, start_response)
            return answer
        if path not in self._checks:
            return self._plain(start_response, "404 Not Found", "there are /metrics, /livez and /readyz")
        problem = self._checks[path]()
        return self._plain(start_response, "503 Service Unavailable" if problem else "200 OK", problem or "ok")

    @staticmethod
    def _plain(start_response: StartResponse, status: str, text: str) -> Iterable[bytes]:
        start_response(status, [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")])
        return [text.encode() + b"\n"]

    def close(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=2)
