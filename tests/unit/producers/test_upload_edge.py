"""Strangers' files: every kind of the table, every way to be bad, and nothing of the original left in what goes on."""

import io
import random
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from contracts.errors import InvalidInput, Reason
from contracts.limits import MAX_UPLOAD_BYTES
from contracts.settings import Settings, UploadSettings
from model.detector import FaceDetector
from model.images import decode_jpeg
from model.weights import fetch
from producers.edge.decoding import Decoded, decode_file
from producers.edge.kinds import KINDS, kind_of
from producers.edge.pool import DecodePool
from producers.sample import public_domain_pictures

SETTINGS = UploadSettings()
SETTINGS_CACHE = Settings().cache
HOPPER = public_domain_pictures()["hopper"]


@pytest.fixture(scope="module")
def pool() -> Iterator[DecodePool]:
    found = DecodePool(UploadSettings(seconds=20))
    yield found
    found.close()


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    if kind == "HEIF":
        from pillow_heif import register_heif_opener

        register_heif_opener()
    image.save(out, kind, **options)
    return out.getvalue()


def hopper(mode: str = "RGB") -> Image.Image:
    return Image.open(HOPPER).convert(mode)


def pixels(decoded: Decoded) -> np.ndarray:
    return decode_jpeg(decoded.jpeg, 10**9)


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    data = zlib.compress(bytes(1_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def archive(size: int, comment: bytes = b"") -> bytes:
    """A zip archive with a file that is stored as it is."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("notes.txt", "A" * size)
        packed.comment = comment
    return out.getvalue()


def with_preview(image: Image.Image) -> bytes:
    """A JPEG whose EXIF holds a small JPEG, end marker and all, as cameras write it."""
    small = saved(image.resize((80, 100)), "JPEG")
    exif = b"Exif\0\0" + b"MM\0*" + bytes(4) + small
    return b"\xff\xd8\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + saved(image, "JPEG")[2:]


GOOD = {
    "jpeg": lambda: saved(hopper(), "JPEG"),
    "progressive": lambda: saved(hopper(), "JPEG", progressive=True),
    "several in one": lambda: saved(hopper(), "MPO", save_all=True, append_images=[Image.new("RGB", (64, 64))]),
    "with a preview": lambda: with_preview(hopper()),
    "with a video behind": lambda: GOOD["jpeg"]() + b"\0\0\0\x18ftypmp42" + random.Random(1).randbytes(300_000),
    "grey": lambda: saved(hopper("L"), "JPEG"),
    "cmyk": lambda: saved(hopper("CMYK"), "JPEG"),
    "png": lambda: saved(hopper(), "PNG"),
    "palette": lambda: saved(hopper("P"), "PNG"),
    "alpha": lambda: saved(hopper("RGBA"), "PNG"),
    "16 bit": lambda: saved(Image.fromarray(np.asarray(hopper("L")).astype(np.uint16) << 8), "PNG"),
    "webp": lambda: saved(hopper(), "WEBP"),
    "animated webp": lambda: saved(hopper(), "WEBP", save_all=True, append_images=[Image.new("RGB", hopper().size)]),
    "animated png": lambda: saved(hopper(), "PNG", save_all=True, append_images=[Image.new("RGB", hopper().size)]),
    "heic": lambda: saved(hopper(), "HEIF"),
}


@pytest.mark.parametrize("name", GOOD)
def test_every_good_kind_gives_the_same_picture(pool: DecodePool, name: str) -> None:
    decoded = pool.decode(GOOD[name]())
    assert (decoded.width, decoded.height) == hopper().size
    wanted = np.asarray(hopper("L" if name in ("grey", "16 bit") else "RGB").convert("RGB"))[:, :, ::-1]
    difference = np.abs(pixels(decoded).astype(int) - wanted.astype(int)).mean()
    assert difference < (14 if name == "palette" else 6)


BAD = {
    "empty": (b"", Reason.EMPTY),
    "text": (b"hello, this is no picture", Reason.NOT_AN_IMAGE),
    "cut off": (GOOD["jpeg"]()[:20_000], Reason.TRUNCATED),
    "cut off png": (GOOD["png"]()[:20_000], Reason.TRUNCATED),
    "only a beginning": (b"\xff\xd8\xff\xe0\x00\x10JFIF", None),
    "noise behind a signature": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, None),
    "gif": (saved(hopper(), "GIF"), Reason.UNSUPPORTED_TYPE),
    "tiff": (saved(hopper(), "TIFF"), Reason.UNSUPPORTED_TYPE),
    "bmp": (saved(hopper(), "BMP"), Reason.UNSUPPORTED_TYPE),
    "svg": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"></svg>', Reason.UNSUPPORTED_TYPE),
    "pdf": (b"%PDF-1.7 ...", Reason.UNSUPPORTED_TYPE),
    "zip": (b"PK\x03\x04" + bytes(100), Reason.UNSUPPORTED_TYPE),
    "jpeg and zip": (GOOD["jpeg"]() + b"PK\x03\x04" + bytes(60) + b"PK\x05\x06" + bytes(18), Reason.UNSUPPORTED_TYPE),
    "jpeg and large zip": (GOOD["jpeg"]() + archive(300_000), Reason.UNSUPPORTED_TYPE),
    "jpeg and zip with a comment": (GOOD["jpeg"]() + archive(9, b"x" * 60_000), Reason.UNSUPPORTED_TYPE),
    "webp and zip": (GOOD["webp"]() + archive(900), Reason.UNSUPPORTED_TYPE),
    "heic and zip": (GOOD["heic"]() + archive(90_000), Reason.UNSUPPORTED_TYPE),
    "jpeg and web page": (GOOD["jpeg"]() + b"<script>alert(1)</script>", Reason.UNSUPPORTED_TYPE),
    "jpeg and large web page": (GOOD["jpeg"]() + b"<HTML>" + b" " * 200_000, Reason.UNSUPPORTED_TYPE),
    "png and large web page": (GOOD["png"]() + b"<html>" + b" " * 200_000, Reason.UNSUPPORTED_TYPE),
    "webp and web page": (GOOD["webp"]() + b"<html>", Reason.UNSUPPORTED_TYPE),
    "heic and web page": (GOOD["heic"]() + b"<html>", Reason.UNSUPPORTED_TYPE),
    "jpeg of 16 bits": (GOOD["jpeg"]().replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x10"), None),
    "pdf in a jpeg comment": (b"\xff\xd8\xff\xfe\x00\x0a%PDF-1.4" + GOOD["jpeg"]()[2:], Reason.UNSUPPORTED_TYPE),
    "png and program": (GOOD["png"]() + b"\x7fELF" + bytes(100), Reason.UNSUPPORTED_TYPE),
    "bomb of 400 megapixels": (png_header(20_000, 20_000), Reason.TOO_MANY_PIXELS),
    "bomb within the pixel limit": (png_header(8_000, 8_000), Reason.TRUNCATED),
    "tiny": (saved(Image.new("RGB", (4, 4)), "PNG"), Reason.TOO_SMALL),
    "too many bytes": (GOOD["jpeg"]() + bytes(SETTINGS.max_bytes), Reason.TOO_MANY_BYTES),
}


@pytest.mark.parametrize("name", BAD)
def test_every_bad_file_is_refused_with_its_reason(pool: DecodePool, name: str) -> None:
    data, reason = BAD[name]
    before = pool.pids()
    with pytest.raises(InvalidInput) as caught:
        pool.decode(data)
    if reason is not None:
        assert caught.value.reason is reason
    assert caught.value.detail
    assert pool.pids() == before, "the decoder survived"
    assert all(psutil.Process(pid).memory_info().rss < 400 * 1024 * 1024 for pid in before)


def test_limits_are_named() -> None:
    for name, limit in (("bomb of 400 megapixels", "64000000"), ("too many bytes", str(SETTINGS.max_bytes))):
        with pytest.raises(InvalidInput, match=limit):
            decode_file(BAD[name][0], SETTINGS)


def test_a_file_that_takes_too_long_is_refused_and_the_next_one_works() -> None:
    pool = DecodePool(UploadSettings(seconds=0.2))
    slow = saved(Image.new("RGB", (7900, 7900)), "PNG", compress_level=1)
    with pytest.raises(InvalidInput, match=r"longer than 0\.2 s") as caught:
        pool.decode(slow)
    assert caught.value.reason is Reason.TIMEOUT
    small = saved(hopper().resize((64, 64)), "JPEG")
    assert pool.decode(small).width == 64
    pool.close()


def test_a_crashed_decoder_is_replaced() -> None:
    pool = DecodePool(UploadSettings(seconds=20))
    (pid,) = pool.pids()
    psutil.Process(pid).kill()
    with pytest.raises(InvalidInput, match="crashed"):
        pool.decode(GOOD["jpeg"]())
    assert pool.decode(GOOD["jpeg"]()).kind == "JPEG"
    assert pid not in pool.pids()
    pool.close()


def test_a_file_that_needs_too_much_memory_is_refused_by_the_kernel_and_the_next_one_works() -> None:
    pool = DecodePool(UploadSettings(seconds=20, memory_mb=256))
    large = saved(Image.new("RGB", (7000, 7000)), "PNG", compress_level=1)
    with pytest.raises(InvalidInput, match="256 MB"):
        pool.decode(large)
    assert pool.decode(GOOD["jpeg"]()).kind == "JPEG"
    pool.close()


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_changed_bytes_are_refused_or_decoded_and_never_crash_the_decoder(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    good = saved(hopper().resize((64, 80)), kind, exif=exif)
    chance = random.Random(7)
    for _ in range(400):
        data = bytearray(good)
        for _ in range(chance.choice((1, 2, 8))):
            data[chance.randrange(min(len(data), 500))] = chance.randrange(256)
        try:
            decoded = decode_file(bytes(data), SETTINGS)
        except (InvalidInput, MemoryError):  # both are one refused file, see the worker
            continue
        assert decoded.jpeg.startswith(b"\xff\xd8\xff")


def test_a_decoder_can_open_neither_files_nor_connections() -> None:
    pool = DecodePool(UploadSettings(seconds=20))
    (pid,) = pool.pids()
    assert psutil.Process(pid).rlimit(psutil.RLIMIT_NOFILE) == (0, 0)
    assert psutil.Process(pid).rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
    for make in GOOD.values():
        pool.decode(make())
    assert pool.pids() == [pid]
    assert psutil.Process(pid).rlimit(psutil.RLIMIT_CPU)[0] > 0
    pool.close()


def test_nothing_of_the_original_metadata_is_left(pool: DecodePool) -> None:
    exif = Image.Exif()
    exif[0x010E] = "secret description"
    exif.get_ifd(0x8825)[1] = "N"
    data = saved(hopper(), "JPEG", exif=exif, comment=b"secret comment", icc_profile=b"secret profile" * 20)
    assert b"secret" in data
    decoded = pool.decode(data)
    assert b"secret" not in decoded.jpeg
    assert b"Exif" not in decoded.jpeg
    with Image.open(io.BytesIO(decoded.jpeg)) as image:
        assert not image.getexif()
        assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_face_is_the_same_in_every_orientation(pool: DecodePool, orientation: int) -> None:
    turned = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }.get(orientation, [])
    image = hopper()
    for step in turned:
        image = image.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = pool.decode(saved(image, "JPEG", quality=95, exif=exif))
    detector = FaceDetector(fetch(SETTINGS_CACHE)["yunet"])
    faces, upright = detector.detect(pixels(decoded)), detector.detect(np.asarray(hopper())[:, :, ::-1].copy())
    assert len(faces) == len(upright) == 1
    assert abs(faces[0].x - upright[0].x) < 6
    assert abs(faces[0].y - upright[0].y) < 6


def test_large_photos_are_scaled_and_fit_the_topic(pool: DecodePool) -> None:
    decoded = pool.decode(saved(hopper().resize((3000, 4000)), "JPEG"))
    assert max(decoded.width, decoded.height) <= SETTINGS.max_edge
    assert decoded.width / decoded.height == pytest.approx(0.75, abs=0.01)
    noise = Image.effect_noise((2000, 2000), 200).convert("RGB")
    assert len(pool.decode(saved(noise, "JPEG", quality=100)).jpeg) <= MAX_UPLOAD_BYTES


def test_the_table_covers_what_signatures_tell() -> None:
    seen = {kind_of(make()).name for make in GOOD.values()} | {kind_of(data).name for data, _ in BAD.values()}
    assert seen <= {kind.name for kind in KINDS}
    table = (Path(__file__).parents[3] / "docs/uploads.md").read_text()
    for kind in KINDS:
        assert f"| {kind.name} | {kind.treatment} |" in table
