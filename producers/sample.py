"""The sample stream: two public-domain faces that move, so that a newcomer sees ages at once.

Plays until a camera or a webcam comes online and again when none is left. The faces are NASA's portrait of
Eileen Collins (in scikit-image) and the U.S. Navy's of Grace Hopper (in Matplotlib); consent id `public-domain`.
"""

import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import structlog

from contracts import events
from contracts.errors import FatalError, InvalidInput, RetryableError
from contracts.events import StreamStatus
from contracts.kafka import KafkaSettings
from contracts.reading import TopicReader
from contracts.topics import STREAMS
from producers.sources import Capture, Picture, read_picture

log = structlog.get_logger()

SAMPLE_STREAM = "sample"
WIDTH, HEIGHT = 640, 480
FPS = 15.0
STALE_SECONDS = 15.0
"""A stream that has not spoken for this long is not there, whatever its last word was."""


def public_domain_pictures() -> dict[str, Path]:
    """Where the two pictures lie, without importing their packages.

    Raises:
        FatalError: a package is not installed.
    """
    wanted = {
        "collins": ("skimage", "data/astronaut.png"),
        "hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    }
    found = {}
    for name, (package, inside) in wanted.items():
        spec = find_spec(package)
        path = Path(spec.origin).parent / inside if spec and spec.origin else None
        if path is None or not path.is_file():
            raise FatalError(f"the sample picture {inside} of {package} is missing: install the extra `local`")
        found[name] = path
    return found


class SampleSource:
    """A drawn room in which the two portraits drift and breathe."""

    origin = "sample"

    def __init__(self, fps: float = FPS) -> None:
        self.fps: float | None = fps
        pictures = public_domain_pictures()
        collins, hopper = read_picture(pictures["collins"]), read_picture(pictures["hopper"])
        self._portraits = [collins[0:300, 90:360], hopper[20:420, 60:460]]
        self._closed = False

    def captures(self) -> Iterator[Capture]:
        """Frames without end: drawing takes the time of the previous pause, so the pace stays even."""
        step = 0
        while not self._closed:
            yield Capture(self.draw(step / (self.fps or FPS)), time.monotonic(), time.time())
            step += 1

    def draw(self, seconds: float) -> Picture:
        """The picture at a time: BGR uint8 [480, 640, 3]."""
        shade = np.linspace(70, 130, HEIGHT, dtype=np.float32)[:, None, None]
        canvas = np.clip(shade * np.array([1.05, 1.0, 0.92], np.float32), 0, 255).astype(np.uint8)
        canvas = np.ascontiguousarray(np.broadcast_to(canvas, (HEIGHT, WIDTH, 3)))
        for index, portrait in enumerate(self._portraits):
            phase = seconds * (0.5 + 0.13 * index) + index * np.pi
            height = int(190 + 25 * np.sin(phase * 0.7))
            width = round(portrait.shape[1] * height / portrait.shape[0])
            left = int((WIDTH / 2 - width) / 2 + index * WIDTH / 2 + 40 * np.sin(phase))
            top = int((HEIGHT - height) / 2 + 60 * np.cos(phase * 0.8))
            left, top = max(0, min(left, WIDTH - width)), max(0, min(top, HEIGHT - height))
            canvas[top : top + height, left : left + width] = cv2.resize(portrait, (width, height))
        return canvas

    def close(self) -> None:
        self._closed = True


class CameraPresence:
    """Knows from `mairror.streams.v1` whether a stream other than the sample is online."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._reader = TopicReader(kafka, [STREAMS.name], since=0)
        self._online: dict[str, float] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="presence", daemon=True)
        self._thread.start()

    def others(self) -> bool:
        """Whether somebody else sends frames now."""
        oldest = time.time() - STALE_SECONDS
        return any(at > oldest for at in list(self._online.values()))

    def _watch(self) -> None:
        while not self._closing.is_set():
            try:
                message = self._reader.poll(0.2)
                if message is not None and message.value():
                    # the broker's time: a producer's clock may be minutes ahead
                    self._take(events.decode(StreamStatus, message.value() or b""), message.timestamp()[1] / 1000)
            except (InvalidInput, RetryableError) as error:
                log.warning("streams_unreadable", error=str(error))

    def _take(self, status: StreamStatus, at: float) -> None:
        if status.writer != "producer" or status.stream == SAMPLE_STREAM or status.origin == "upload":
            return
        self._online[status.stream] = at if status.state == "online" else 0.0

    def close(self) -> None:
        """Stop watching."""
        self._closing.set()
        self._thread.join(timeout=2)
        self._reader.close()
