"""The limited process that decodes strangers' files: one after the other, nothing else, no network, no files.

Speaks over a pipe: bytes in, a `Reply` out, as MessagePack: the other end never unpickles what comes from here, so
that a decoder that was taken over stays where it is. The kernel bounds memory and processor time and lets nothing be
opened, neither files nor connections; the pool kills a worker that takes too long. A crash here is one refused file.
"""

import contextlib
import math
import os
import resource
import signal
import sys
import warnings
from multiprocessing.connection import Connection

import msgspec
from PIL import Image

from contracts.errors import InvalidInput, Reason
from contracts.settings import UploadSettings
from producers.edge.decoding import Decoded, decode_file

MIB = 1024 * 1024
READY = b"ready"


class Reply(msgspec.Struct):
    """What became of one file: `decoded`, or the reason it was refused."""

    decoded: Decoded | None
    reason: Reason | None = None
    detail: str = ""


def limit(memory_mb: int) -> None:
    """At most this much memory beyond what the process has now; no core dump; nothing more can be opened."""
    with open("/proc/self/statm") as statm:
        now = int(statm.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    most = now + memory_mb * MIB
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def limit_time(seconds: float) -> None:
    """Processor time of the next file: also ends a worker whose parent was killed while a decoder hung."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = math.ceil(used.ru_utime + used.ru_stime + seconds * (os.cpu_count() or 1)) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))


def serve(pipe: Connection, settings: UploadSettings) -> None:
    """Decode what comes until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which closes the pipe
    from pillow_heif import register_heif_opener

    warnings.simplefilter("ignore")  # about damaged files; the refusal says it
    Image.init()  # later no module can be read any more
    register_heif_opener(thumbnails=False)
    limit(settings.memory_mb)
    pipe.send_bytes(READY)
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            data = pipe.recv_bytes()
            limit_time(settings.seconds)
            pipe.send_bytes(msgspec.msgpack.encode(_reply(data, settings)))


def _reply(data: bytes, settings: UploadSettings) -> Reply:
    try:
        return Reply(decode_file(data, settings))
    except InvalidInput as problem:
        return Reply(None, problem.reason, problem.detail)
    except MemoryError:
        detail = f"decoding needs more than {settings.memory_mb} MB of memory"
        return Reply(None, Reason.TOO_MANY_PIXELS, detail)


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])), UploadSettings.model_validate_json(sys.argv[2]))
