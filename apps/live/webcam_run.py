"""One run of one visitor's webcam, from Start to Stop: pictures come in by one of two ways, answers go to one socket.

Owned by `Webcams`. The video track's frames come on the event loop, the socket's pictures from its task, answers from
the publisher's thread; each may come at any time, also after the end. Answers wait for the socket in a box of a few:
a slow page loses old ones, never memory.
"""

import asyncio
import contextlib
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import structlog

from contracts.answers import Answer
from contracts.metrics import WEBCAM_TRANSPORT, counter
from contracts.settings import Settings
from producers.encoding import Encoded
from producers.webcam import Taken, Webcam

if TYPE_CHECKING:
    import av

log = structlog.get_logger()

Transport = Literal["none", "webrtc", "websocket"]
Why = Literal["chosen", "no_connection", "lost"]
WHYS: tuple[Why, ...] = ("chosen", "no_connection", "lost")
MAX_WAITING = 8


class WebcamRun:
    """Makes the stream `webcam-<random>`.

    Args:
        settings: of the process.
        session: id of the visitor's session; the run belongs to it alone.
        consent: id of the consent the visitor gave.

    Raises:
        RetryableError: the broker does not answer.
    """

    def __init__(self, settings: Settings, session: str, consent: str) -> None:
        self.session = session
        self.stream = f"webcam-{secrets.token_hex(6)}"
        self.transport: Transport = "none"
        self.why: Why | None = None
        self.ended: str | None = None
        """None while it runs; then the reason, in words for the page."""
        self.began = self.left = time.monotonic()
        """`left`: since when no socket is open."""
        self.sockets = 0
        self.webrtc_frames = 0
        self._mail: deque[tuple[Answer, Taken | None]] = deque(maxlen=MAX_WAITING)
        self._listener: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._closing: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self.webcam = Webcam(settings, self.stream, consent=consent, on_answer=self._answered)

    def take(self, frame: "av.VideoFrame") -> None:
        """A frame of the video track; left alone once the other way is in use."""
        if self.ended is not None or self.transport == "websocket":
            return
        self.webrtc_frames += 1
        if self.transport == "none":
            self._use("webrtc", "chosen")
        self.webcam.take(frame)

    def take_encoded(self, picture: Encoded, browser_ms: float, age_seconds: float) -> None:
        """A picture of the WebSocket, after the limited decoder."""
        if self.ended is None and self.transport == "websocket":
            self.webcam.take_encoded(picture, browser_ms, age_seconds)

    def use_websocket(self, why: Why) -> None:
        """From now on pictures come over the WebSocket."""
        if self.transport != "websocket" and self.ended is None:
            self._use("websocket", why)

    def _use(self, transport: Transport, why: Why) -> None:
        self.transport, self.why = transport, why
        counter(WEBCAM_TRANSPORT).labels(transport=transport, why=why).inc()
        log.info("webcam_transport", stream=self.stream, transport=transport, why=why)

    def _answered(self, answer: Answer, taken: Taken | None) -> None:
        self._mail.append((answer, taken))
        self._wake()

    def _wake(self) -> None:
        listener = self._listener
        if listener is not None:
            # the loop may end between two answers; then nobody waits any more
            with contextlib.suppress(RuntimeError):
                listener[0].call_soon_threadsafe(listener[1].set)

    async def answers(self, timeout: float) -> list[tuple[Answer, Taken | None]]:
        """The answers that wait, oldest first; waits up to `timeout` seconds for one. For one task at a time."""
        came = asyncio.Event()
        self._listener = (asyncio.get_running_loop(), came)
        if not self._mail and self.ended is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await came.wait()
        found = []
        while self._mail:
            found.append(self._mail.popleft())
        return found

    def on_close(self, close: Callable[[], None]) -> None:
        """Something of the page to be closed with the run (the peer connection); at once if the run has ended."""
        with self._lock:
            if self.ended is None:
                self._closing.append(close)
                return
        close()

    def end(self, reason: str) -> bool:
        """Take no more pictures; False when it had ended before. `close` frees what is held."""
        with self._lock:
            if self.ended is not None:
                return False
            self.ended = reason
        self._wake()
        return True

    def close(self) -> None:
        """Free everything; may take seconds while the broker is away."""
        for close in self._closing:
            close()
        self._closing.clear()
        self.webcam.close()
        self._listener = None
        log.info("webcam_ended", stream=self.stream, reason=self.ended, transport=self.transport)
