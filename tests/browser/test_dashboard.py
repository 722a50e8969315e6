"""What a visitor sees: pictures that move, ages that come, words when something is wrong. Nothing is replaced."""

import json
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, expect

from producers.sample import public_domain_pictures
from tests.services import Service

pytestmark = pytest.mark.browser

LIVE = '.stage[data-age="live"]'
SECONDS = 30_000
OpenPage = Callable[..., Page]


def address(service: Service, path: str = "/") -> str:
    return f"http://127.0.0.1:{service.port}{path}"


def see_live(page: Page, service: Service, path: str = "/?stream=sample") -> None:
    page.goto(address(service, path))
    page.wait_for_selector(LIVE, timeout=SECONDS)


def drawn(page: Page) -> str:
    """The id of the picture on the canvas."""
    return page.locator("canvas[data-picture]").get_attribute("data-picture", timeout=SECONDS) or ""


def files(tmp_path: Path) -> list[Path]:
    pdf = tmp_path / "notes.pdf"
    pdf.write_bytes(b"%PDF-1.7 nothing")
    return [*public_domain_pictures().values(), pdf]


def test_uploaded_pictures_are_answered_and_the_live_picture_moves(
    dashboard: Service, processor: Service, sample: Service, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page()
    foreign: list[str] = []
    page.on("request", lambda asked: foreign.append(asked.url) if not local(asked.url, dashboard) else None)
    page.on("websocket", lambda opened: foreign.append(opened.url) if not local(opened.url, dashboard) else None)

    see_live(page, dashboard)
    faces = page.locator(".faces .face")
    expect(faces).to_have_count(2, timeout=SECONDS)
    assert re.search(r"\d+ ?years\s*80 % sure: \d+ to \d+", faces.first.inner_text().replace("\n", " "))
    before, shot = drawn(page), page.locator(".stage").screenshot()
    page.wait_for_function(
        """known => {
          const find = (root) => root.querySelector("canvas[data-picture]")
            || [...root.querySelectorAll("*")].filter(e => e.shadowRoot).map(e => find(e.shadowRoot)).find(Boolean);
          return find(document).dataset.picture !== known;
        }""",
        arg=before,
        timeout=SECONDS,
    )
    assert page.locator(".stage").screenshot() != shot
    expect(page.locator('[data-figure="fps"]')).to_have_text(re.compile(r"[1-9]"))
    expect(page.locator('[data-figure="p95"]')).to_have_text(re.compile(r"\d+ ms"))
    expect(page.locator('[data-figure="counts"]')).to_have_text(
        re.compile(r"\d taken · [\d,]+ answered"), timeout=SECONDS
    )

    page.get_by_role("link", name="Upload").click()
    page.set_input_files("input[type=file]", [str(path) for path in files(tmp_path)])
    expect(page.get_by_text("2 pictures answered with 2 faces; 1 refused.")).to_be_visible(timeout=SECONDS)
    expect(page.get_by_text("PDF files are not read")).to_be_visible()
    expect(page.locator(".card b")).to_have_count(2)
    assert all(re.fullmatch(r"\d+", age) for age in page.locator(".card b").all_inner_texts())
    pictures = page.get_by_role("img", name=re.compile("annotated"))
    expect(pictures).to_have_count(2)
    assert pictures.first.evaluate("image => image.complete && image.naturalWidth") == 512
    with page.expect_download() as download:
        page.get_by_role("button", name="JSON").first.click()
    assert len(json.loads(Path(download.value.path()).read_bytes())["answer"]["faces"]) == 1
    assert foreign == [], "the pages load nothing from anywhere else and tell nobody anything"


@pytest.mark.prove
def test_two_hundred_photos_in_one_go_are_all_answered(
    dashboard: Service, processor: Service, open_page: OpenPage, tmp_path: Path, hopper: bytes
) -> None:
    photos = []
    for number in range(200):
        photos.append(tmp_path / f"photo-{number:03d}.jpg")
        photos[-1].write_bytes(hopper)
    page = open_page()
    page.goto(address(dashboard, "/upload"))
    page.set_input_files("input[type=file]", [str(path) for path in photos], timeout=2 * SECONDS)
    expect(page.get_by_text("200 pictures answered with 200 faces")).to_be_visible(timeout=4 * SECONDS)


def local(url: str, service: Service) -> bool:
    return url.startswith(("data:", "blob:")) or url.split("://", 1)[1].startswith(f"127.0.0.1:{service.port}/")


def test_the_picture_fades_and_says_so_when_answers_stop(
    dashboard: Service, processor: Service, sample: Service, open_page: OpenPage
) -> None:
    page = open_page(dark=True)
    see_live(page, dashboard)
    assert processor.process is not None
    os.kill(processor.process.pid, signal.SIGSTOP)
    try:
        stopped = time.monotonic()
        page.wait_for_selector('.stage[data-age="old"]', timeout=4000)
        # answers already on their way may still come; without a loaded machine it is 1.4 s
        assert time.monotonic() - stopped < 3
        expect(page.locator(".veil")).to_have_text(re.compile(r"No answer for [3-9] s"), timeout=9000)
        expect(page.locator(".badge")).to_have_text("stopped")
        assert "grayscale(1)" in page.locator("canvas").evaluate("element => getComputedStyle(element).filter")
    finally:
        os.kill(processor.process.pid, signal.SIGCONT)
    page.wait_for_selector(LIVE, timeout=SECONDS)


@pytest.mark.parametrize("dark", [False, True])
def test_every_page_fits_a_telephone(
    dashboard: Service, processor: Service, sample: Service, open_page: OpenPage, *, dark: bool
) -> None:
    page = open_page(400, 800, dark=dark)
    for path, sign in (("/", "Live"), ("/upload", "Upload"), ("/system", "System"), ("/about", "About")):
        page.goto(address(dashboard, path))
        expect(page.get_by_role("heading", name=sign, exact=True)).to_be_visible(timeout=SECONDS)
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        assert page.locator('[data-testid="stMain"]').evaluate("main => main.scrollWidth") <= 400
        assert page.get_by_text("Deploy").count() == 0


def test_a_killed_decoder_is_replaced(dashboard: Service, processor: Service, open_page: OpenPage) -> None:
    page = open_page()
    page.goto(address(dashboard, "/upload"))
    example = page.get_by_role("button", name="Grace Hopper", exact=True)
    example.click()
    answered = page.get_by_text("1 picture answered with 1 face.")
    expect(answered).to_be_visible(timeout=SECONDS)
    assert dashboard.process is not None
    decoders = [
        child
        for child in psutil.Process(dashboard.process.pid).children()
        if "producers.edge.worker" in " ".join(child.cmdline())
    ]
    assert decoders
    for decoder in decoders:
        decoder.kill()
    page.get_by_role("button", name="Clear").click()
    expect(answered).to_have_count(0)
    example.click()
    expect(page.get_by_text("The file crashed its decoder")).to_be_visible(timeout=SECONDS)
    page.get_by_role("button", name="Clear").click()
    example.click()
    expect(answered).to_be_visible(timeout=SECONDS)


def test_it_ends_within_seconds_while_somebody_watches(
    dashboard: Service, processor: Service, sample: Service, open_page: OpenPage
) -> None:
    see_live(open_page(), dashboard)
    began = time.monotonic()
    assert dashboard.stop() == 0
    # 0.3 s alone; the stack gives a service 4 s, also while all of it is busy
    assert time.monotonic() - began < 4
