"""All webcams that send through this process: started by their pages, ended with them.

Guarantee: a run whose socket has gone (the tab was closed, the page left) ends within `GRACE_SECONDS` and frees its
threads, connections and decoder; at most as many run at once as the settings allow. Safe from any thread.
"""

import threading
import time

import structlog

from apps.live.webcam_run import WebcamRun
from contracts.errors import InvalidInput, Reason, RetryableError
from contracts.limits import MAX_FRAME_BYTES
from contracts.metrics import WEBCAMS, gauge
from contracts.settings import Settings, UploadSettings
from model.images import SIGNATURE
from producers.edge.pool import DecodePool
from producers.encoding import Encoded

log = structlog.get_logger()

GRACE_SECONDS = 2.0
"""A socket may break and come back; a tab that was closed does not."""
START_SECONDS = 20.0
"""A page that never opens its socket."""
LOOK_SECONDS = 0.25
MAX_PIXELS = 4_000_000
DECODE_SECONDS = 2.0

LEFT = "Your webcam was stopped: its page was left, or the connection broke."


class Webcams:
    """The runs of this process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._runs: dict[str, WebcamRun] = {}
        self._closing = threading.Event()
        self._watch: threading.Thread | None = None
        self._pool: DecodePool | None = None
        self._pool_lock = threading.Lock()

    def start(self, session: str, consent: str) -> WebcamRun:
        """A new run for a visitor who gave this consent; an earlier one of the same session ends.

        Raises:
            InvalidInput: no consent id.
            RetryableError: too many webcams send already, or the broker does not answer.
        """
        with self._lock:
            others = [run for run in self._runs.values() if run.session != session]
        if len(others) >= self._settings.dashboard.webcams:
            raise RetryableError(f"{len(others)} webcams send already, that is as many as this dashboard takes")
        self.end_session(session, "Another run was started.")
        run = WebcamRun(self._settings, session, consent)
        with self._lock:
            self._runs[run.stream] = run
            gauge(WEBCAMS).set(len(self._runs))
            if self._watch is None:
                self._watch = threading.Thread(target=self._look, name="webcams", daemon=True)
                self._watch.start()
        return run

    def get(self, stream: str) -> WebcamRun | None:
        """The run of a stream, while it runs."""
        with self._lock:
            return self._runs.get(stream)

    def end(self, run: WebcamRun, reason: str) -> None:
        """End a run now; what it holds is freed in the background."""
        if not run.end(reason):
            return
        with self._lock:
            self._runs.pop(run.stream, None)
            gauge(WEBCAMS).set(len(self._runs))
        threading.Thread(target=run.close, name="webcam-close", daemon=True).start()

    def end_session(self, session: str, reason: str) -> None:
        """End the runs of a session."""
        with self._lock:
            runs = [run for run in self._runs.values() if run.session == session]
        for run in runs:
            self.end(run, reason)

    def decode(self, data: bytes) -> Encoded:
        """One picture a browser sent, through the limited decoder: checked, stripped, encoded anew.

        Raises:
            InvalidInput: it breaks a rule; the message names it.
            RetryableError: the decoder is busy.
        """
        if not data.startswith(SIGNATURE):
            raise InvalidInput(Reason.NOT_AN_IMAGE, "a webcam's pictures are JPEG, this one is not")
        decoded = self._decoder().decode(data)
        return Encoded(decoded.jpeg, decoded.width, decoded.height)

    def _decoder(self) -> DecodePool:
        """One process for all webcams of the second transport, made when the first one needs it."""
        with self._pool_lock:
            if self._pool is None:
                limits = UploadSettings(
                    max_bytes=MAX_FRAME_BYTES,
                    max_pixels=MAX_PIXELS,
                    max_edge=self._settings.producer.max_edge,
                    seconds=DECODE_SECONDS,
                    workers=1,
                )
                self._pool = DecodePool(limits)
            return self._pool

    def _look(self) -> None:
        """Until nothing runs: end what was left, and the decoder with the last."""
        pool: DecodePool | None = None
        while not self._closing.wait(LOOK_SECONDS):
            now = time.monotonic()
            with self._lock:
                if not self._runs:
                    # with the same lock as a start: a run that begins now makes a decoder of its own
                    self._watch = None
                    pool = self._take_decoder()
                    break
                runs = list(self._runs.values())
            for run in runs:
                grace = GRACE_SECONDS if run.left > run.began else START_SECONDS
                if run.sockets == 0 and now - run.left > grace:
                    self.end(run, LEFT)
        if pool is not None:
            pool.close()

    def _take_decoder(self) -> DecodePool | None:
        with self._pool_lock:
            pool, self._pool = self._pool, None
        return pool

    def close(self) -> None:
        """End everything; for the end of the process."""
        self._closing.set()
        with self._lock:
            runs = list(self._runs.values())
        for run in runs:
            self.end(run, "The dashboard ends.")
        pool = self._take_decoder()
        if pool is not None:
            pool.close()
