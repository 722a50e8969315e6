"""`mairror up` with a list of cameras: a film, and an HTTP camera that dies and comes back; nothing is replaced."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import cv2
import psutil
import pytest

from apps.local.folder import Folder
from model.images import encode_jpeg
from producers.sample import SampleSource
from tests.services import wait_for

PASSWORD = "pa@ss/w:rd-7319"
PLAIN = "written-plainly-5512"
MAIRROR = [sys.executable, "-m", "apps.cli"]
PICTURES = [encode_jpeg(SampleSource().draw(number / 15), 85) for number in range(30)]


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        wanted = base64.b64encode(f"viewer:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {wanted}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        number = 0
        while not self.server.ended.wait(1 / 15):  # type: ignore[attr-defined]
            jpeg = PICTURES[number % len(PICTURES)]
            head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg)
            try:
                self.wfile.write(head + jpeg + b"\r\n")
            except OSError:
                return
            number += 1

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class HttpCamera:
    """A camera that asks for a password, may die, and may come back on its port."""

    def __init__(self, port: int = 0) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
        self._server.ended = threading.Event()  # type: ignore[attr-defined]
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def die(self) -> None:
        self._server.ended.set()  # type: ignore[attr-defined]
        self._server.shutdown()
        self._server.server_close()


def _film(path: Path) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 15, (640, 480))
    for number in range(30):
        writer.write(SampleSource().draw(number / 15))
    writer.release()


def _entry(name: str, source: str, more: str = 'consent = "public-domain"') -> str:
    return f'[[camera]]\nname = "{name}"\nsource = "{source}"\n{more}\n'


class Up:
    """`mairror up` in a process of its own, and what others ask it."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.log = folder / "up.log"
        self._environment = {
            k: v for k, v in os.environ.items() if not k.startswith(("MAIRROR_KAFKA", "MAIRROR_MONGO"))
        }
        self._environment |= {
            "MAIRROR_DATA": str(self.data),
            "MAIRROR_PRODUCER__RECONNECT_SECONDS": "0.5",
            "MAIRROR_PROCESSOR__BATCH_SIZES": "1,4",
            "DOOR_PASSWORD": PASSWORD,
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*MAIRROR, "up", "--json"], env=self._environment, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        self.state = json.loads(line)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*MAIRROR, *arguments], env=self._environment, capture_output=True, text=True, timeout=60)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("status", "--json").stdout)
        return found

    def stream(self, name: str) -> dict[str, Any]:
        with urlopen(f"{self.state['gateway_url']}/v1/streams", timeout=10) as answer:
            return next((found for found in json.load(answer) if found["stream"] == name), {"online": False})

    def watch(self, name: str, count: int = 5, seconds: float = 40) -> list[dict[str, Any]]:
        """So many answers of a stream, as a viewer gets them."""
        found: list[dict[str, Any]] = []
        deadline = time.monotonic() + seconds
        with urlopen(f"{self.state['gateway_url']}/v1/streams/{name}/live", timeout=seconds) as answer:
            for line in answer:
                assert time.monotonic() < deadline, f"{name}: {len(found)} answers after {seconds} s"
                if line.startswith(b"data: ") and b'"faces"' in line:
                    found.append(json.loads(line[6:]))
                if len(found) == count:
                    break
        return found

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            if self.process.stdout is not None:
                self.process.stdout.close()
            self.run("stop")


@pytest.fixture
def camera() -> Iterator[HttpCamera]:
    found = HttpCamera()
    yield found
    found.die()


@pytest.fixture
def up(tmp_path: Path, camera: HttpCamera) -> Iterator[Up]:
    data = tmp_path / "data"
    data.mkdir()
    _film(tmp_path / "film.avi")
    (data / "cameras.toml").write_text(
        _entry("film", "../film.avi", 'consent = "public-domain"\nloop = true\nfps = 10')
        + _entry("broken", f"rtsp://viewer:{PLAIN}@127.0.0.1/1", "fps = 3")
        + _entry("door", f"http://viewer:${{DOOR_PASSWORD}}@127.0.0.1:{camera.port}/video.mjpg")
        + _entry("nobody", f"http://viewer:{PLAIN}@127.0.0.1:1/video.mjpg?key={PLAIN}")
    )
    found = Up(tmp_path)
    yield found
    found.stop()


