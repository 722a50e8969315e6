"""The upload page: every way in, faces as cards, and what a visitor says about a wrong age."""

import io
from uuid import UUID

import numpy as np
import pytest
from confluent_kafka import Message
from PIL import Image
from streamlit.testing.v1 import AppTest

from apps.dashboard import corrections, privacy, results
from apps.dashboard.corrections import Corrections, checked, event_id
from apps.dashboard.uploads import CROP_EDGE, Outcome, crops
from apps.dashboard.views.upload import OUTCOMES
from apps.dashboard.views.upload_intake import CAMERA, FILES, too_many
from apps.dashboard.wiring import Dashboard
from contracts import events
from contracts.cloudevents import header_texts
from contracts.errors import InvalidInput, RetryableError
from contracts.events import Correction
from contracts.kafka import KafkaSettings
from contracts.reading import TopicReader
from contracts.settings import Settings
from contracts.topics import CORRECTIONS
from sinks.mongo.store import Store
from tests.apps.dashboard.making import answer, face, frame
from tests.apps.dashboard.test_pages import open_page, texts
from tests.services import Service, wait_for


def result(dashboard: Dashboard, jpeg: bytes) -> tuple[AppTest, Outcome]:
    """The page after one picture was chosen."""
    app = open_page("upload")
    app.file_uploader[0].set_value([("hopper.jpg", jpeg, "image/jpeg")]).run()
    (outcome,) = app.session_state[OUTCOMES]
    return app, outcome


def press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def about(reader: TopicReader, answer_id: str) -> Message:
    """The next correction of this answer."""
    found: list[Message] = []

    def came() -> bool:
        message = reader.poll(0.1)
        if message is not None and answer_id.encode() in (message.value() or b""):
            found.append(message)
        return bool(found)

    wait_for(came, 20, "a correction on its topic")
    return found[0]


def test_the_camera_is_not_asked_for_until_it_is_wanted(
    dashboard: Dashboard, processor: Service, hopper: bytes
) -> None:
    app = open_page("upload")
    assert len(app.camera_input) == 0
    assert len(app.file_uploader) == 1
    app.segmented_control[0].set_value(CAMERA).run()
    assert len(app.file_uploader) == 0
    assert "Only the photo you take is sent" in app.camera_input[0].label
    app.camera_input[0].set_value(("shot.jpg", hopper, "image/jpeg")).run()
    assert "1 picture answered with 1 face." in texts(app)
    app.segmented_control[0].set_value(FILES).run()
    assert len(app.camera_input) == 0
    assert "1 picture answered with 1 face." in texts(app), "what was answered stays"


def test_a_wrong_age_is_told_once_and_kept(
    dashboard: Dashboard, processor: Service, sink: Service, settings: Settings, hopper: bytes
) -> None:
    reader = TopicReader(settings.kafka, [CORRECTIONS.name])
    app, outcome = result(dashboard, hopper)
    assert outcome.answer is not None
    asked = app.number_input[0]
    assert (asked.min, asked.max, asked.value) == (0, 120, None)
    assert app.text_area[0].max_chars == 500
    asked.set_value(77)
    app.text_area[0].set_value("  in 1984  ")
    press(app, "Send")
    assert "Thank you. Your correction has arrived." in texts(app)
    assert len(app.number_input) == 0, "nothing more is asked about this face"
    message = about(reader, outcome.answer.id)
    assert message.key() == outcome.answer.stream.removeprefix("upload/").encode()
    said = events.decode(Correction, message.value() or b"")
    assert (said.answer, said.face, said.true_age, said.comment) == (outcome.answer.id, 0, 77, "in 1984")
    dashboard.corrections.send(outcome.answer, 0, 77, "in 1984")
    again = about(reader, outcome.answer.id)
    reader.close()
    assert header_texts(again)["ce_id"] == header_texts(message)["ce_id"], "the same words are the same event"
    store = Store(settings.mongo)
    kept = store.database["corrections"]
    where = {"answer": outcome.answer.id}
    wait_for(lambda: kept.find_one(where) is not None, 20, "the sink stores the correction")
    assert [(found["_id"], found["true_age"]) for found in kept.find(where)] == [(f"{outcome.answer.id}/0", 77)]
    store.close()


def test_a_correction_that_does_not_arrive_is_not_thanked_for(
    dashboard: Dashboard, processor: Service, hopper: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corrections, "CONFIRM_SECONDS", 1.0)
    nowhere = Corrections(KafkaSettings(bootstrap="127.0.0.1:1"))
    app, _ = result(dashboard, hopper)
    monkeypatch.setattr(dashboard, "corrections", nowhere)
    press(app, "Send")
    shown = texts(app)
    nowhere.close()
    assert "could not be delivered" in shown
    assert "Thank you" not in shown
    monkeypatch.undo()
    press(app, "Send")
    assert "Thank you" in texts(app), "the same form works when the broker is back"


def test_a_correction_keeps_the_rules() -> None:
    given = answer(frame("upload/u-1", origin="upload"), face(), face())
    assert checked(given, 1, None, " ").comment == ""
    for wrong, says in (((2, None, ""), "face 2"), ((0, 121.0, ""), "0 to 120"), ((0, None, "x" * 501), "501 letters")):
        with pytest.raises(InvalidInput, match=says):
            checked(given, *wrong)
    first, other_face = checked(given, 0, 40, "x"), checked(given, 1, 40, "x")
    assert UUID(event_id(first)) == UUID(event_id(checked(given, 0, 40.0, " x ")))
    assert event_id(first) != event_id(other_face)
    assert event_id(first) != event_id(checked(given, 0, 41, "x"))
    assert "broker" in corrections.in_words(RetryableError("x"))
    assert "501" in corrections.in_words(InvalidInput(events.Reason.BAD_BODY, "501 letters"))


def test_a_correction_holds_words_and_no_picture() -> None:
    assert set(Correction.__struct_fields__) == {"answer", "face", "at", "true_age", "comment"}
    assert privacy.duration(CORRECTIONS) == "90 days"


def test_every_face_has_a_card_with_its_crop_from_left_to_right() -> None:
    picture = np.zeros((400, 600, 3), np.uint8)
    picture[:, :300], picture[:, 300:] = (200, 0, 0), (0, 0, 200)
    given = answer(frame("upload/1"), face(0.6), face(0.1, years=None))
    right, left = crops(picture, given)
    for jpeg, colour in ((right, (0, 0, 200)), (left, (200, 0, 0))):
        image = Image.open(io.BytesIO(jpeg))
        assert max(image.size) <= CROP_EDGE
        blue, green, red = colour
        assert image.getpixel((image.width // 2, image.height // 2)) == pytest.approx((red, green, blue), abs=6)
    assert results.from_left(given) == [1, 0]
    shown = results.card(given.faces[0], right, 'Face 1 of 2 in "<x>"')
    assert 'alt="Face 1 of 2 in &quot;&lt;x&gt;&quot;"' in shown
    assert "<b>34</b>" in shown
    assert "29 to 40" in shown
    assert "too small" in results.card(given.faces[1], left)


def test_what_was_left_out_is_named() -> None:
    assert "The last 2 were left out: `a`, `b`. Choose" in too_many(4, 2, ["a", "b"])
    assert "`7` and 3 more. Choose" in too_many(13, 2, [str(number) for number in range(11)])
