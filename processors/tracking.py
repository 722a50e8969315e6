"""Who is who in one stream: track ids, and each track's news. Its ages are fused in `processors/fusion.py`.

Tracker state lives with the partition. After a rebalance or a restart tracks start anew under new ids (the
epoch in the id differs), never under a wrong one. Association is ByteTrack's, from the `trackers` library.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from contracts.answers import Box
from contracts.events import TrackEvent
from model.faces import AgeEstimate, Detection, Quality
from processors.fusion import AgeFusion, Fused

LOST_FRAMES = 30
"""Frames a face may be away before its track ends (ByteTrack's own default)."""

UPDATE_SECONDS = 1.0
"""A track tells its news at most this often."""


@dataclass(frozen=True)
class Tracked:
    """What a track adds to one face of one frame."""

    track: str
    fused: Fused | None
    frames: int


class _Track:
    def __init__(self, id: str, seen: datetime, box: Box) -> None:
        self.id = id
        self.first_seen = self.last_seen = seen
        self.told: datetime | None = None
        self.box = box
        self.frames = 0
        self.aged = 0
        self.fusion = AgeFusion()

    def see(self, seen: datetime, box: Box) -> None:
        self.last_seen, self.box = seen, box
        self.frames += 1

    def event(self, kind: Any, stream: str, preset: str) -> TrackEvent:
        fused = self.fusion.fused
        return TrackEvent(
            track=self.id,
            stream=stream,
            event=kind,
            first_seen=self.first_seen,
            last_seen=self.last_seen,
            frames=max(1, self.frames),
            aged_frames=self.aged,
            years=round(fused.years, 2) if fused else None,
            low=round(fused.low, 2) if fused else None,
            high=round(fused.high, 2) if fused else None,
            box=self.box,
            preset=preset,
        )


class StreamTracker:
    """The tracks of one connection of one stream. One thread at a time."""

    def __init__(self, stream: str, connection: str, epoch: int, preset: str) -> None:
        from supervision import Detections
        from trackers import ByteTrackTracker

        self._detections = Detections
        self._tracker = ByteTrackTracker(
            lost_track_buffer=LOST_FRAMES, minimum_consecutive_frames=1, track_activation_threshold=0.5
        )
        self.stream = stream
        self.connection = connection
        self._prefix = f"{stream}:{connection}:{epoch}"
        self._preset = preset
        self._tracks: dict[int, _Track] = {}
        self._missed: dict[int, int] = {}
        self.last_sequence = -1

    def assign(self, detections: Sequence[Detection]) -> list[int | None]:
        """Track numbers of the faces of the next frame, in their order; None where there is none yet."""
        xyxy = np.array([[d.x, d.y, d.x + d.width, d.y + d.height] for d in detections], float).reshape(-1, 4)
        found = self._tracker.update(
            self._detections(
                xyxy=xyxy,
                confidence=np.array([d.score for d in detections], float),
                class_id=np.zeros(len(detections), int),
                data={"index": np.arange(len(detections))},
            )
        )
        numbers: list[int | None] = [None] * len(detections)
        assigned = found.tracker_id if found.tracker_id is not None else ()
        for index, number in zip(found.data.get("index", ()), assigned, strict=True):
            numbers[int(index)] = int(number) if number >= 0 else None
        return numbers

    def update(
        self,
        seen: datetime,
        boxes: Sequence[Box],
        detections: Sequence[Detection],
        estimates: Sequence[AgeEstimate | None],
        qualities: Sequence[Quality],
        fresh: Sequence[bool] | None = None,
    ) -> tuple[list[Tracked | None], list[TrackEvent]]:
        """Follow the faces of the next frame.

        Args:
            seen: capture time of the frame.
            boxes: fractions of the frame.
            detections: the same faces in pixels.
            estimates: None where the model abstained.
            qualities: how well each face can be seen.
            fresh: False where the estimate is one of a frame before, which the track has counted; None: all are new.

        Returns:
            One entry a face (None: not tracked), and the news of tracks (new, update, end).
        """
        tracked: list[Tracked | None] = []
        events: list[TrackEvent] = []
        numbers = self.assign(detections)
        new = fresh if fresh is not None else [True] * len(detections)
        for number, box, estimate, quality, counts in zip(numbers, boxes, estimates, qualities, new, strict=True):
            if number is None:
                tracked.append(None)
                continue
            track = self._tracks.get(number)
            if track is None:
                track = self._tracks[number] = _Track(f"{self._prefix}:{number}", seen, box)
            track.see(seen, box)
            if estimate is not None:
                track.aged += 1
                if counts or track.fusion.fused is None:
                    track.fusion.add(seen.timestamp(), estimate, quality)
            tracked.append(Tracked(track.id, track.fusion.fused, max(1, track.fusion.frames)))
            events += self._news(track, seen)
        events += self._ended({number for number in numbers if number is not None})
        return tracked, events

    def _news(self, track: _Track, now: datetime) -> list[TrackEvent]:
        if track.told is not None and (now - track.told).total_seconds() < UPDATE_SECONDS:
            return []
        kind = "update" if track.told else "new"
        track.told = now
        return [track.event(kind, self.stream, self._preset)]

    def _ended(self, present: set[int]) -> list[TrackEvent]:
        events = []
        for number in list(self._tracks):
            self._missed[number] = 0 if number in present else self._missed.get(number, 0) + 1
            if self._missed[number] > LOST_FRAMES:
                events.append(self._tracks.pop(number).event("end", self.stream, self._preset))
                del self._missed[number]
        return events

    def close(self) -> list[TrackEvent]:
        """End every track: the stream went away."""
        events = [track.event("end", self.stream, self._preset) for track in self._tracks.values()]
        self._tracks.clear()
        self._missed.clear()
        return events
