"""What we promise about pictures and people: sentences, each with the test that proves it; times from the topics."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.topics import AGES, CORRECTIONS, FRAMES_LIVE, FRAMES_UPLOAD, Topic


@dataclass(frozen=True)
class Promise:
    """A sentence for people, and `path::name` of the test that fails when it is not true."""

    sentence: str
    proof: str


def duration(topic: Topic, factor: float = 1.0) -> str:
    """How long a topic keeps its records, times `factor`, in words: `2 minutes`, `24 hours`, `7 days`."""
    seconds = (topic.retention or 0) * factor
    for size, name, limit in ((60, "minutes", 7200), (3600, "hours", 172_800), (86_400, "days", float("inf"))):
        if seconds < limit:
            return f"{seconds / size:g} {name}"
    raise AssertionError("the last limit is infinite")


def promises(heads: Sequence[str] = ()) -> list[Promise]:
    """All of them, in the order they are shown; `heads` are what is guessed besides the age."""
    besides = f", and guesses of {' and '.join(heads)}, switched on here" if heads else ""
    never = ", ".join(f"no {word}" for word in ("picture", "name", "gender", "ethnicity") if word not in heads)
    running = "tests/kafka/test_failures.py::test_nothing_on_a_running_stream_is_older_than_one_and_a_half_retentions"
    return [
        Promise(
            f"A live picture is kept for {duration(FRAMES_LIVE)} so that it can be answered; while its stream runs, "
            f"none is older than {duration(FRAMES_LIVE, 1.5)}.",
            running,
        ),
        Promise(
            f"An uploaded picture is kept for {duration(FRAMES_UPLOAD)}, its answer for {duration(AGES)}.",
            "tests/apps/dashboard/test_pages.py::test_promised_times_are_those_of_the_topics",
        ),
        Promise(
            f"An answer holds boxes, landmarks and ages{besides}: {never}.",
            "tests/apps/dashboard/test_pages.py::test_an_answer_holds_nothing_else_about_a_person",
        ),
        Promise(
            f"When you say that an age is wrong, your words are kept for {duration(CORRECTIONS)}, without a picture.",
            "tests/apps/dashboard/test_upload_page.py::test_a_correction_holds_words_and_no_picture",
        ),
        Promise(
            "No live picture is sent without a consent id.",
            "tests/unit/contracts/test_frames.py::test_what_breaks_a_rule_is_refused",
        ),
        Promise(
            "Your camera is not touched before you agree, and its stream ends within 3 seconds when you close the tab.",
            "tests/browser/test_webcam.py::test_five_tabs_at_once_and_all_is_freed_when_they_close",
        ),
        Promise(
            "Your webcam's live picture is seen by you alone; its sockets take nobody else's ticket.",
            "tests/apps/dashboard/test_webcam.py::test_only_the_page_of_the_run_gets_in",
        ),
        Promise(
            "In the history, a webcam is seen by the visitor who sends it, by nobody else.",
            "tests/apps/dashboard/test_history_page.py::test_a_webcam_is_in_the_history_of_its_owner_only",
        ),
        Promise(
            "Of an uploaded photo the history shows the answer, never the picture or the id that opens it.",
            "tests/apps/dashboard/test_history_page.py::test_a_photo_leads_to_its_answer_and_not_to_its_picture",
        ),
        Promise(
            "These pages load nothing from other servers and send nobody statistics about you.",
            "tests/browser/test_dashboard.py::test_uploaded_pictures_are_answered_and_the_live_picture_moves",
        ),
        Promise(
            "A page of another web address cannot watch a stream through your browser.",
            "tests/apps/dashboard/test_push.py::test_a_page_of_another_origin_is_refused",
        ),
    ]
