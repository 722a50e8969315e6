"""The limited process that decodes strangers' files: one after the other, nothing else, no network, no files.

Speaks over a pipe: bytes in, a `Decoded` or an `InvalidInput` out. Memory is bounded by the kernel; time by the
pool, which kills a worker that takes too long. A crash here is one refused file.
"""

import contextlib
import os
import resource
import signal
from multiprocessing.connection import Connection

from contracts.errors import InvalidInput, Reason
from contracts.settings import UploadSettings
from producers.edge.decoding import decode_file

MIB = 1024 * 1024


def limit(memory_mb: int) -> None:
    """At most this much memory beyond what the process has now; no core dump; no new file of any size."""
    with open("/proc/self/statm") as statm:
        now = int(statm.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    most = now + memory_mb * MIB
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def serve(pipe: Connection, settings: UploadSettings) -> None:
    """Decode what comes until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which closes the pipe
    from pillow_heif import register_heif_opener

    register_heif_opener(thumbnails=False)
    limit(settings.memory_mb)
    pipe.send("ready")
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            pipe.send(_answer(pipe.recv_bytes(), settings))


def _answer(data: bytes, settings: UploadSettings) -> object:
    try:
        return decode_file(data, settings)
    except InvalidInput as problem:
        return problem.reason, problem.detail
    except MemoryError:
        return Reason.TOO_MANY_PIXELS, f"decoding needs more than {settings.memory_mb} MB of memory"
