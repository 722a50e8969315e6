"""Who may see which stream: a webcam is for the visitor who sends it."""

import pytest

from apps.dashboard.choosing import visible


@pytest.mark.parametrize(
    ("stream", "own", "seen"),
    [
        ("webcam-4f1c", [], False),
        ("webcam-4f1c", ["webcam-9a22"], False),
        ("webcam-4f1c", ["webcam-9a22", "webcam-4f1c"], True),
        ("webcam-4f1c-more", ["webcam-4f1c"], False),
        ("cam-42", [], True),
        ("sample", [], True),
        ("my-webcam-4f1c", [], True),
    ],
)
def test_a_webcam_is_seen_by_its_owner_only(stream: str, own: list[str], seen: bool) -> None:
    assert visible(stream, own) is seen
    assert visible(stream, set(own)) is seen
