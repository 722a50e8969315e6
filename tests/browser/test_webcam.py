"""The visitor's webcam in a real browser: consent, both transports, boxes on the face, an end that frees everything.

The camera is Chromium's fake one, playing a public-domain face that moves; everything else is real.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from tests.browser import axe
from tests.browser.camera import READ, FakeWebcam
from tests.browser.conftest import FLAGS
from tests.browser.measuring import Following, follow
from tests.services import Service, wait_for

pytestmark = pytest.mark.browser

SECONDS = 30_000
RELAY_ONLY = """
const Real = window.RTCPeerConnection;
window.RTCPeerConnection = function (settings) { return new Real({ ...settings, iceTransportPolicy: "relay" }); };
window.RTCPeerConnection.prototype = Real.prototype;
"""
"""The browser may use relays alone and there is none: as on a network that lets no UDP through, nothing connects."""
ALLOW = ["--use-fake-ui-for-media-stream"]
"""The visitor allows the camera, and there is none."""
OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as found:
        yield found


@pytest.fixture
def open_page(playwright: Playwright, webcam: FakeWebcam) -> Iterator[OpenPage]:
    """Opens a page in a browser context of its own: `open_page()`, `open_page(camera=False)`."""
    browsers: dict[tuple[str, ...], Browser] = {}

    def make(*, camera: bool = True, width: int = 1000, height: int = 800) -> Page:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        assert path is not None, "apt-get install -y --no-install-recommends chromium fonts-dejavu-core"
        every = (*FLAGS, *(webcam.flags() if camera else ALLOW))
        if every not in browsers:
            browsers[every] = playwright.chromium.launch(executable_path=path, args=list(every))
        return browsers[every].new_context(viewport={"width": width, "height": height}).new_page()

    yield make
    for browser in browsers.values():
        browser.close()


@pytest.fixture(autouse=True)
def nothing_runs(dashboard: Service) -> None:
    """What an earlier test left has ended."""
    wait_for(lambda: metric(dashboard, "mairror_webcams") == 0, 10, "no webcam runs")


def begin(page: Page, place: Service | str, way: str = "Automatic") -> None:
    """As a visitor does for the first time: choose, consent, start."""
    page.goto(f"http://127.0.0.1:{place.port}/" if isinstance(place, Service) else f"{place}/")
    page.get_by_role("button", name="Use my webcam").click(timeout=SECONDS)
    dialog = page.get_by_role("dialog")
    if way != "Automatic":
        dialog.get_by_text("Connection").click()
        dialog.get_by_text(way).click()
    dialog.get_by_role("button", name="I agree, start").click(timeout=SECONDS)


def see_live(page: Page) -> None:
    page.wait_for_selector('.stage:has(video)[data-age="live"]', timeout=SECONDS)


def way_of(page: Page) -> str:
    return page.locator('[data-figure="way"]').inner_text()


def watch_boxes(page: Page, webcam: FakeWebcam, seconds: float) -> Following:
    """Collect for so long what the page shows, and measure."""
    page.wait_for_function(READ, timeout=SECONDS, polling=200)
    page.wait_for_timeout(seconds * 1000)
    page.evaluate("window.mairrorDone = true")
    return follow(page.evaluate("window.mairrorLog"), page.evaluate("window.mairrorFrames"), webcam.boxes)


def metric(service: Service, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} ([0-9.e+]+)$", service.get("/metrics")[1], re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_boxes_follow_the_face_over_webrtc_and_it_starts_again(
    dashboard: Service, processor: Service, open_page: OpenPage, webcam: FakeWebcam
) -> None:
    page = open_page()
    begin(page, dashboard, "WebRTC only")
    see_live(page)
    following = watch_boxes(page, webcam, 10)
    assert "WebRTC" in way_of(page)
    assert following.share(0.6) > 0.8, following
    assert following.lag(50) < 200, following
    assert re.search(r"\d+ / \d+ ms", page.locator('[data-figure="delay"]').inner_text())
    assert re.search(r"\d+ taken · \d+ answered", page.locator('[data-figure="counts"]').inner_text())
    expect(page.locator(".faces .face")).to_have_count(1)
    assert axe.look(page) == []
    assert re.match(r"\d+ ?years", page.locator(".faces .face").inner_text().replace("\n", " "))

    page.get_by_role("button", name="Stop").click()
    again = page.get_by_role("button", name="Use my webcam")
    expect(again).to_be_visible(timeout=SECONDS)
    wait_for(lambda: metric(dashboard, "mairror_webcams") == 0, 5, "the stream has ended")
    again.click()  # consent was given: at once
    see_live(page)

    page.close()
    wait_for(lambda: metric(dashboard, "mairror_webcams") == 0, 3, "a closed tab ends its stream")


def test_without_udp_the_websocket_takes_over(
    dashboard: Service, processor: Service, open_page: OpenPage, webcam: FakeWebcam
) -> None:
    counted = 'mairror_webcam_transport_total{transport="websocket",why="no_connection"}'
    before = metric(dashboard, counted)
    page = open_page()
    page.add_init_script(RELAY_ONLY)
    begin(page, dashboard)
    page.wait_for_selector('.stage:not([data-age="none"])', timeout=SECONDS)
    expect(page.locator('[data-figure="way"]')).to_have_text(
        re.compile(r"WebSocket \(WebRTC did not connect\)"), timeout=8000
    )
    see_live(page)
    assert metric(dashboard, counted) == before + 1
    following = watch_boxes(page, webcam, 8)
    assert following.share(0.6) > 0.8, following
    page.close()
    wait_for(lambda: metric(dashboard, "mairror_webcams") == 0, 3, "a closed tab ends its stream")


def test_behind_nginx_and_below_a_path_it_works_too(
    dashboard: Service, processor: Service, environment: dict[str, str], free_port: Callable[[], int],
    proxied: Callable[[int, str], str], open_page: OpenPage, tmp_path: Path,
) -> None:  # fmt: skip
    service = Service(dashboard._command, environment, free_port(), tmp_path / "dashboard.log")
    service.start(MAIRROR_DASHBOARD__BASE_PATH="ages")
    try:
        page = open_page()
        sockets: list[str] = []
        page.on("websocket", lambda socket: sockets.append(socket.url))
        begin(page, proxied(service.port, "ages"), "WebSocket (where")
        see_live(page)
        expect(page.locator('[data-figure="way"]')).to_have_text(re.compile(r"^WebSocket · 640"), timeout=SECONDS)
        assert any("/ages/ws/webcam/webcam-" in url for url in sockets)
    finally:
        service.stop()


def test_nothing_happens_before_consent(dashboard: Service, processor: Service, open_page: OpenPage) -> None:
    page = open_page()
    page.add_init_script(
        """const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        window.mairrorAsked = 0;
        navigator.mediaDevices.getUserMedia = (wanted) => { window.mairrorAsked += 1; return ask(wanted); };"""
    )
    page.goto(f"http://127.0.0.1:{dashboard.port}/")
    page.get_by_role("button", name="Use my webcam").click(timeout=SECONDS)
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("your camera's pictures are sent to this server")).to_be_visible(timeout=SECONDS)
    assert axe.look(page) == []
    assert page.evaluate("window.mairrorAsked") == 0
    assert metric(dashboard, "mairror_webcams") == 0
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0, timeout=SECONDS)
    assert page.locator("video").count() == 0


def test_a_webcam_is_seen_by_its_own_visitor_alone(dashboard: Service, processor: Service, open_page: OpenPage) -> None:
    mine, other = open_page(), open_page()
    begin(mine, dashboard)
    see_live(mine)
    other.goto(f"http://127.0.0.1:{dashboard.port}/system")
    expect(other.get_by_role("heading", name="System", exact=True)).to_be_visible(timeout=SECONDS)
    other.goto(f"http://127.0.0.1:{dashboard.port}/")
    expect(other.get_by_role("heading", name="Live", exact=True)).to_be_visible(timeout=SECONDS)
    assert "webcam-" not in other.content()


def test_without_a_camera_it_says_what_to_do(dashboard: Service, processor: Service, open_page: OpenPage) -> None:
    page = open_page(camera=False)
    begin(page, dashboard)
    expect(page.locator(".veil")).to_contain_text("No camera was found. Connect one", timeout=SECONDS)


def test_a_slow_model_costs_answers_and_nothing_else(
    dashboard: Service, processor: Service, open_page: OpenPage, fault: Callable[..., None], webcam: FakeWebcam
) -> None:
    page = open_page()
    fault(slow_frame_ms=200)
    begin(page, dashboard)
    see_live(page)
    page.wait_for_timeout(4000)
    early = delay(page)
    following = watch_boxes(page, webcam, 8)
    late = delay(page)
    assert late < max(1.6 * early, 700), (early, late)
    assert following.preview_fps > 20, following
    assert int(re.search(r"([\d,]+) replaced", page.locator('[data-figure="counts"]').inner_text())[1]) > 20  # type: ignore[index]
    page.close()


def delay(page: Page) -> int:
    """Half of the answers are faster, milliseconds."""
    found = re.search(r"(\d+) / \d+ ms", page.locator('[data-figure="delay"]').inner_text())
    assert found
    return int(found[1])


def test_five_tabs_at_once_and_all_is_freed_when_they_close(
    dashboard: Service, processor: Service, open_page: OpenPage
) -> None:
    assert dashboard.process is not None
    process = psutil.Process(dashboard.process.pid)
    # once before: code is loaded and thread pools are filled on first use, and stay
    tabs(5, dashboard, open_page)
    settle(process)
    threads, files, memory = process.num_threads(), process.num_fds(), process.memory_full_info().uss
    tabs(5, dashboard, open_page)
    # one client of the broker left over by each tab would be 15 threads; those of pools and scripts come and go
    wait_for(lambda: process.num_threads() <= threads + 12, 30, f"{threads} threads again")
    # event loops of Streamlit's script threads are closed by the garbage collector, some time
    wait_for(lambda: process.num_fds() <= files + 40, 30, f"{files} open files again")
    # and with them what their sessions held
    wait_for(lambda: process.memory_full_info().uss - memory < 30e6, 30, "memory within 30 MB of before again")
    grown, after = process.memory_full_info().uss - memory, (process.num_threads(), process.num_fds())
    print(f"threads and files {threads, files} -> {after}, memory {grown / 1e6:+.0f} MB")


def tabs(count: int, dashboard: Service, open_page: OpenPage) -> None:
    """Open them, see all of them live, close them."""
    pages = [open_page(width=900, height=700) for _ in range(count)]
    for page in pages:
        begin(page, dashboard)
    for page in pages:
        see_live(page)
    assert metric(dashboard, "mairror_webcams") == count
    assert dashboard.get("/_stcore/health")[0] == 200
    for page in pages:
        page.close()
    wait_for(lambda: metric(dashboard, "mairror_webcams") == 0, 4, "closed tabs end their streams")


def settle(process: psutil.Process) -> None:
    """Until what earlier tests left is gone: the number of threads stands still for half a second."""
    seen = [-1] * 10

    def still() -> bool:
        seen.append(process.num_threads())
        del seen[0]
        return len(set(seen)) == 1

    wait_for(still, 20, "the threads of earlier tests are gone")
