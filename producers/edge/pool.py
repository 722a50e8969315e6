"""A few warm decoder processes. Thread-safe; a worker that dies or takes too long is replaced."""

import multiprocessing
import queue
import subprocess
import sys
import threading
from multiprocessing.connection import Connection

import msgspec
import structlog

from contracts.errors import FatalError, InvalidInput, Reason, RetryableError
from contracts.settings import UploadSettings
from producers.edge.decoding import Decoded
from producers.edge.kinds import check_kind
from producers.edge.worker import READY, Reply

log = structlog.get_logger()

PROGRAM = "producers.edge.worker"
START_SECONDS = 30.0
BUSY_SECONDS = 20.0
"""How long a file waits for a free worker before the caller is told to come back later."""
AGAIN_SECONDS = 1.0

_reply = msgspec.msgpack.Decoder(Reply)


class _Worker:
    """One process and our end of its pipe."""

    def __init__(self, settings: UploadSettings) -> None:
        # A program of its own: a fork of a process full of threads may hang at any lock, and a spawned copy imports
        # the main module of its parent again, which under Streamlit is the page.
        ours, theirs = multiprocessing.Pipe()
        self.pipe: Connection = ours
        command = [sys.executable, "-m", PROGRAM, str(theirs.fileno()), settings.model_dump_json()]
        self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        theirs.close()
        if not self._started():
            self.end()
            raise FatalError(f"a decoder process did not start within {START_SECONDS:.0f} s")

    def _started(self) -> bool:
        try:
            return self.pipe.poll(START_SECONDS) and self.pipe.recv_bytes() == READY
        except (EOFError, OSError):
            return False

    def end(self) -> None:
        self.process.kill()
        self.process.wait(5)
        self.pipe.close()


class DecodePool:
    """Decodes strangers' files in limited processes.

    Args:
        settings: limits; `settings.workers` processes are kept warm unless `workers` says otherwise.
    """

    def __init__(self, settings: UploadSettings, workers: int | None = None) -> None:
        self._settings = settings
        self._idle: queue.Queue[_Worker] = queue.Queue()
        self._closing = threading.Event()
        for _ in range(workers or settings.workers):
            self._idle.put(_Worker(settings))

    def decode(self, data: bytes) -> Decoded:
        """Decode one file.

        Raises:
            InvalidInput: the file breaks a rule, crashed its decoder or took too long; names the limit.
            RetryableError: every worker is busy.
        """
        if len(data) > self._settings.max_bytes:
            raise InvalidInput(
                Reason.TOO_MANY_BYTES, f"the file has {len(data)} bytes, at most {self._settings.max_bytes} are read"
            )
        check_kind(data)
        reply = self._attempt(data)
        if reply is None:
            raise InvalidInput(Reason.NOT_AN_IMAGE, "the file crashed its decoder")
        if reply.decoded is None:
            raise InvalidInput(reply.reason or Reason.NOT_AN_IMAGE, reply.detail)
        return reply.decoded

    def _attempt(self, data: bytes) -> Reply | None:
        """What a worker says; None when it died."""
        try:
            worker = self._idle.get(timeout=BUSY_SECONDS)
        except queue.Empty:
            raise RetryableError(f"all decoders have been busy for {BUSY_SECONDS:.0f} s: try again") from None
        try:
            worker.pipe.send_bytes(data)
            if worker.pipe.poll(self._settings.seconds):
                reply = _reply.decode(worker.pipe.recv_bytes())
            else:
                self._replace(worker)
                raise InvalidInput(Reason.TIMEOUT, f"decoding took longer than {self._settings.seconds:.1f} s")
        except (EOFError, OSError, msgspec.MsgspecError):
            self._replace(worker)
            return None
        self._idle.put(worker)
        return reply

    def _replace(self, worker: _Worker) -> None:
        """Start the next one in the background: the caller has its answer already."""
        log.warning("decoder_replaced", pid=worker.process.pid)
        worker.end()
        threading.Thread(target=self._start, name="decoder-start", daemon=True).start()

    def _start(self) -> None:
        """Until one has started: a pool that shrinks would end up refusing everything."""
        while not self._closing.is_set():
            try:
                worker = _Worker(self._settings)
            except (FatalError, OSError) as error:
                log.warning("decoder_not_started", error=str(error))
                self._closing.wait(AGAIN_SECONDS)
                continue
            self._idle.put(worker)
            if self._closing.is_set():
                self.close()
            return

    def pids(self) -> list[int]:
        """Process ids of the idle workers (for tests and metrics)."""
        return [worker.process.pid for worker in list(self._idle.queue)]

    def close(self) -> None:
        """End the workers."""
        self._closing.set()
        while True:
            try:
                self._idle.get_nowait().end()
            except queue.Empty:
                return
