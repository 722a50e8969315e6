"""The upload page in a real browser: a picture from the clipboard, one from the camera, and a word back."""

import base64
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from contracts import events
from contracts.events import Correction
from contracts.reading import TopicReader
from contracts.settings import Settings
from contracts.topics import CORRECTIONS
from tests.services import Service, wait_for

pytestmark = pytest.mark.browser

SECONDS = 30_000
OpenPage = Callable[..., Page]
PASTE = """([encoded, name]) => {
  const bytes = Uint8Array.from(atob(encoded), letter => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type: "image/jpeg" }));
  const event = new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true });
  document.body.dispatchEvent(event);
}"""
PASTE_WORDS = """() => {
  const transfer = new DataTransfer();
  transfer.setData("text/plain", "words");
  const event = new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true });
  document.body.dispatchEvent(event);
  return event.defaultPrevented;
}"""


def open_upload(page: Page, service: Service) -> Page:
    page.goto(f"http://127.0.0.1:{service.port}/upload")
    expect(page.get_by_text("or paste a picture")).to_be_visible(timeout=SECONDS)
    return page


def paste(page: Page, jpeg: bytes, name: str = "image.png") -> None:
    page.evaluate(PASTE, [base64.b64encode(jpeg).decode(), name])


def test_a_pasted_picture_is_answered_and_a_correction_reaches_its_topic(
    dashboard: Service, processor: Service, settings: Settings, open_page: OpenPage, hopper: bytes
) -> None:
    reader = TopicReader(settings.kafka, [CORRECTIONS.name])
    page = open_upload(open_page(), dashboard)
    assert page.evaluate(PASTE_WORDS) is False, "letters are left to whom they belong"
    paste(page, hopper)
    expect(page.get_by_role("status").get_by_text("Picture pasted.")).to_be_visible()
    expect(page.get_by_text("1 picture answered with 1 face.")).to_be_visible(timeout=SECONDS)
    expect(page.get_by_text("pasted-1.jpeg").or_(page.get_by_text("pasted-1.jpg")).first).to_be_visible()
    crop = page.get_by_role("img", name="Face 1 of 1 in")
    assert crop.evaluate("image => image.complete && image.naturalWidth") >= 64

    page.get_by_role("button", name="This is wrong").click()
    page.get_by_label("How old is this person?").fill("77")
    page.get_by_label("Anything to add?").fill("a portrait of 1984")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Thank you. Your correction has arrived.")).to_be_visible(timeout=SECONDS)
    expect(page.get_by_role("button", name="This is wrong")).to_have_count(0)
    found: list[Correction] = []

    def came() -> bool:
        message = reader.poll(0.1)
        if message is not None:
            found.append(events.decode(Correction, message.value() or b""))
        return any(said.comment == "a portrait of 1984" for said in found)

    wait_for(came, 20, "the correction on its topic")
    reader.close()
    assert [(said.face, said.true_age) for said in found if said.comment == "a portrait of 1984"] == [(0, 77)]


def test_a_picture_too_large_is_left_out_by_name_and_the_others_are_answered(
    dashboard: Service, processor: Service, open_page: OpenPage, tmp_path: Path, hopper: bytes
) -> None:
    large, good = tmp_path / "large.jpg", tmp_path / "good.jpg"
    large.write_bytes(hopper + bytes(21 * 1024 * 1024))
    good.write_bytes(hopper)
    page = open_upload(open_page(400, 800, dark=True), dashboard)
    page.set_input_files("input[type=file]", [str(large), str(good)])
    expect(page.get_by_text("1 picture answered with 1 face.")).to_be_visible(timeout=SECONDS)
    expect(page.get_by_text("Left out, because a picture may have 20 MB at most: large.jpg (21 MB).")).to_be_visible()
    assert page.locator('[data-testid="stMain"]').evaluate("main => main.scrollWidth") <= 400
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_text("Left out")).to_have_count(0)


@pytest.fixture
def camera_page(browser: Browser) -> Iterator[Page]:
    """A page of a browser with a camera that shows a drawn test picture."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    flags = ["--headless=new", "--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    found = browser.browser_type.launch(executable_path=path, args=flags)
    yield found.new_page()
    found.close()


def test_the_camera_is_asked_for_when_it_is_wanted_and_its_photo_is_answered(
    dashboard: Service, processor: Service, camera_page: Page
) -> None:
    camera_page.add_init_script(
        """const devices = navigator.mediaDevices, ask = devices.getUserMedia.bind(devices);
        window.asked = 0;
        devices.getUserMedia = (wanted) => { window.asked += 1; return ask(wanted); };"""
    )
    page = open_upload(camera_page, dashboard)
    assert page.evaluate("window.asked") == 0
    page.get_by_role("radio", name="Take a photo").or_(page.get_by_role("button", name="Take a photo")).first.click()
    # the button is there before the camera's first picture, and does nothing until then
    page.wait_for_function("() => document.querySelector('video')?.videoWidth > 0", timeout=SECONDS)
    page.get_by_role("button", name="Take Photo", exact=True).click(timeout=SECONDS)
    expect(page.get_by_text("1 picture answered with 0 faces.")).to_be_visible(timeout=SECONDS)
    assert page.evaluate("window.asked") >= 1
