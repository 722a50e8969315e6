"""Which stream the Live page shows: the visitor's choice while it makes sense, else the most interesting one."""

from collections.abc import Collection, Sequence

from producers.sample import SAMPLE_STREAM
from sinks.live.directory import StreamEntry

NAMES = {"sample": "sample stream", "webcam": "webcam", "camera": "camera", "file": "file"}

WEBCAM_PREFIX = "webcam-"
OWN_STREAMS = "own-streams"
"""Session key: ids of the webcam streams this visitor sends or has sent in this session."""


def visible(stream: str, own: Collection[str]) -> bool:
    """May this visitor see the stream? A webcam only if it is their own; every other stream is for everybody."""
    return not stream.startswith(WEBCAM_PREFIX) or stream in own


def options(entries: Sequence[StreamEntry], chosen: str | None) -> list[str]:
    """Streams to choose from: those online, people's own before the sample, and the chosen one if it has ended."""
    online = [entry.stream for entry in entries if entry.online]
    found = sorted(online, key=lambda stream: (stream == SAMPLE_STREAM, stream))
    if chosen and chosen not in found and any(entry.stream == chosen for entry in entries):
        found.append(chosen)
    return found


def label(entries: Sequence[StreamEntry], stream: str) -> str:
    """`cam-42 (camera, 640 x 480)`."""
    entry = next((entry for entry in entries if entry.stream == stream), None)
    if entry is None:
        return stream
    parts = [NAMES.get(entry.origin, entry.origin)]
    if entry.width and entry.height:
        parts.append(f"{entry.width} x {entry.height}")
    if not entry.online:
        parts.append("ended")
    return f"{stream} ({', '.join(parts)})"
