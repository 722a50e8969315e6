"""Answers, frames and statuses made by hand, as the real parts write them."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from contracts.answers import Abstained, Age, Answer, Box, Face, FrameInfo, ModelInfo, QualityInfo, Timing
from contracts.events import StreamStatus
from contracts.frames import Frame


def face(left: float = 0.3, *, years: float | None = 34.2, track: str | None = None) -> Face:
    smoothed = None if track is None or years is None else years + 1
    return Face(
        track=track,
        box=Box(left, 0.3, 0.2, 0.3),
        score=0.9,
        landmarks=[(0.5, 0.5)] * 5,
        quality=QualityInfo(60, 0.5, 0.5, 0, 0),
        age=None if years is None else Age(years, years - 5, years + 6, 0.8, smoothed, 7),
        abstained=Abstained("too_small", "face 18 px, needs 28") if years is None else None,
    )


def frame(stream: str, sequence: int = 0, connection: str = "c-1", origin: str = "camera") -> Frame:
    return Frame(
        stream, connection, sequence, datetime.now(UTC), 640, 480, origin, "public-domain",
        expires_at=datetime.now(UTC) + timedelta(seconds=5),
    )  # fmt: skip


def answer(to: Frame, *faces: Face, clock: Literal["ok", "skewed"] = "ok", captured_ago: float = 0.0) -> Answer:
    captured = to.captured_at - timedelta(seconds=captured_ago)
    info = FrameInfo(str(to.id), to.connection, to.sequence, captured, 640, 480, to.origin)  # type: ignore[arg-type]
    model = ModelInfo("cydral", "1.0.0", "0" * 64, "yunet")
    return Answer(f"a-{to.id}", to.stream, info, list(faces), model, Timing(1, 1, 1, 1, 1, 1, 1, clock), {})


def status(
    stream: str,
    writer: Literal["producer", "processor"] = "producer",
    state: Literal["online", "offline"] = "online",
    *,
    ago: float = 0.0,
    origin: str = "camera",
    connection: str = "c-1",
    fps: float = 14.0,
) -> StreamStatus:
    at = datetime.now(UTC) - timedelta(seconds=ago)
    counts = {"captured": 10, "answered": 8, "superseded": 2}
    return StreamStatus(stream, writer, state, connection, at, origin, 640, 480, fps, counts)
