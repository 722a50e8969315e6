"""The pages' logic: what each shows in which situation, run by Streamlit's own test driver."""

import io
import json
import zipfile
from pathlib import Path

import msgspec
import pytest
from streamlit.testing.v1 import AppTest

from apps.dashboard import choosing, health, privacy, results
from apps.dashboard.serve import LIVE_PATH, max_file_mb, socket_path, streamlit_config
from apps.dashboard.uploads import Chosen, Outcome, Uploads
from apps.dashboard.views.upload import OUTCOMES
from apps.dashboard.wiring import Dashboard
from apps.local.folder import ServiceState, StackState
from contracts.answers import Age, Ethnicity, Face, Gender
from contracts.settings import DashboardSettings, Settings, UploadSettings
from contracts.topics import AGES, FRAMES_LIVE, FRAMES_UPLOAD
from producers.sample import public_domain_pictures
from sinks.live.directory import StreamEntry
from tests.apps.dashboard.making import answer, face, frame, status
from tests.services import Service
from tests.unit.test_features import exists

APP = Path(__file__).parents[3] / "apps/dashboard/app.py"


def entry(stream: str, *, online: bool = True, origin: str = "camera", fps: float = 10.0) -> StreamEntry:
    return StreamEntry(stream, origin, "c", online, 1.0, 640, 480, fps, {"captured": 5})


def texts(app: AppTest) -> str:
    assert not app.exception, app.exception
    kinds = (app.title, app.subheader, app.markdown, app.caption, app.info, app.warning, app.success, app.error)
    found = [element.value for kind in kinds for element in kind]
    return "\n".join([*found, *(str(element.proto.body) for element in app.get("html"))])


def open_page(page: str) -> AppTest:
    script = f"from apps.dashboard.views import {page}\n{page}.page()\n"
    return AppTest.from_string(script, default_timeout=60).run()


def test_the_app_starts_on_the_live_page(dashboard: Dashboard) -> None:
    app = AppTest.from_file(str(APP), default_timeout=60).run()
    assert "never proof" in texts(app)


def test_live_tells_what_to_do_while_there_is_no_stream_and_lists_those_there_are(dashboard: Dashboard) -> None:
    # online streams of other tests end
    for known in dashboard.directory.online():
        dashboard.directory.take(status(known.stream, state="offline"))
        dashboard.directory.take(status(known.stream, "processor", state="offline"))
    app = open_page("live")
    assert "No stream is running" in texts(app)
    assert "mairror replay" in app.code[0].value
    dashboard.directory.take(status("page-a"))
    dashboard.directory.take(status("page-b", origin="webcam"))
    app.run()
    assert app.selectbox[0].options == ["page-a (camera, 640 x 480)", "page-b (webcam, 640 x 480)"]
    assert app.query_params["stream"] == "page-a"
    app.selectbox[0].select("page-b").run()
    assert app.query_params["stream"] == "page-b"
    dashboard.directory.take(status("page-b", state="offline", origin="webcam"))
    app.run()
    assert app.selectbox[0].value == "page-b", "the chosen stream stays when it ends, and says so"
    assert "page-b (webcam, 640 x 480, ended)" in app.selectbox[0].options
    dashboard.directory.take(status("page-a", state="offline"))


def test_own_streams_come_before_the_sample() -> None:
    entries = [entry("sample", origin="sample"), entry("zoo"), entry("attic", online=False)]
    assert choosing.options(entries, None) == ["zoo", "sample"]
    assert choosing.options(entries, "attic") == ["zoo", "sample", "attic"]
    assert choosing.options(entries, "never-seen") == ["zoo", "sample"]
    assert choosing.label(entries, "sample") == "sample (sample stream, 640 x 480)"


