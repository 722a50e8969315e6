"""Every page: behind a real nginx, and for people who do not see, or see badly, or have no mouse."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import axe
from tests.browser.axe import Finding
from tests.services import Service

pytestmark = pytest.mark.browser

SECONDS = 30_000
LIVE = '.stage[data-age="live"]'
DOCUMENT = Path(__file__).parents[2] / "docs" / "accessibility.md"
PROBE = re.compile(r"/\w+/_stcore/(health|host-config)$")
"""Streamlit's page looks below its own path first for the server's path: these answers of 404 are its way."""
OpenPage = Callable[..., Page]


def _see_faces(page: Page) -> None:
    page.wait_for_selector(LIVE, timeout=SECONDS)
    expect(page.locator(".faces .face").first).to_be_visible(timeout=SECONDS)


def _upload_one(page: Page) -> None:
    page.get_by_role("button", name="Grace Hopper", exact=True).click()
    expect(page.get_by_text("1 picture answered with 1 face.")).to_be_visible(timeout=SECONDS)


def _nothing(_page: Page) -> None:
    """The page is all there when its heading is."""


PAGES: dict[str, tuple[str, Callable[[Page], None]]] = {
    "/?stream=sample": ("Live", _see_faces),
    "/upload": ("Upload", _upload_one),
    "/history": ("History", _nothing),
    "/system": ("System", _nothing),
    "/about": ("About", _nothing),
}
"""Path, heading, and what to do or to wait for until it shows all it has. A new page is a line here."""


def _settle(page: Page, path: str, address: str) -> None:
    heading, finish = PAGES[path]
    page.goto(address + path)
    expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible(timeout=SECONDS)
    finish(page)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=SECONDS)


def test_the_table_names_every_page_of_the_menu(dashboard: Service, processor: Service, open_page: OpenPage) -> None:
    page = open_page()
    page.goto(f"http://127.0.0.1:{dashboard.port}/")
    links = page.get_by_test_id("stTopNavLink")
    expect(links).to_have_count(len(PAGES), timeout=SECONDS)
    # an icon's name comes before the words
    assert {text.split()[-1] for text in links.all_inner_texts()} == {heading for heading, _ in PAGES.values()}


def test_every_page_the_upload_and_the_live_picture_work_behind_nginx(
    dashboard: Service,
    processor: Service,
    sink: Service,
    sample: Service,
    environment: dict[str, str],
    free_port: Callable[[], int],
    proxied: Callable[[int, str], str],
    open_page: OpenPage,
    tmp_path: Path,
) -> None:
    service = Service(dashboard._command, environment, free_port(), tmp_path / "dashboard.log")
    service.start(MAIRROR_DASHBOARD__BASE_PATH="ages")
    try:
        url = proxied(service.port, "ages")
        page = open_page()
        asked: list[str] = []
        failed: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("websocket", lambda socket: asked.append(socket.url.replace("ws://", "http://")))
        page.on("response", lambda got: failed.append(f"{got.status} {got.url}") if got.status >= 400 else None)
        for path in PAGES:
            _settle(page, path, url)
        assert any("/ages/ws/live/sample" in one for one in asked), "the live picture came over its WebSocket"
        elsewhere = [one for one in asked if not one.startswith((f"{url}/", "data:", "blob:"))]
        assert not elsewhere, "everything is below the path of the proxy"
        assert not [one for one in failed if not PROBE.search(one.removeprefix(f"404 {url}"))]
        page.goto(url)
        assert page.url.startswith(f"{url}/"), "the path without its slash leads there, too"
    finally:
        service.stop()


@pytest.fixture(scope="module")
def findings(
    browser: Browser, _dashboard: Service, _processor: Service, _sink: Service, sample: Service
) -> dict[str, list[Finding]]:
    """What axe-core finds on every page: light and dark, wide, and as narrow as a telephone."""
    for service in (_processor, _dashboard, _sink):
        if not service.running:
            service.start()
    found: dict[str, list[Finding]] = {}
    for name, width, scheme in (("light", 1200, "light"), ("dark", 1200, "dark"), ("narrow", 400, "light")):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        page = context.new_page()
        for path in PAGES:
            _settle(page, path, f"http://127.0.0.1:{_dashboard.port}")
            found[f"{PAGES[path][0]}, {name}"] = axe.look(page)
        context.close()
    return found


@pytest.mark.timeout(400)
def test_axe_finds_nothing_grave_in_what_we_wrote(findings: dict[str, list[Finding]]) -> None:
    told = [
        f"{where}: {one.rule}: {one.html}\n    {one.says}"
        for where, some in findings.items()
        for one in some
        if one.ours
    ]
    assert not told, "\n".join(told)


def _listed() -> set[tuple[str, str]]:
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| `([^`]+)` \|", DOCUMENT.read_text(), re.M)
    return {(rule, place) for rule, place in rows}


def test_what_axe_finds_in_streamlits_markup_is_what_the_document_lists(findings: dict[str, list[Finding]]) -> None:
    theirs = {(one.rule, one.place): (where, one) for where, some in findings.items() for one in some if not one.ours}
    new = [
        f"| `{rule}` | `{place}` |  in {theirs[rule, place][0]}: {theirs[rule, place][1].html}"
        for rule, place in sorted(theirs.keys() - _listed())
    ]
    assert not new, "findings that docs/accessibility.md does not list:\n" + "\n".join(new)
    gone = sorted(_listed() - theirs.keys())
    assert not gone, f"docs/accessibility.md lists what is not found any more: {gone}"


def test_axe_would_find_it(open_page: OpenPage) -> None:
    page = open_page()
    page.set_content('<main><button></button><div data-testid="stHtml"><img src="data:,"></div></main>')
    found = {(one.rule, one.ours) for one in axe.look(page)}
    assert {("button-name", False), ("image-alt", True)} <= found
