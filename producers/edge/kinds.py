"""What happens to each kind of file, told by its first bytes and never by its name or declared type.

The table is the contract: docs/uploads.md is made from it and a test sends a file of every kind.
"""

from dataclasses import dataclass

from contracts.errors import InvalidInput, Reason
from producers.edge.polyglots import foreign


@dataclass(frozen=True)
class Kind:
    """A kind of file. `pillow` is the only decoder that may touch it; None refuses it by name."""

    name: str
    pillow: tuple[str, ...] | None
    treatment: str


JPEG = Kind(
    "JPEG", ("JPEG",), "decoded; CMYK and grey converted, EXIF orientation applied, of several pictures the first"
)
PNG = Kind(
    "PNG", ("PNG",), "decoded; 16 bit and palette converted, transparency on white, of an animation the first frame"
)
WEBP = Kind("WebP", ("WEBP",), "decoded; transparency on white, of an animation the first frame")
HEIF = Kind("HEIC", ("HEIF",), "decoded; orientation applied, of several pictures the main one")
GIF = Kind("GIF", None, "refused: save it as PNG or JPEG")
TIFF = Kind("TIFF", None, "refused: save it as PNG or JPEG")
BMP = Kind("BMP", None, "refused: save it as PNG or JPEG")
AVIF = Kind("AVIF", None, "refused: save it as JPEG")
JPEG2000 = Kind("JPEG 2000", None, "refused: save it as JPEG")
PSD = Kind("Photoshop", None, "refused: export it as JPEG")
SVG = Kind("SVG", None, "refused: it is a drawing, not a photo")
PDF = Kind("PDF", None, "refused: export the photo from it")
ARCHIVE = Kind("archive", None, "refused: unpack it and send the photos")
VIDEO = Kind("video", None, "refused: play it with `mairror replay`")
OTHER = Kind("other", None, "refused: JPEG, PNG, WebP and HEIC are read")

KINDS = (JPEG, PNG, WEBP, HEIF, GIF, TIFF, BMP, AVIF, JPEG2000, PSD, SVG, PDF, ARCHIVE, VIDEO, OTHER)

_STARTS: tuple[tuple[bytes, Kind], ...] = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"II*\x00", TIFF),
    (b"MM\x00*", TIFF),
    (b"BM", BMP),
    (b"\x00\x00\x00\x0cjP  ", JPEG2000),
    (b"\xff\x4f\xff\x51", JPEG2000),
    (b"8BPS", PSD),
    (b"%PDF-", PDF),
    (b"PK\x03\x04", ARCHIVE),
    (b"Rar!", ARCHIVE),
    (b"7z\xbc\xaf", ARCHIVE),
    (b"\x1f\x8b", ARCHIVE),
    (b"\x1aE\xdf\xa3", VIDEO),
)

_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"hevc", b"hevx"})

HEAD = 1024


def kind_of(data: bytes) -> Kind:
    """The kind of a file by its first bytes."""
    for start, kind in _STARTS:
        if data.startswith(start):
            return kind
    if data[:4] == b"RIFF":
        return WEBP if data[8:12] == b"WEBP" else VIDEO
    if data[4:8] == b"ftyp":
        brands = {data[8:12]} | {data[at : at + 4] for at in range(16, min(int.from_bytes(data[:4]), 64), 4)}
        if b"avif" in brands or b"avis" in brands:
            return AVIF
        return HEIF if brands & _HEIF_BRANDS else VIDEO
    head = data[:HEAD].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<svg", b"<?xml", b"<!doctype svg")) and b"<svg" in data[: 4 * HEAD].lower():
        return SVG
    return OTHER


def check_kind(data: bytes) -> Kind:
    """The kind of a file that may be decoded.

    Raises:
        InvalidInput: empty, a kind that is refused (by name), or a picture that is something else as well.
    """
    if not data:
        raise InvalidInput(Reason.EMPTY, "the file is empty: 0 bytes")
    kind = kind_of(data)
    if kind is OTHER:
        raise InvalidInput(Reason.NOT_AN_IMAGE, "this is not a picture: JPEG, PNG, WebP and HEIC are read")
    if kind.pillow is None:
        hint = kind.treatment.removeprefix("refused: ")
        raise InvalidInput(Reason.UNSUPPORTED_TYPE, f"{kind.name} files are not read: {hint}")
    what = foreign(data, kind.name)
    if what:
        raise InvalidInput(
            Reason.UNSUPPORTED_TYPE, f"this {kind.name} is {what} at the same time: export the photo anew"
        )
    return kind