def test_uploaded_pictures_are_answered_and_others_refused_by_name(
    dashboard: Dashboard, processor: Service, hopper: bytes, no_face: bytes
) -> None:
    app = open_page("upload")
    files = [("hopper.jpg", hopper, "image/jpeg"), ("room.jpg", no_face, "image/jpeg")]
    files += [("notes.pdf", b"%PDF-1.4 x", "application/pdf"), ("empty.jpg", b"", "image/jpeg")]
    app.file_uploader[0].set_value(files).run()
    shown = texts(app)
    assert "2 pictures answered with 1 face; 2 refused." in shown
    assert "`notes.pdf` PDF files are not read" in shown
    assert "`empty.jpg` The file is empty" in shown
    assert "No face was found" in shown
    assert "% sure" in shown
    outcomes: list[Outcome] = app.session_state[OUTCOMES]
    assert [outcome.status for outcome in outcomes] == ["answered", "answered", "refused", "refused"]
    assert [(button.label) for button in app.get("download_button")].count("JSON") == 2
    assert app.file_uploader[0].value == [], "the widget is emptied, the files' memory is free"
    next(button for button in app.button if button.label == "Clear").click().run()
    assert OUTCOMES not in app.session_state


def test_an_example_is_one_click(dashboard: Dashboard, processor: Service) -> None:
    app = open_page("upload")
    next(button for button in app.button if button.label == "Grace Hopper").click().run()
    assert "1 picture answered with 1 face." in texts(app)