def _seen_by_several(up: Up) -> dict[str, list[dict[str, Any]]]:
    """Four viewers at the same time, two of each stream."""
    names = ["film", "door", "film", "door"]
    with ThreadPoolExecutor(len(names)) as pool:
        return dict(zip(names, pool.map(up.watch, names), strict=True))


def _faces(answers: list[dict[str, Any]]) -> int:
    return max(len(answer["faces"]) for answer in answers)


def test_listed_cameras_play_die_alone_come_back_and_follow_the_file(up: Up, camera: HttpCamera) -> None:
    assert up.state["ready"], "a camera that is away and a wrong entry do not keep the stack from starting"
    assert set(up.state["cameras"]) == {"film", "door", "nobody"}
    [problem] = up.state["camera_problems"]
    assert "camera 2" in problem
    assert "consent is missing" in problem
    seen = _seen_by_several(up)
    assert _faces(seen["film"]) == _faces(seen["door"]) == 2
    wait_for(lambda: up.status()["ready"], 60, "everything is ready, also asked from outside on a busy machine")
    state = up.status()
    assert state["ready"]
    assert (state["cameras"]["film"]["state"], state["cameras"]["door"]["state"]) == ("playing", "playing")
    assert state["cameras"]["nobody"]["state"] == "waiting"
    assert state["cameras"]["nobody"]["detail"] == "http://viewer:***@127.0.0.1:1/video.mjpg does not answer"
    table = up.run("status")
    assert "consent is missing" in table.stderr
    doctor = up.run("doctor")
    assert doctor.returncode == 1
    assert "consent is missing" in doctor.stdout + doctor.stderr

    camera.die()
    wait_for(lambda: not up.stream("door")["online"], 15, "the stream of a dead camera ends")
    assert up.stream("film")["online"]
    assert up.watch("film"), "the other camera plays on"
    back = HttpCamera(camera.port)
    again = up.watch("door")
    assert _faces(again) == 2
    assert again[0]["frame"]["connection"] != seen["door"][0]["frame"]["connection"]
    assert up.status()["cameras"]["door"]["restarts"] == 0, "the process was well all the time"

    file = up.data / "cameras.toml"
    file.write_text(_entry("film", "../film.avi", 'consent = "c-2"\nloop = true') + _entry("second", "../film.avi"))
    assert up.watch("second")
    wait_for(lambda: set(up.status()["cameras"]) == {"film", "second"}, 15, "the door is not listed any more")
    assert up.status()["camera_problems"] == []
    assert not up.stream("door")["online"]
    film = up.status()["cameras"]["film"]["pid"]
    assert film != state["cameras"]["film"]["pid"], "a changed entry is played anew"
    os.kill(film, signal.SIGKILL)
    wait_for(lambda: up.status()["cameras"]["film"]["restarts"] == 1, 15, "a killed camera process is started again")
    assert up.watch("film")
    back.die()
    _no_password_anywhere(up, table.stdout + table.stderr + doctor.stdout + doctor.stderr + json.dumps(state))


def _no_password_anywhere(up: Up, said: str) -> None:
    secrets = [PASSWORD, quote(PASSWORD, safe=""), PLAIN]
    commands = " ".join(" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"]))
    assert "serve camera film" in commands
    for secret in secrets:
        assert secret not in said + up.log.read_text() + commands
    files = [path for path in up.data.rglob("*") if path.is_file() and path.name != "cameras.toml"]
    assert {"state.json", "supervisord.conf", "camera-door.log", "camera-nobody.log"} <= {path.name for path in files}
    for path in files:
        content = path.read_bytes()
        assert not [secret for secret in secrets if secret.encode() in content], path


def test_a_list_may_be_there_before_the_stack_and_outlives_its_data(tmp_path: Path) -> None:
    (tmp_path / "cameras.toml").write_text(_entry("film", "film.avi"))
    folder = Folder(tmp_path)
    folder.claim()
    folder.release()
    (tmp_path / "kafka" / "topic").mkdir(parents=True)
    folder.remove()
    assert [path.name for path in tmp_path.iterdir()] == ["cameras.toml"]
