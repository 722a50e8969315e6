"""A real browser in front of a real dashboard, a real processor and a real broker."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from contracts.settings import Settings
from model.detector import FaceDetector
from model.weights import checked_path, weights_folder
from tests.browser.camera import FakeWebcam, make_webcam
from tests.browser.nginx import proxied as proxied
from tests.faults import _processor as _processor
from tests.faults import fault as fault
from tests.faults import fault_file as fault_file
from tests.services import Service

FLAGS = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"]


# Not for the session: Playwright keeps an event loop in this thread, and other tests want to run their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium. Without one: a failure under CI, a skip on somebody's machine."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say("no chromium on this machine: apt-get install -y --no-install-recommends chromium fonts-dejavu-core")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a page of its own browser context: `open_page(width=400, dark=True)`."""
    contexts = []

    def make(width: int = 1200, height: int = 900, *, dark: bool = False) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", accept_downloads=True
        )
        contexts.append(context)
        return context.new_page()

    yield make
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def _dashboard(
    environment: dict[str, str], free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    log = tmp_path_factory.mktemp("dashboard") / "dashboard.log"
    service = Service([sys.executable, "-m", "apps.cli", "serve", "dashboard"], environment, free_port(), log)
    yield service
    if service.running:
        service.stop()


@pytest.fixture
def dashboard(_dashboard: Service) -> Service:
    """The session's dashboard, running and ready."""
    if not _dashboard.running:
        _dashboard.start()
    return _dashboard


@pytest.fixture(scope="module")
def sample(
    environment: dict[str, str], free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """The sample stream, playing."""
    log = tmp_path_factory.mktemp("sample") / "sample.log"
    service = Service([sys.executable, "-m", "apps.cli", "serve", "sample"], environment, free_port(), log)
    service.start()
    yield service
    service.stop()


@pytest.fixture(scope="session")
def webcam(tmp_path_factory: pytest.TempPathFactory) -> FakeWebcam:
    """A camera's file: a public-domain face that moves, with the number of each frame in it."""
    weights = checked_path("yunet", weights_folder(Settings().cache))
    return make_webcam(tmp_path_factory.mktemp("webcam"), FaceDetector(weights))
