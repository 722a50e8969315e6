"""Tells a picture that is something else as well: an archive, a web page or a program behind its end, a PDF inside.

Each format's own structure is followed to its end, however far the end of the file is from there. Nothing is decoded.
What is decoded further on is only the picture, so this refuses what was built to deceive somebody else.
"""

import re
from typing import Final

from model.images import EOI, SOS, STANDALONE

HEAD: Final = 1024
"""Readers of PDF and of HTML look this far for a beginning, bytes."""
ZIP_TAIL: Final = 65535 + 22
"""The directory of a zip archive ends at most this far before the end of the file, bytes (APPNOTE.TXT 4.3.16)."""
ZIP_END: Final = b"PK\x05\x06"
LEAST_BOX: Final = 8
_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""Inside a JPEG's compressed data FF is followed by 00, by a restart marker or by another FF."""

_TEXTS: Final = re.compile(rb"(?i:<html|<script|<!doctype|<\?php|<svg)|%PDF-|Rar!\x1a\x07|7z\xbc\xaf\x27\x1c")
_NAMES: Final = {b"<?ph": "a program", b"%pdf": "a PDF", b"rar!": "an archive", b"7z\xbc\xaf": "an archive"}
"""By the first four bytes, lower case; everything else in `_TEXTS` is a web page."""
_PROGRAMS: Final = (b"\x7fELF", b"MZ", b"#!")


def foreign(data: bytes, kind: str) -> str | None:
    """What a picture of this kind (`JPEG`, `PNG`, `WebP`, `HEIC`) is besides, in words; None when nothing."""
    if _is_zip(data):
        return "an archive"
    behind = data[_END_OF[kind](data) :].lstrip(b"\0 \t\r\n")
    if behind.startswith(_PROGRAMS):
        return "a program"
    found = _TEXTS.search(data, 0, HEAD) or _TEXTS.search(behind)
    return _NAMES.get(found[0][:4].lower(), "a web page") if found else None


def _is_zip(data: bytes) -> bool:
    """Is there an end-of-central-directory record whose comment ends within the file?"""
    at = data.rfind(ZIP_END, max(0, len(data) - ZIP_TAIL))
    return at >= 0 and at + 22 + int.from_bytes(data[at + 20 : at + 22], "little") <= len(data)


def _jpeg_end(data: bytes) -> int:
    """Behind the first picture's end marker; a damaged file ends where it ends and is refused by its decoder.

    Markers are followed one by one (ISO/IEC 10918-1, annex B): the preview inside EXIF has an end marker, too.
    """
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == EOI:
            return at + 2
        if marker == 0xFF or marker in STANDALONE:
            at += 1 if marker == 0xFF else 2
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == SOS:
            found = _MARKER.search(data, at)
            at = found.start() if found else len(data)
    # the end marker may be the very last two bytes
    return len(data)


def _png_end(data: bytes) -> int:
    """Behind the IEND chunk: length, type, body, check sum (PNG 5.3)."""
    at = 8
    while at + 12 <= len(data):
        kind = data[at + 4 : at + 8]
        at += 12 + int.from_bytes(data[at : at + 4], "big")
        if kind == b"IEND":
            return at
    return len(data)


def _webp_end(data: bytes) -> int:
    """Behind the RIFF chunk, whose length is even."""
    length = int.from_bytes(data[4:8], "little")
    return 8 + length + length % 2


def _heif_end(data: bytes) -> int:
    """Behind the last box (ISO/IEC 14496-12, 4.2): 32 or 64 bits of length, a type of printable letters."""
    at = 0
    while at + LEAST_BOX <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        if size == 0:
            return len(data)
        if size < LEAST_BOX or not kind.isalnum() or at + size > len(data):
            return at
        at += size
    return at


_END_OF: Final = {"JPEG": _jpeg_end, "PNG": _png_end, "WebP": _webp_end, "HEIC": _heif_end}
