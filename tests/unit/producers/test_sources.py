"""Pictures from files, folders, videos and cameras; what cannot be read is refused by name."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from contracts.errors import InvalidInput
from contracts.limits import MAX_FRAME_BYTES
from contracts.settings import ProducerSettings
from model.images import encode_jpeg
from producers.encoding import encode_frame
from producers.sample import SampleSource, public_domain_pictures
from producers.sources import CameraSource, hide_password, open_source, read_picture


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "moving.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for shade in range(12):
        writer.write(np.full((48, 64, 3), shade * 20, np.uint8))
    writer.release()
    return path


def test_a_video_file_plays_to_its_end(video: Path) -> None:
    source = open_source(str(video))
    assert source.fps == 10
    shades = [float(capture.image.mean()) for capture in source.captures()]
    assert len(shades) == 12
    assert shades == sorted(shades)


def test_a_looped_video_begins_again(video: Path) -> None:
    source = open_source(str(video), loop=True)
    captures = source.captures()
    assert len([next(captures) for _ in range(30)]) == 30
    source.close()


def test_a_folder_plays_in_name_order_and_other_files_are_left_alone(tmp_path: Path) -> None:
    for name, shade in (("b.png", 200), ("a.png", 50)):
        cv2.imwrite(str(tmp_path / name), np.full((20, 20, 3), shade, np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    assert [int(capture.image.mean()) for capture in open_source(str(tmp_path)).captures()] == [50, 200]


@pytest.mark.parametrize(
    ("name", "content"), [("missing.jpg", None), ("empty.jpg", b""), ("text.png", b"hello"), ("text.mp4", b"hello")]
)
def test_what_cannot_be_read_is_refused_by_name(tmp_path: Path, name: str, content: bytes | None) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidInput, match=name):
        list(open_source(str(path)).captures())


def test_an_empty_folder_and_an_unknown_scheme_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no picture"):
        open_source(str(tmp_path))
    with pytest.raises(InvalidInput, match="rtsp, rtmp and http"):
        open_source("ftp://somewhere/file")


def test_passwords_are_never_shown() -> None:
    assert hide_password("rtsp://user:s3cret@cam/1") == "rtsp://user:***@cam/1"
    assert "s3cret" not in CameraSource("rtsp://user:s3cret@cam/1", 1.0).name


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    from PIL import Image

    picture = Image.new("RGB", (40, 20), "red")
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.jpg", exif=exif)
    assert read_picture(tmp_path / "turned.jpg").shape[:2] == (40, 20)


class Camera(BaseHTTPRequestHandler):
    """An HTTP camera (MJPEG) that hangs up after five pictures."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        jpeg = encode_jpeg(np.full((48, 64, 3), 90, np.uint8), 90)
        for _ in range(5):
            self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg))
            self.wfile.write(jpeg + b"\r\n")

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def test_a_camera_comes_back_by_itself() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    source = open_source(f"http://127.0.0.1:{server.server_port}/video.mjpg", reconnect_seconds=0.1)
    try:
        captures = source.captures()
        seen = [next(captures) for _ in range(12)]
        assert len(seen) == 12, "more than one connection gives"
        assert seen[0].image.shape == (48, 64, 3)
    finally:
        source.close()
        server.shutdown()
        server.server_close()


def test_noise_still_fits_the_frame_limit() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (3000, 4000, 3), dtype=np.uint8)
    jpeg, width, height = encode_frame(noise, ProducerSettings(jpeg_quality=100, max_edge=4096))
    assert len(jpeg) <= MAX_FRAME_BYTES
    assert max(width, height) <= 4096


def test_the_sample_stream_is_two_public_domain_faces_that_move() -> None:
    assert set(public_domain_pictures()) == {"collins", "hopper"}
    source = SampleSource()
    first, later = source.draw(0.0), source.draw(1.0)
    assert first.shape == (480, 640, 3)
    assert (first != later).mean() > 0.05
