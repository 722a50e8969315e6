"""One camera of `cameras.toml` as a process: opens it, plays it, opens it again after it was away.

Writes `mairror.frames.live.v1`, and through the publisher `mairror.outcomes.v1` and `mairror.streams.v1`. A camera that
goes away ends its stream (everybody sees it offline); when it comes back the stream begins again as a new connection.
`/livez` is always well: a camera that is away is no fault of this process. `/readyz` says what the camera does.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

import cv2
import structlog

from contracts.admin import wait_for_leaders
from contracts.errors import FatalError, InvalidInput, RetryableError
from contracts.health import HealthServer
from contracts.settings import Settings
from contracts.topics import AGES, FRAMES_LIVE, OUTCOMES, STREAMS
from producers.camera import Play, Replay
from producers.cameras import Camera
from producers.sources import CameraSource, Capture, Source, open_source

log = structlog.get_logger()

LONGEST_PAUSE = 15
"""The pause between attempts doubles up to so many times the setting `producer.reconnect_seconds`."""
FIRST_SECONDS = 10.0
"""A connection that sent pictures for this long was a good one: the next pause is short again."""


class OneConnection(CameraSource):
    """A device or URL until it goes away: this service ends the stream then, and opens it again itself."""

    def __init__(self, camera: Camera, address: str) -> None:
        super().__init__(int(address) if address.isdecimal() else address, 1.0)
        self.name = f"device {address}" if address.isdecimal() else camera.shown

    def connect(self) -> None:
        """Raises RetryableError when it does not answer."""
        self._capture = self._open()

    def captures(self) -> Iterator[Capture]:
        """Pictures of this connection."""
        yield from self._read()


class CameraService:
    """Plays one camera until told to stop."""

    def __init__(self, settings: Settings, camera: Camera) -> None:
        self._settings, self._camera = settings, camera
        self._stop = threading.Event()
        self._says: str | None = "waiting for the topics"
        self._playing: Replay | None = None

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; returns the exit code."""
        _be_quiet()
        signal.signal(signal.SIGTERM, self._signalled)
        signal.signal(signal.SIGINT, self._signalled)
        health = HealthServer(self._settings.web, live=lambda: None, ready=lambda: self._says)
        names = [FRAMES_LIVE.name, AGES.name, OUTCOMES.name, STREAMS.name]
        wait_for_leaders(self._settings.kafka, names, timeout=300)
        self._says = f"{self._camera.shown} is being opened"
        pause = shortest = self._settings.producer.reconnect_seconds
        while not self._stop.is_set():
            seconds = self._play()
            if seconds is not None and not self._camera.is_live and not self._camera.loop:
                self._says = f"{self._camera.shown} was played to its end"
                self._stop.wait()
            pause = shortest if seconds is not None and seconds > FIRST_SECONDS else pause
            self._stop.wait(pause)
            pause = min(pause * 2, shortest * LONGEST_PAUSE)
        health.close()
        return 0

    def _signalled(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()
        if self._playing is not None:
            self._playing.stop()

    def _play(self) -> float | None:
        """One connection from its beginning to its end; seconds it lasted, None when it did not come about."""
        camera, began = self._camera, time.monotonic()
        try:
            replay = Replay(self._settings, self._open(), Play(camera.name, camera.consent, camera.fps))
        except (RetryableError, InvalidInput, FatalError) as error:
            self._says = str(error)
            log.warning("camera_not_opened", camera=camera.name, source=camera.shown, problem=str(error))
            return None
        self._playing = replay
        if self._stop.is_set():
            replay.stop()
        self._says = None
        log.info("camera_playing", camera=camera.name, source=camera.shown, connection=replay.publisher.connection)
        try:
            totals = replay.run()
        except (RetryableError, InvalidInput) as error:
            totals = replay.finish()
            log.warning("camera_failed", camera=camera.name, problem=str(error))
        self._says = f"{camera.shown} is away: it is opened again by itself"
        log.warning("camera_ended", camera=camera.name, source=camera.shown, totals=totals.as_dict())
        return time.monotonic() - began

    def _open(self) -> Source:
        address = self._camera.address()
        if not self._camera.is_live:
            return open_source(address, loop=self._camera.loop)
        source = OneConnection(self._camera, address)
        source.connect()
        return source


def _be_quiet() -> None:
    """OpenCV and FFmpeg write what they open to stderr, passwords included: they say nothing; we do."""
    os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"
    cv2.utils.logging.setLogLevel(0)
