"""A dashboard on the real broker, and its own routes on a real server (without Streamlit)."""

import threading
from collections.abc import Callable, Iterator

import pytest
import uvicorn
from starlette.applications import Starlette

from apps.dashboard.serve import routes
from apps.dashboard.wiring import Dashboard, install
from contracts.settings import Settings
from tests.services import wait_for


@pytest.fixture(scope="session")
def dashboard(settings: Settings) -> Iterator[Dashboard]:
    """Installed as the process's dashboard."""
    found = install(Dashboard(settings))
    assert found.answers.wait_ready()
    yield found
    found.close()


@pytest.fixture(scope="session")
def address(dashboard: Dashboard, free_port: Callable[[], int]) -> Iterator[str]:
    """host:port of a server with the dashboard's own routes."""
    port = free_port()
    config = uvicorn.Config(Starlette(routes=routes(dashboard)), host="127.0.0.1", port=port, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started, 20, "the dashboard's routes answer")
    yield f"127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)
