"""A few warm decoder processes. Thread-safe; a worker that dies or takes too long is replaced."""

import multiprocessing
import queue
import threading
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import structlog

from contracts.errors import FatalError, InvalidInput, Reason, RetryableError
from contracts.settings import UploadSettings
from producers.edge.decoding import Decoded
from producers.edge.kinds import check_kind
from producers.edge.worker import serve

log = structlog.get_logger()

START_SECONDS = 30.0
BUSY_SECONDS = 20.0
"""How long a file waits for a free worker before the caller is told to come back later."""


class _Worker:
    """One process and our end of its pipe."""

    def __init__(self, settings: UploadSettings) -> None:
        # spawn: a fork of a process full of threads and Kafka clients may hang at any lock
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self.pipe: Connection = ours
        self.process: BaseProcess = context.Process(target=serve, args=(theirs, settings), daemon=True, name="decoder")
        self.process.start()
        theirs.close()
        if not self.pipe.poll(START_SECONDS) or self.pipe.recv() != "ready":
            self.end()
            raise FatalError(f"a decoder process did not start within {START_SECONDS:.0f} s")

    def end(self) -> None:
        self.process.kill()
        self.process.join(5)
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
        try:
            worker = self._idle.get(timeout=BUSY_SECONDS)
        except queue.Empty:
            raise RetryableError(f"all decoders have been busy for {BUSY_SECONDS:.0f} s: try again") from None
        try:
            answer = self._ask(worker, data)
        except (EOFError, OSError) as error:
            self._replace(worker)
            raise InvalidInput(Reason.NOT_AN_IMAGE, "the file crashed its decoder") from error
        if answer is None:
            self._replace(worker)
            raise InvalidInput(Reason.TIMEOUT, f"decoding took longer than {self._settings.seconds:.1f} s")
        self._idle.put(worker)
        if isinstance(answer, Decoded):
            return answer
        raise InvalidInput(*answer)

    def _ask(self, worker: _Worker, data: bytes) -> "Decoded | tuple[Reason, str] | None":
        worker.pipe.send_bytes(data)
        if not worker.pipe.poll(self._settings.seconds):
            return None
        answer: Decoded | tuple[Reason, str] = worker.pipe.recv()
        return answer

    def _replace(self, worker: _Worker) -> None:
        """Start the next one in the background: the caller has its answer already."""
        log.warning("decoder_replaced", pid=worker.process.pid)
        worker.end()
        threading.Thread(target=self._start, name="decoder-start", daemon=True).start()

    def _start(self) -> None:
        worker = _Worker(self._settings)
        if self._closing.is_set():
            worker.end()
        else:
            self._idle.put(worker)

    def pids(self) -> list[int]:
        """Process ids of the idle workers (for tests and metrics)."""
        return [worker.process.pid or 0 for worker in list(self._idle.queue)]

    def close(self) -> None:
        """End the workers."""
        self._closing.set()
        while True:
            try:
                self._idle.get_nowait().end()
            except queue.Empty:
                return
