"""The webcam's WebSocket and runs, on a real server, a real broker and the real processor (browser: tests/browser)."""

import base64
import contextlib
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from apps.dashboard.serve import WEBCAM_PATH
from apps.dashboard.wiring import Dashboard
from apps.live.tickets import HAND_OUT_SECONDS, LIFE_SECONDS, PROTOCOL, Tickets
from apps.live.webcam_run import WebcamRun
from apps.live.webcam_socket import HEAD, split
from apps.live.webcams import Webcams
from contracts.errors import InvalidInput, RetryableError
from contracts.limits import MAX_FRAME_BYTES
from contracts.settings import Settings
from producers.sample import public_domain_pictures
from producers.sources import read_picture
from producers.webcam import PRINT_SIZE, luma_print
from tests.services import Service, wait_for

Picture = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def picture() -> Picture:
    """A face, 640 x 480."""
    return np.asarray(cv2.resize(read_picture(public_domain_pictures()["hopper"])[:450, 30:500], (640, 480)), np.uint8)


@pytest.fixture(scope="module")
def jpeg(picture: Picture) -> bytes:
    return bytes(cv2.imencode(".jpg", picture)[1].tobytes())


@pytest.fixture
def run(dashboard: Dashboard) -> Iterator[WebcamRun]:
    found = dashboard.webcams.start("visitor", "consent-of-a-test")
    yield found
    dashboard.webcams.end(found, "The test ends.")


def open_socket(address: str, dashboard: Dashboard, run: WebcamRun, **other: str) -> ClientConnection:
    ticket = other.get("ticket", "") or dashboard.tickets.issue(run.session, "webcam", run.stream)
    return connect(
        f"ws://{address}{WEBCAM_PATH}/{run.stream}",
        origin=other.get("origin", f"http://{address}"),  # type: ignore[arg-type]
        subprotocols=[PROTOCOL, ticket],  # type: ignore[list-item]
    )


def heard(socket: ClientConnection, kind: str, seconds: float = 20) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        message: dict[str, Any] = json.loads(socket.recv(timeout=left))
        if message["type"] == kind:
            return message
    raise AssertionError(f"no {kind} came")


def test_pictures_over_the_socket_are_answered_with_their_own_time(
    address: str, dashboard: Dashboard, processor: Service, run: WebcamRun, jpeg: bytes
) -> None:
    with open_socket(address, dashboard, run) as socket:
        hello = heard(socket, "hello")
        assert (hello["limits"]["bytes"], hello["fps"]) == (MAX_FRAME_BYTES, 30)
        socket.send(json.dumps({"type": "transport", "why": "chosen"}))
        answer: dict[str, Any] | None = None
        for number in range(20):
            socket.send(HEAD.pack(5000.25 + number, 12.0) + jpeg)
            assert heard(socket, "taken")["stamp"] == 5000.25 + number
            try:
                answer = heard(socket, "answer", 2)
                break
            except (AssertionError, TimeoutError):
                continue
        assert answer is not None
        assert answer["stamp"] in [5000.25 + number for number in range(20)]
        assert answer["luma"] is None
        (face,) = answer["faces"]
        assert 40 < face["years"] < 95
        assert face["low"] < face["years"] < face["high"]
        status = heard(socket, "status")
        assert (status["transport"], status["why"]) == ("websocket", "chosen")
        assert status["ledger"]["captured"] >= 1
        assert status["size"] == [640, 480]
        socket.send(json.dumps({"type": "ping", "sent": 17.5}))
        pong = heard(socket, "pong")
        assert pong["sent"] == 17.5
        assert abs(pong["at"] / 1000 - time.time()) < 5


def test_frames_of_a_video_track_are_answered_with_a_print_to_find_them_by(
    address: str, dashboard: Dashboard, processor: Service, run: WebcamRun, picture: Picture
) -> None:
    frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
    with open_socket(address, dashboard, run) as socket:
        answer: dict[str, Any] | None = None
        deadline = time.monotonic() + 20
        while answer is None and time.monotonic() < deadline:
            run.take(frame)
            try:
                answer = heard(socket, "answer", 0.2)
            except (AssertionError, TimeoutError):
                continue
        assert answer is not None
        assert base64.b64decode(answer["luma"]) == luma_print(picture)
        assert len(luma_print(picture)) == PRINT_SIZE[0] * PRINT_SIZE[1]
        assert answer["stamp"] is None
        assert abs(answer["at_ms"] / 1000 - time.time()) < 30
        status = heard(socket, "status")
        assert (status["transport"], status["size"]) == ("webrtc", [640, 480])
        assert status["webrtc_frames"] >= 1
        # pictures of the socket are for a page that said so
        run.use_websocket("lost")
        frames = run.webrtc_frames
        before = heard(socket, "status")["ledger"]["captured"]
        run.take(frame)
        assert run.webrtc_frames == frames
        for _ in range(2):
            assert heard(socket, "status")["ledger"]["captured"] == before


def test_a_flood_is_sampled_evenly_and_nothing_queues(dashboard: Dashboard, run: WebcamRun, picture: Picture) -> None:
    frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
    began = time.monotonic()
    for _ in range(2000):
        run.take(frame)
        time.sleep(0.0005)  # the flood's own pace: 60 times what a stream may send
    seconds = time.monotonic() - began
    captured = run.webcam.publisher.ledger.totals().captured
    assert 1 <= captured <= seconds * 30 * 1.1 + 2


