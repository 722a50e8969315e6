"""Reads the files of a multipart body one after the other, as they arrive. Nothing is written to disk.

Guarantee: at most one file and one chunk of the network are in memory; a file, a header or a body over its limit ends
the reading at once, and so does a client that stays silent.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from apps.gateway.problems import Problem

MAX_HEADER = 8 * 1024
MAX_FIELD = 16 * 1024
"""Parts that are no files are read over, up to this size together, bytes."""
MAX_NAME = 200
LEAST_RATE = 16 * 1024
"""Bytes a second, over the time spent waiting for the client."""


@dataclass
class File:
    """One file. `name` is the client's and only ever shown back; `data` is complete when it is yielded."""

    name: str
    data: bytearray = field(default_factory=bytearray, repr=False)


@dataclass(frozen=True)
class Limits:
    """What a body may hold: bytes a file, files, and seconds of silence."""

    file_bytes: int
    files: int
    seconds: float

    @property
    def body_bytes(self) -> int:
        """The largest body that can be within the limits."""
        return self.files * (self.file_bytes + MAX_HEADER) + MAX_FIELD


class _Collector:
    """Callbacks of the parser: collects finished files."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.done: deque[File] = deque()
        self._file: File | None = None
        self._header = (bytearray(), bytearray())
        self._disposition = b""
        self._count = self._field_bytes = self._header_bytes = 0
        self.ended = False

    def part_begin(self) -> None:
        self._file, self._disposition, self._header_bytes = None, b"", 0

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._grow(0, data[start:end])

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._grow(1, data[start:end])

    def _grow(self, which: int, piece: bytes) -> None:
        self._header_bytes += len(piece)
        if self._header_bytes > MAX_HEADER:
            raise _malformed(f"the headers of a part are larger than {MAX_HEADER} bytes", limit=MAX_HEADER)
        self._header[which].extend(piece)

    def header_end(self) -> None:
        name, value = (bytes(part) for part in self._header)
        if name.lower() == b"content-disposition":
            self._disposition = value
        self._header = (bytearray(), bytearray())

    def headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"filename" not in options:
            return
        self._count += 1
        if self._count > self._limits.files:
            most = self._limits.files
            raise Problem(
                413, "too_many_files", f"a request takes at most {most} files: send the rest apart", limit=most
            )
        name = options[b"filename"].decode("utf-8", "replace")
        self._file = File("".join(letter for letter in name if letter.isprintable())[:MAX_NAME])

    def part_data(self, data: bytes, start: int, end: int) -> None:
        if self._file is None:
            self._field_bytes += end - start
            if self._field_bytes > MAX_FIELD:
                raise _malformed(f"fields that are no files are larger than {MAX_FIELD} bytes", limit=MAX_FIELD)
            return
        most = self._limits.file_bytes
        if len(self._file.data) + end - start > most:
            detail = f"file {self._file.name!r} has more than {most} bytes: scale it down"
            raise Problem(413, "too_many_bytes", detail, limit=most)
        self._file.data += data[start:end]

    def part_end(self) -> None:
        if self._file is not None:
            self.done.append(self._file)
            self._file = None

    def end(self) -> None:
        self.ended = True


def _malformed(detail: str, **members: Any) -> Problem:
    return Problem(400, "malformed_multipart", detail, **members)


def check_head(request: Request, limits: Limits) -> bytes:
    """The boundary; refuses a wrong type or a stated length over the limit before anything is read.

    Raises:
        Problem: 415 or 413 or 400.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        detail = "send the pictures as multipart/form-data, each as a part with a filename"
        raise Problem(415, "unsupported_media_type", detail, {"Accept": "multipart/form-data"})
    length = request.headers.get("content-length", "0")
    if not length.isdecimal():
        raise Problem(400, "bad_header", "Content-Length is not a number")
    if int(length) > limits.body_bytes:
        detail = f"the body has {length} bytes, a request takes at most {limits.body_bytes}"
        raise Problem(413, "too_many_bytes", detail, limit=limits.body_bytes)
    return options[b"boundary"]


async def files(request: Request, limits: Limits) -> AsyncIterator[File]:
    """The files of a request, each as soon as it is complete.

    Raises:
        Problem: 400, 408, 413 or 415; files yielded before stay as they are.
    """
    boundary = check_head(request, limits)
    collector = _Collector(limits)
    try:
        parser = MultipartParser(boundary, {
            "on_part_begin": collector.part_begin,
            "on_part_data": collector.part_data,
            "on_part_end": collector.part_end,
            "on_header_field": collector.header_field,
            "on_header_value": collector.header_value,
            "on_header_end": collector.header_end,
            "on_headers_finished": collector.headers_finished,
            "on_end": collector.end,
        })  # fmt: skip
        async for chunk in _chunks(request, limits.seconds):
            parser.write(chunk)
            while collector.done:
                yield collector.done.popleft()
        parser.finalize()
    except FormParserError as error:
        raise _malformed("the body is not well-formed multipart/form-data") from error
    if not collector.ended:
        raise _malformed("the body ends before its last boundary: send it whole")


def _too_slow(detail: str, limit: float) -> Problem:
    return Problem(408, "request_timeout", detail, {"Connection": "close"}, limit=limit)


async def _chunks(request: Request, seconds: float) -> AsyncIterator[bytes]:
    stream = request.stream()
    waited, received = 0.0, 0
    try:
        while True:
            begun = time.monotonic()
            try:
                async with asyncio.timeout(seconds):
                    chunk = await anext(stream)
            except StopAsyncIteration:
                return
            waited += time.monotonic() - begun
            received += len(chunk)
            # a trickle would keep its turn, and its half file in memory, for ever
            if waited > 2 * seconds and received < waited * LEAST_RATE:
                raise _too_slow(f"fewer than {LEAST_RATE} bytes a second came: try a faster line", LEAST_RATE)
            yield chunk
    except TimeoutError:
        raise _too_slow(f"nothing came for {seconds:.0f} s: send the body without pauses", seconds) from None
    except ClientDisconnect:
        raise _malformed("the client left before the body was complete") from None
