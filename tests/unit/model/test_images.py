"""`model.images`: what is accepted, and that everything else is refused before it is decoded."""

import struct
import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import InvalidInput, Reason
from model.images import decode_jpeg, encode_jpeg, jpeg_size

LIMIT = 1_000_000


@pytest.fixture(scope="module")
def jpeg(collins: npt.NDArray[np.uint8]) -> bytes:
    return encode_jpeg(collins[:400, :300], 90)


def refusal(data: bytes, limit: int = LIMIT) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        decode_jpeg(data, limit)
    return caught.value


def test_round_trip_keeps_shape_and_nearly_the_pixels(collins: npt.NDArray[np.uint8], jpeg: bytes) -> None:
    picture = decode_jpeg(jpeg, LIMIT)
    assert jpeg_size(jpeg) == (300, 400)
    assert picture.shape == (400, 300, 3)
    assert picture.dtype == np.uint8
    assert np.abs(picture.astype(int) - collins[:400, :300]).mean() < 4


def test_grey_and_progressive_pictures_decode_to_three_channels() -> None:
    grey = np.tile(np.arange(256, dtype=np.uint8), (32, 1))
    assert decode_jpeg(encode_jpeg(grey, 90), LIMIT).shape == (32, 256, 3)
    import cv2

    done, progressive = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    assert done
    assert b"\xff\xc2" in progressive.tobytes()
    assert decode_jpeg(progressive.tobytes(), LIMIT).shape == (32, 256, 3)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.EMPTY),
        (b"GIF89a and more", Reason.NOT_AN_IMAGE),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), Reason.NOT_AN_IMAGE),
        (b"\xff\xd8\xff", Reason.TRUNCATED),
        (b"\xff\xd8\xff\xd9", Reason.NOT_AN_IMAGE),
        (b"\xff\xd8\xff\xe0\x00\x01\xff\xd9", Reason.NOT_AN_IMAGE),
        (b"\xff\xd8\xff\xe0\x00\x04ab" + b"not a marker", Reason.NOT_AN_IMAGE),
    ],
)
def test_what_is_no_jpeg_is_refused(data: bytes, reason: Reason) -> None:
    assert refusal(data).reason is reason


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused_without_a_word_on_stderr(
    jpeg: bytes, share: float, capfd: pytest.CaptureFixture[str]
) -> None:
    assert refusal(jpeg[: int(len(jpeg) * share)]).reason is Reason.TRUNCATED
    assert capfd.readouterr().err == ""


def test_the_end_marker_of_an_embedded_thumbnail_does_not_hide_truncation(jpeg: bytes) -> None:
    thumbnail = (
        b"\xff\xe1" + struct.pack(">H", 2 + 6 + len(jpeg[:20000]) + 2) + b"Exif\0\0" + jpeg[:20000] + b"\xff\xd9"
    )
    whole = jpeg[:2] + thumbnail + jpeg[2:]
    assert decode_jpeg(whole, LIMIT).shape == (400, 300, 3)
    assert refusal(whole[:-500]).reason is Reason.TRUNCATED


def test_bytes_behind_the_end_are_ignored(jpeg: bytes) -> None:
    assert np.array_equal(decode_jpeg(jpeg + b"trailing bytes", LIMIT), decode_jpeg(jpeg, LIMIT))


def test_too_many_pixels_names_size_and_limit_and_is_judged_by_the_header(jpeg: bytes) -> None:
    at = jpeg.index(b"\xff\xc0") + 5
    bomb = jpeg[:at] + struct.pack(">HH", 60000, 60000) + jpeg[at + 4 :]
    error = refusal(bomb)
    assert error.reason is Reason.TOO_MANY_PIXELS
    assert "60000 x 60000" in error.detail
    assert str(LIMIT) in error.detail
    assert refusal(jpeg, 400 * 300 - 1).reason is Reason.TOO_MANY_PIXELS
    assert decode_jpeg(jpeg, 400 * 300).size == 400 * 300 * 3


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_else(tail: bytes) -> None:
    with pytest.raises(InvalidInput):
        decode_jpeg(b"\xff\xd8\xff" + tail, 64)


def test_encoding_what_is_no_picture_is_an_error() -> None:
    with pytest.raises(ValueError, match="float32"):
        encode_jpeg(np.zeros((4, 4, 3), dtype=np.float32), 80)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="non-empty"):
        encode_jpeg(np.zeros((0, 4, 3), dtype=np.uint8), 80)


def test_producers_get_images_without_a_neural_network_library() -> None:
    code = (
        "import sys, model.images, model.faces, model.manifest, model.detector, model.weights, model.abstention;"
        "sys.exit(bool({'tensorflow', 'keras', 'onnx', 'torch', 'jax'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
