"""Decodes one stranger's file. Runs inside a limited process only (see `pool`).

Out comes a JPEG of our own making: upright, RGB, at most `max_edge` pixels, without any metadata.
"""

import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from contracts.errors import InvalidInput, Reason
from contracts.limits import MAX_UPLOAD_BYTES
from contracts.settings import UploadSettings
from producers.edge.kinds import HEIF, check_kind

QUALITY = 90
QUALITY_STEP = 12
DRAFT_SHARE = 0.8
LEAST_EDGE = 16
"""Smaller pictures hold no face, pixels."""

DAMAGED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What decoders raise over damaged files, found by changing bytes of good ones at random. Not MemoryError."""


@dataclass(frozen=True)
class Decoded:
    """A picture that is safe to pass on: JPEG bytes, size in pixels, and what kind of file it was."""

    jpeg: bytes
    width: int
    height: int
    kind: str


def decode_file(data: bytes, settings: UploadSettings) -> Decoded:
    """Check, decode, turn upright, scale, strip, encode.

    Raises:
        InvalidInput: the file breaks a rule; the message names the rule and the limit.
    """
    if len(data) > settings.max_bytes:
        raise InvalidInput(
            Reason.TOO_MANY_BYTES, f"the file has {len(data)} bytes, at most {settings.max_bytes} are read"
        )
    kind = check_kind(data)
    assert kind.pillow is not None
    if kind is HEIF:
        _register_heif()
    Image.MAX_IMAGE_PIXELS = None  # our own check of the header is stricter and names its limit
    try:
        with Image.open(io.BytesIO(data), formats=kind.pillow) as image:
            _check_size(image.size, settings)
            # JPEG can be decoded at 1/2, 1/4, 1/8 of its size, which saves most of the time of a large photo; a
            # little smaller than the limit will do, so that 4000 pixels become 2000 and not 4000 again
            image.draft(None, _shrunk(image.size, round(settings.max_edge * DRAFT_SHARE)))
            ImageOps.exif_transpose(image, in_place=True)
            picture = _rgb(image)
    except UnidentifiedImageError as error:
        raise InvalidInput(Reason.NOT_AN_IMAGE, f"the file begins like {kind.name} but cannot be read") from error
    except DAMAGED as error:
        raise InvalidInput(Reason.TRUNCATED, f"this {kind.name} is damaged or cut off: {error}") from error
    picture.thumbnail((settings.max_edge, settings.max_edge), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return Decoded(_encode(picture), picture.width, picture.height, kind.name)


def _register_heif() -> None:
    from pillow_heif import register_heif_opener

    register_heif_opener(thumbnails=False)


def _check_size(size: tuple[int, int], settings: UploadSettings) -> None:
    width, height = size
    if width * height > settings.max_pixels:
        raise InvalidInput(
            Reason.TOO_MANY_PIXELS,
            f"the picture has {width} x {height} = {width * height} pixels, at most {settings.max_pixels} are read",
        )
    if min(width, height) < LEAST_EDGE:
        raise InvalidInput(
            Reason.TOO_SMALL, f"the picture has {width} x {height} pixels, at least {LEAST_EDGE} each way are needed"
        )


def _shrunk(size: tuple[int, int], edge: int) -> tuple[int, int]:
    scale = min(1.0, edge / max(size))
    return max(1, int(size[0] * scale)), max(1, int(size[1] * scale))


def _rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB, transparency on white."""
    if image.mode in ("I;16", "I;16B", "I;16L", "I"):
        deep = np.asarray(image).astype(np.uint32)
        image = Image.fromarray((deep >> 8).clip(0, 255).astype(np.uint8), "L")
    if "A" in image.getbands() or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.copy() if image.mode == "RGB" else image.convert("RGB")


def _encode(picture: Image.Image) -> bytes:
    """A fresh JPEG with nothing in it but pixels, within the topic's limit."""
    picture.info.clear()
    quality = QUALITY
    while True:
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=quality)
        if out.tell() <= MAX_UPLOAD_BYTES:
            return out.getvalue()
        quality -= QUALITY_STEP