def test_a_bad_picture_is_refused_by_name_and_the_next_is_taken(
    address: str, dashboard: Dashboard, run: WebcamRun, jpeg: bytes
) -> None:
    with open_socket(address, dashboard, run) as socket:
        socket.send(json.dumps({"type": "transport", "why": "no_connection"}))
        for body, words in (
            (b"GIF89a and so on", "JPEG"),
            (jpeg[:500], "damaged"),
            (b"", "head alone"),
            (jpeg + bytes(MAX_FRAME_BYTES), "at most"),
        ):
            socket.send(HEAD.pack(1.0, 1.0) + body)
            assert words in heard(socket, "refused")["detail"]
        socket.send("not json at all")
        socket.send(json.dumps({"type": "transport", "why": "because"}))
        socket.send(HEAD.pack(7.0, 1.0) + jpeg)
        assert heard(socket, "taken")["stamp"] == 7.0
    with pytest.raises(InvalidInput):
        split(HEAD.pack(float("nan"), 1.0) + jpeg)


def test_only_the_page_of_the_run_gets_in(address: str, dashboard: Dashboard, run: WebcamRun) -> None:
    tickets = dashboard.tickets
    other = tickets.issue("somebody-else", "webcam", "webcam-of-somebody-else")
    watching = tickets.issue(run.session, "watch", run.stream)
    for ticket in ("made-up", other, watching):
        with pytest.raises(InvalidStatus) as refused:
            open_socket(address, dashboard, run, ticket=ticket)
        assert refused.value.response.status_code == 403
    with pytest.raises(InvalidStatus):
        open_socket(address, dashboard, run, origin="https://evil.example")
    with pytest.raises(InvalidStatus):
        connect(f"ws://{address}{WEBCAM_PATH}/{run.stream}", origin=f"http://{address}")  # type: ignore[arg-type]
    # even a ticket for this very stream is of no use in another session's hands
    with open_socket(
        address, dashboard, run, ticket=tickets.issue("somebody-else", "webcam", run.stream)
    ) as socket, pytest.raises(ConnectionClosed):  # fmt: skip
        socket.recv(timeout=10)


def decoders(process: psutil.Process) -> int:
    """Decoder processes of this process: those for uploads, and the webcams' one."""
    found = 0
    for child in process.children():
        with contextlib.suppress(psutil.NoSuchProcess):
            found += child.status() != psutil.STATUS_ZOMBIE and "producers.edge.worker" in " ".join(child.cmdline())
    return found


def test_when_the_page_goes_its_stream_ends_and_everything_is_freed(
    address: str, dashboard: Dashboard, jpeg: bytes, picture: Picture
) -> None:
    process = psutil.Process()
    dashboard.webcams.end_session("leaver", "")
    wait_for(lambda: dashboard.webcams._watch is None, 10, "no webcam runs")
    uploads = dashboard.settings.upload.workers
    wait_for(lambda: decoders(process) == uploads, 10, "no decoder of webcams")
    threads = threading.active_count()
    closed: list[bool] = []
    run = dashboard.webcams.start("leaver", "consent-of-a-test")
    run.on_close(lambda: closed.append(True))
    with open_socket(address, dashboard, run) as socket:
        run.take(av.VideoFrame.from_ndarray(picture, format="bgr24"))
        socket.send(json.dumps({"type": "transport", "why": "lost"}))
        socket.send(HEAD.pack(7.0, 1.0) + jpeg)
        heard(socket, "taken")
        assert decoders(process) == uploads + 1, "a decoder works"
    left = time.monotonic()
    wait_for(lambda: run.ended is not None, 10, "the run ends")
    assert time.monotonic() - left < 3
    assert dashboard.webcams.get(run.stream) is None
    wait_for(lambda: bool(closed), 10, "the page's connection is closed")
    wait_for(lambda: decoders(process) == uploads, 15, "the decoder is gone")
    wait_for(lambda: threading.active_count() <= threads, 15, "the threads are gone")
    wait_for(lambda: (entry := dashboard.directory.entry(run.stream)) is not None and not entry.online, 15, "offline")


def test_there_is_a_limit_and_a_second_start_replaces_the_first(settings: Settings) -> None:
    few = settings.model_copy(update={"dashboard": settings.dashboard.model_copy(update={"webcams": 1})})
    webcams = Webcams(few)
    try:
        first = webcams.start("one", "consent")
        second = webcams.start("one", "consent")
        assert first.ended is not None
        assert second.ended is None
        with pytest.raises(RetryableError, match="as many as this dashboard takes"):
            webcams.start("two", "consent")
    finally:
        webcams.close()


def test_a_ticket_is_good_once_for_one_thing_and_not_for_long() -> None:
    now = [0.0]
    tickets = Tickets(lambda: now[0])
    token = tickets.issue("me", "webcam", "webcam-1")
    assert tickets.issue("me", "webcam", "webcam-1") == token, "a page drawn again gets the same"
    now[0] = LIFE_SECONDS - HAND_OUT_SECONDS + 1
    young = tickets.issue("me", "webcam", "webcam-1")
    assert young != token
    assert tickets.redeem(token, "webcam", "webcam-1") is not None
    assert tickets.redeem(token, "webcam", "webcam-1") is None
    assert tickets.redeem(young, "webcam", "webcam-2") is None
    assert tickets.redeem(young, "webcam", "webcam-1") is None, "shown for the wrong thing, it is gone"
    late = tickets.issue("me", "watch", "sample")
    now[0] += LIFE_SECONDS + 1
    assert tickets.redeem(late, "watch", "sample") is None
    tickets.issue("me", "watch", "sample")
    now[0] += LIFE_SECONDS + 1
    tickets.issue("you", "watch", "sample")
    assert len(tickets._tickets) == len(tickets._newest) == 1, "what is over is forgotten"