def test_more_files_than_the_cap_are_left_out_and_that_is_said(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = dashboard.settings.model_copy(update={"upload": UploadSettings(max_files=2)})
    monkeypatch.setattr(dashboard, "settings", small)
    app = open_page("upload")
    assert "At most 2 pictures in one go, 20 MB each" in app.file_uploader[0].label
    app.file_uploader[0].set_value([(f"{n}.gif", b"GIF89a", "image/gif") for n in range(5)]).run()
    shown = texts(app)
    assert "You chose 5 pictures; 2 go in one go. The last 3 were left out" in shown
    assert "2 refused." in shown


def test_no_answer_is_said_and_not_waited_for_for_ever(dashboard: Dashboard, hopper: bytes) -> None:
    class Lost:
        def send(self, data: bytes, upload: str) -> bytes:
            return data

    uploads = Uploads(Lost(), dashboard.answers, timeout=0.2)
    (found,) = [outcome for _, outcome in uploads.run([Chosen("a.jpg", hopper)])]
    uploads.close()
    assert found.status == "failed"
    assert "no answer within 0 s: the processor is busy or away" in found.reason


def test_system_is_plain_about_what_is_wrong(tmp_path: Path) -> None:
    services = {"broker": ServiceState("running", 1, 9092, True, pss_mb=170), "processor": ServiceState("starting", 2)}
    state = StackState(False, None, None, "", "", "", services)
    assert health.sentence(None, None, []) == (True, "Everything is ready. No stream is running.")
    assert health.sentence(None, state, []) == (False, "Not everything is ready: processor.")
    assert health.sentence("gone", state, [])[0] is False
    two = [entry("a"), entry("b", fps=4.6)]
    assert (
        health.sentence(None, None, two)[1] == "Everything works: 2 streams are running, 15 pictures answered a second."
    )
    assert [(line.name, line.light) for line in health.lines(state)] == [("broker", "on"), ("processor", "wait")]
    assert "170 MB" in health.lines(state)[0].detail
    assert health.read_state(tmp_path) is None
    (tmp_path / "state.json").write_text("{broken")
    assert health.read_state(tmp_path) is None


def test_system_page_lists_streams(dashboard: Dashboard) -> None:
    dashboard.directory.take(status("on-system-page"))
    app = open_page("system")
    assert "on-system-page" in app.dataframe[0].value["stream"].tolist()
    dashboard.directory.take(status("on-system-page", state="offline"))


def test_about_shows_card_terms_limits_and_privacy(dashboard: Dashboard) -> None:
    shown = texts(open_page("about"))
    care = "Do not use it to decide whether somebody is an adult"
    for words in (care, "Model card: mairror-age-1", "non-commercial research only"):
        assert words in shown
    for promise in privacy.promises():
        assert promise.sentence in shown


def test_every_promise_has_a_test() -> None:
    assert [promise.proof for promise in privacy.promises() if not exists(promise.proof)] == []


def test_promised_times_are_those_of_the_topics() -> None:
    assert [privacy.duration(topic) for topic in (FRAMES_LIVE, FRAMES_UPLOAD, AGES)] == [
        "2 minutes",
        "24 hours",
        "7 days",
    ]
    assert privacy.duration(FRAMES_LIVE, 1.5) == "3 minutes"


def test_an_answer_holds_nothing_else_about_a_person() -> None:
    always = {"track", "box", "score", "landmarks", "quality", "age", "abstained"}
    assert set(Face.__struct_fields__) == always | {"gender", "ethnicity"}
    assert Settings().model.heads == (), "guesses about more than the age are off"
    assert set(msgspec.json.decode(msgspec.json.encode(face()))) == always, "and then not even named"
    of_this_frame = {"years", "low", "high", "coverage", "reused"}
    of_the_track = {
        "smoothed_years",
        "smoothed_low",
        "smoothed_high",
        "shown_years",
        "shown_low",
        "shown_high",
        "frames",
    }
    assert set(Age.__struct_fields__) == of_this_frame | of_the_track


def test_a_card_says_what_else_was_guessed_where_it_was_switched_on() -> None:
    alone = results.card(face())
    assert "female" not in alone
    guessed = msgspec.structs.replace(
        face(), gender=Gender(female=0.82, male=0.18), ethnicity=Ethnicity(0.1, 0.1, 0.7, 0.05, 0.05)
    )
    assert "<small>82 % female</small><small>70 % asian</small>" in results.card(guessed)
    sentences = " ".join(promise.sentence for promise in privacy.promises(("gender",)))
    assert "boxes, landmarks and ages, and guesses of gender, switched on here: no picture, no name, no ethnicity" in (
        sentences
    )


def outcome(name: str, *faces: Face) -> Outcome:
    return Outcome(name, "answered", answer(frame("upload/1", origin="upload"), *faces), b"jpeg")


def test_results_read_well_and_names_of_strangers_do_no_harm() -> None:
    found = [outcome("a.jpg", face(), face()), Outcome("b.pdf", "refused", reason="PDF files are not read")]
    assert results.summary(found) == "1 picture answered with 2 faces; 1 refused."
    assert results.summary([]) == "Nothing was sent."
    assert results.refusal(Outcome("`x`\n.pdf", "refused", reason="no")) == "`'x' .pdf` No."
    assert results.file_stem("../../etc/pass wd.jpg") == "pass-wd"
    assert results.file_stem("C:\\photos\\me.png") == "me"
    assert results.file_stem("...") == "picture"
    hostile = Outcome("h", "answered", answer(frame("upload/1"), face(years=None)), b"")
    assert hostile.answer is not None
    assert "<b>?</b>" in results.cards(hostile.answer)
    assert "80 % sure: 29 to 40" in results.cards(found[0].answer) if found[0].answer else False


def test_the_archive_holds_pictures_and_one_line_a_file() -> None:
    found = [outcome("a.jpg", face()), outcome("../a.jpg"), Outcome("b.pdf", "refused", reason="no")]
    with zipfile.ZipFile(io.BytesIO(results.as_zip(found))) as archive:
        assert archive.namelist() == ["001-a.jpg", "002-a.jpg", "answers.jsonl"]
        lines = [json.loads(line) for line in archive.read("answers.jsonl").splitlines()]
    assert [line["file"] for line in lines] == ["a.jpg", "../a.jpg", "b.pdf"]
    assert lines[0]["answer"]["faces"][0]["age"]["years"] == 34.2
    assert lines[2]["error"] == "no"


def test_streamlit_is_told_to_keep_to_itself() -> None:
    settings = Settings(
        upload=UploadSettings(max_bytes=3_000_000),
        dashboard=DashboardSettings(base_path="/mairror/", allowed_hosts="example.org, localhost"),
    )
    options = streamlit_config(settings)
    assert options["server.address"] == "127.0.0.1"
    assert options["browser.gatherUsageStats"] is False
    assert options["server.allowedHosts"] == ["example.org", "localhost"]
    assert options["server.maxUploadSize"] == max_file_mb(settings) == 3
    assert socket_path(settings, LIVE_PATH) == "/mairror/ws/live"
    assert socket_path(Settings(), LIVE_PATH) == "/ws/live"


def test_examples_are_public_domain_only() -> None:
    from apps.dashboard.views.upload_intake import EXAMPLES

    assert set(EXAMPLES) == set(public_domain_pictures())
    assert all(words.endswith("public domain") for words in EXAMPLES.values())
