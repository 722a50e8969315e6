"""A browser's webcam as a stream: frames that WebRTC or a WebSocket brought are sampled evenly and published.

Writes `mairror.frames.live.v1` through `FramePublisher` (latest wins, drops counted) and hands every answer back
together with what is known of its frame. The callback of a video track runs on the web server's event loop: it only
swaps a slot; converting, scaling and encoding happen in threads of this module and of the publisher.
"""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import structlog

from contracts.answers import Answer, decode_answer
from contracts.errors import InvalidInput
from contracts.settings import Settings
from producers.encoding import Encoded
from producers.publisher import FramePublisher
from producers.sources import Capture, Picture

if TYPE_CHECKING:
    import av

log = structlog.get_logger()

PRINT_SIZE = (16, 12)
"""Width and height of a frame's print, in cells: enough to tell one moment of a moving picture from the next."""
REMEMBERED = 600
"""Frames whose capture is remembered until their answer comes: 20 s at 30 a second."""
RATE_SECONDS = 3.0
OLDEST_SECONDS = 2.0
"""A browser may say that its frame is so old and no older."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What the browser needs to find the moment a frame was taken.

    Exactly one of two is there: `browser_ms`, the capture on the browser's own clock (it sent the frame itself), or
    `luma`, a print of 16 x 12 grey cells of the frame that WebRTC brought, for the browser to find among its own.
    """

    wall: float
    """Epoch seconds: captured, as well as this machine knows (WebRTC: arrived)."""
    browser_ms: float | None = None
    luma: bytes = b""


OnAnswer = Callable[[Answer, Taken | None], None]


def luma_print(image: Picture) -> bytes:
    """16 x 12 grey cells of a BGR uint8 picture [height, width, 3], row by row, one byte each."""
    small = cv2.resize(image, PRINT_SIZE, interpolation=cv2.INTER_AREA)
    return bytes(np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8).tobytes())


class Webcam:
    """One run of one visitor's webcam. `take` from the event loop, `take_encoded` from any one thread.

    Raises:
        InvalidInput: bad stream id, or no consent id.
        RetryableError: the broker does not answer.
    """

    def __init__(self, settings: Settings, stream: str, *, consent: str, on_answer: OnAnswer) -> None:
        self._pause = 1 / settings.producer.max_fps
        self._on_answer = on_answer
        self._taken: OrderedDict[int, Taken] = OrderedDict()
        self._lock = threading.Lock()
        self._slot: tuple[av.VideoFrame, float, float] | None = None
        self._came = threading.Event()
        self._closing = False
        self._due = 0.0
        self._arrivals: deque[float] = deque(maxlen=400)
        self.size = (0, 0)
        """Width and height of the newest frame; WebRTC changes it by itself."""
        self.publisher = FramePublisher(settings, stream, consent=consent, origin="webcam", on_answer=self._answered)
        self._thread = threading.Thread(target=self._sample, name=f"webcam-{stream[-12:]}", daemon=True)
        self._thread.start()

    def take(self, frame: "av.VideoFrame") -> None:
        """A frame of the video track. Microseconds: the newest one replaces what was not looked at yet."""
        now = time.monotonic()
        self._arrivals.append(now)
        self._slot = (frame, now, time.time())
        self._came.set()

    def take_encoded(self, picture: Encoded, browser_ms: float, age_seconds: float) -> None:
        """A JPEG the browser sent, after the limited decoder.

        Args:
            picture: as the decoder made it.
            browser_ms: when it was captured, on the browser's clock, milliseconds.
            age_seconds: how long ago that was; bounded here, the browser may say anything.
        """
        now = time.monotonic()
        self._arrivals.append(now)
        if not self._is_due(now):
            return
        self.size = (picture.width, picture.height)
        age = min(max(age_seconds, 0.0), OLDEST_SECONDS)
        self._offer(Capture(picture, now - age, time.time() - age), Taken(time.time() - age, browser_ms=browser_ms))

    def _is_due(self, now: float) -> bool:
        """At most the stream's rate, evenly: taking every frame while there is room would bunch them."""
        if now < self._due - self._pause / 4:
            return False
        self._due = max(self._due + self._pause, now)
        return True

    def _sample(self) -> None:
        while not self._closing:
            if not self._came.wait(0.2):
                continue
            self._came.clear()
            found, self._slot = self._slot, None
            if found is None or not self._is_due(found[1]):
                continue
            frame, taken, wall = found
            image = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
            self.size = (image.shape[1], image.shape[0])
            self._offer(Capture(image, taken, wall), Taken(wall, luma=luma_print(image)))

    def _offer(self, capture: Capture, taken: Taken) -> None:
        with self._lock:
            self._taken[self.publisher.offer(capture)] = taken
            while len(self._taken) > REMEMBERED:
                self._taken.popitem(last=False)

    def _answered(self, sequence: int, body: bytes) -> None:
        with self._lock:
            taken = self._taken.pop(sequence, None)
        try:
            answer = decode_answer(body)
        except InvalidInput as error:
            log.warning("answer_unreadable", stream=self.publisher.stream, error=str(error))
            return
        self._on_answer(answer, taken)

    def arriving_fps(self) -> float:
        """Frames that arrived a second, over the last seconds."""
        now = time.monotonic()
        return round(sum(now - came <= RATE_SECONDS for came in list(self._arrivals)) / RATE_SECONDS, 1)

    def close(self) -> None:
        """End the stream: it goes offline, its last drops are told."""
        self._closing = True
        self._came.set()
        self._thread.join(timeout=2)
        self._slot = None
        self.publisher.close()
