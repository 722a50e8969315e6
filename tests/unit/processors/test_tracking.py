"""Tracks: what an answer and the tracks' topic say about one person."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from contracts.answers import Box
from contracts.events import TrackEvent
from model.faces import AgeEstimate, Detection, Quality
from processors.tracking import LOST_FRAMES, StreamTracker, Tracked

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
CLEAR = Quality(120, 0.6, 0.5, 0, 0)
BOX = Box(0.3, 0.3, 0.2, 0.3)


@pytest.fixture
def tracker() -> StreamTracker:
    return StreamTracker("cam", "c-1", 7, "cydral")


def see(
    tracker: StreamTracker, number: int, *years: float | None, fps: float = 30
) -> tuple[list[Tracked | None], list[TrackEvent]]:
    """One frame with these faces from left to right; None: the model abstained."""
    found = [
        Detection(100 + 250 * place, 100, 120, 150, 0.95, np.zeros((5, 2), np.float32)) for place in range(len(years))
    ]
    ages = [None if value is None else AgeEstimate(value, value - 9, value + 9, 0.8, 4.0) for value in years]
    seen = BEGIN + timedelta(seconds=number / fps)
    return tracker.update(seen, [BOX] * len(years), found, ages, [CLEAR] * len(years))


def test_a_frame_without_an_age_does_not_move_the_track(tracker: StreamTracker) -> None:
    for number in range(20):
        (before,), _ = see(tracker, number, 33.0)
    for number in range(20, 60):
        (after,), events = see(tracker, number, None)
        assert before is not None
        assert after == before
        for event in events:
            # a face has its track from its second frame on
            assert (event.years, event.aged_frames) == (33.0, 19)


def test_the_news_of_a_track_carries_the_fused_age_with_its_interval(tracker: StreamTracker) -> None:
    news: list[TrackEvent] = []
    for number in range(90):
        (tracked,), events = see(tracker, number, 75.0 if number % 6 == 5 else 33.0)
        news += events
    assert [event.event for event in news] == ["new", "update", "update"]
    assert tracked is not None
    assert tracked.fused is not None
    (last,) = tracker.close()
    assert last.event == "end"
    assert (last.years, last.low, last.high) == (33.0, 24.0, 42.0)
    assert tracked.fused.years == pytest.approx(33.0)
    assert (last.frames, last.aged_frames) == (89, 89)


def test_two_people_have_two_ages_and_a_track_ends_with_its_memory(tracker: StreamTracker) -> None:
    for number in range(30):
        (left, right), _ = see(tracker, number, 20.0, 70.0)
    assert left is not None
    assert right is not None
    assert left.track != right.track
    assert left.fused is not None
    assert right.fused is not None
    assert (left.fused.shown_years, right.fused.shown_years) == (20, 70)
    ended: list[TrackEvent] = []
    for number in range(30, 30 + LOST_FRAMES + 5):
        ended += [event for event in see(tracker, number)[1] if event.event == "end"]
    assert {event.track for event in ended} == {left.track, right.track}
    assert tracker._tracks == {}
