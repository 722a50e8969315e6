"""Decodes and encodes JPEG, for everyone.

Guarantee: nothing is decoded before its signature, its size and its completeness are known. OpenCV returns a
grey-filled picture for a truncated file and only warns on stderr, so completeness is checked here: the file's markers
are walked from SOI to EOI (ISO/IEC 10918-1, annex B).
"""

import re
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from contracts.errors import InvalidInput, Reason

SIGNATURE: Final = b"\xff\xd8\xff"
"""SOI and the first byte of the next marker."""

SOS: Final = 0xDA
EOI: Final = 0xD9
SOF: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Start-of-frame markers: C0..CF without DHT, JPG and DAC."""

STANDALONE: Final = frozenset(range(0xD0, 0xD9)) | {0x01}
"""Markers without a length: RST0..7, SOI, TEM."""

# Inside entropy-coded data FF is followed by 00 (a stuffed byte), by RST0..7, or by another FF (fill).
_NEXT_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height as the header states them, pixels, without decoding.

    EXIF orientation is not applied: a picture stored on its side reports the stored size.

    Raises:
        InvalidInput: EMPTY, NOT_AN_IMAGE (no JPEG signature, no valid header) or TRUNCATED (ends inside the header).
    """
    return _walk(data, to_the_end=False)


def decode_jpeg(data: bytes, max_pixels: int) -> npt.NDArray[np.uint8]:
    """Decode one JPEG.

    Args:
        data: the whole file.
        max_pixels: largest width x height accepted, pixels.

    Returns:
        BGR uint8 [height, width, 3], EXIF orientation applied; grey pictures come back with three channels.

    Raises:
        InvalidInput: EMPTY, NOT_AN_IMAGE, TRUNCATED, or TOO_MANY_PIXELS naming the limit. The picture is not decoded
            in any of these cases but the last kind of NOT_AN_IMAGE (a sound header over data that does not decode).
    """
    width, height = jpeg_size(data)
    if width * height > max_pixels:
        raise InvalidInput(
            Reason.TOO_MANY_PIXELS,
            f"picture has {width} x {height} = {width * height} pixels, the limit is {max_pixels}: scale it down",
        )
    _walk(data, to_the_end=True)
    image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise InvalidInput(Reason.NOT_AN_IMAGE, f"{len(data)} bytes with a JPEG header do not decode")
    return np.asarray(image, dtype=np.uint8)


def encode_jpeg(image: npt.NDArray[np.uint8], quality: int) -> bytes:
    """Encode BGR uint8 [height, width, 3] (or grey [height, width]) as JPEG of `quality` 1..100, without metadata.

    Raises:
        ValueError: the array is empty or its type or shape cannot be a picture.
    """
    if image.size == 0 or image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise ValueError(f"a picture is a non-empty uint8 array of 2 or 3 axes, got {image.dtype} {image.shape}")
    done, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"cannot encode an array of shape {image.shape} as JPEG")
    return encoded.tobytes()


def _walk(data: bytes, to_the_end: bool) -> tuple[int, int]:
    """Follow the markers; returns (width, height) at the frame header, or at EOI when `to_the_end`."""
    if not data:
        raise InvalidInput(Reason.EMPTY, "0 bytes: send a JPEG picture")
    if not data.startswith(SIGNATURE):
        raise InvalidInput(Reason.NOT_AN_IMAGE, f"starts with {data[:4].hex(' ')}, a JPEG starts with ff d8 ff")
    size: tuple[int, int] | None = None
    position = 2
    while True:
        marker, position = _marker(data, position)
        if marker == EOI:
            if size is None:
                raise InvalidInput(Reason.NOT_AN_IMAGE, "JPEG ends without a frame header")
            return size
        if marker in STANDALONE:
            continue
        body, position = _segment(data, position)
        if marker in SOF:
            size = _frame_size(body)
            if not to_the_end:
                return size
        elif marker == SOS:
            position = _after_scan(data, position)


def _marker(data: bytes, position: int) -> tuple[int, int]:
    """The marker at `position` (fill bytes skipped) and the offset behind it."""
    if position < len(data) and data[position] != 0xFF:
        raise InvalidInput(Reason.NOT_AN_IMAGE, f"byte {position} is {data[position]:#04x} where a JPEG marker must be")
    while position < len(data) and data[position] == 0xFF:
        position += 1
    if position >= len(data):
        raise _truncated(data)
    return data[position], position + 1


def _segment(data: bytes, position: int) -> tuple[bytes, int]:
    """The body of the segment whose length field is at `position`, and the offset behind it."""
    length = int.from_bytes(data[position : position + 2], "big")
    if position + max(length, 2) > len(data):
        raise _truncated(data)
    if length < 2:
        raise InvalidInput(Reason.NOT_AN_IMAGE, f"JPEG segment at byte {position} claims {length} bytes, at least 2")
    return data[position + 2 : position + length], position + length


def _frame_size(body: bytes) -> tuple[int, int]:
    """(width, height) of a frame header: precision (1 byte), height (2), width (2), components."""
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    if width == 0 or height == 0:
        raise InvalidInput(Reason.NOT_AN_IMAGE, f"JPEG header states {width} x {height} pixels")
    return width, height


def _after_scan(data: bytes, position: int) -> int:
    """The offset of the first marker behind the entropy-coded data that starts at `position`."""
    found = _NEXT_MARKER.search(data, position)
    if found is None:
        raise _truncated(data)
    return found.start()


def _truncated(data: bytes) -> InvalidInput:
    return InvalidInput(Reason.TRUNCATED, f"JPEG of {len(data)} bytes ends before its end marker: send the whole file")
