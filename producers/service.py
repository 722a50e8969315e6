"""The sample stream as a service: plays while no camera is online, with health and metrics."""

import signal
import threading
from types import FrameType

import structlog

from contracts.admin import wait_for_leaders
from contracts.frames import PUBLIC_DOMAIN_CONSENT
from contracts.health import HealthServer
from contracts.settings import Settings
from contracts.topics import AGES, FRAMES_LIVE, OUTCOMES, STREAMS
from producers.camera import Play, Replay
from producers.sample import SAMPLE_STREAM, CameraPresence, SampleSource

log = structlog.get_logger()

CHECK_SECONDS = 1.0


class SampleService:
    """Plays the sample stream, pauses while somebody else sends frames, until told to stop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._ready = False
        self._failed: str | None = None

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; returns the exit code."""
        signal.signal(signal.SIGTERM, self._signalled)
        signal.signal(signal.SIGINT, self._signalled)
        health = HealthServer(
            self._settings.web,
            live=lambda: self._failed,
            ready=lambda: None if self._ready else "waiting for the topics",
        )
        topics = [FRAMES_LIVE.name, AGES.name, OUTCOMES.name, STREAMS.name]
        wait_for_leaders(self._settings.kafka, topics, timeout=300)
        presence = CameraPresence(self._settings.kafka)
        self._ready = True
        try:
            while not self._stop.is_set():
                if presence.others():
                    self._stop.wait(CHECK_SECONDS)
                else:
                    self._play(presence)
        finally:
            presence.close()
            health.close()
        return 0

    def _signalled(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()

    def _play(self, presence: CameraPresence) -> None:
        """Play in a thread until a camera comes or the service stops."""
        replay = Replay(self._settings, SampleSource(), Play(SAMPLE_STREAM, PUBLIC_DOMAIN_CONSENT))
        log.info("sample_playing", connection=replay.publisher.connection)
        player = threading.Thread(target=replay.run, name="sample", daemon=True)
        player.start()
        while player.is_alive() and not self._stop.wait(CHECK_SECONDS) and not presence.others():
            pass
        replay.stop()
        player.join(timeout=8)
        log.info("sample_paused", totals=replay.publisher.ledger.totals().as_dict())
