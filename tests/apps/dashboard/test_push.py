"""The live WebSocket and the health routes, on a real server and the real broker."""

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from apps.dashboard.serve import LIVE_PATH
from apps.dashboard.wiring import Dashboard, current
from apps.live.described import picture
from apps.live.origin import same_origin
from apps.live.tickets import PROTOCOL
from apps.live.watch_socket import IN_FLIGHT
from contracts.metrics import LIVE_SUBSCRIBERS, gauge
from contracts.publishing import Publisher
from contracts.records import json_record
from contracts.settings import Settings
from contracts.topics import AGES, FRAMES_LIVE
from tests.apps.dashboard.making import answer, face, frame
from tests.services import wait_for


class Camera:
    """Sends frames, and their answers as a processor would."""

    def __init__(self, settings: Settings) -> None:
        self.stream = f"cam-{uuid.uuid4().hex[:8]}"
        self._publisher = Publisher(settings.kafka)
        self.sequence = 0

    def shoot(self, *faces: Any) -> bytes:
        item = frame(self.stream, self.sequence)
        jpeg = f"jpeg {self.sequence}".encode()
        self._publisher.send(FRAMES_LIVE.name, item.key, jpeg, item.headers(), lambda *_: None)
        reply = answer(item, *faces)
        self._publisher.send(*json_record(AGES, item.key, reply, id=reply.id), lambda *_: None)
        assert self._publisher.flush(10) == 0
        self.sequence += 1
        return jpeg

    def close(self) -> None:
        self._publisher.close()


@pytest.fixture
def camera(settings: Settings) -> Iterator[Camera]:
    found = Camera(settings)
    yield found
    found.close()


def watch(address: str, stream: str, origin: str | None = None, ticket: str | None = None) -> ClientConnection:
    """As a page does: same origin, with a ticket of its session for this stream."""
    shown = current().tickets.issue("visitor", "watch", stream) if ticket is None else ticket
    return connect(
        f"ws://{address}{LIVE_PATH}/{stream}",
        origin=origin or f"http://{address}",  # type: ignore[arg-type]
        subprotocols=[PROTOCOL, shown] if shown else None,  # type: ignore[list-item]
    )


def split(message: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(message[:4], "big")
    return json.loads(message[4 : 4 + length]), message[4 + length :]


def next_picture(socket: ClientConnection, seconds: float = 15) -> tuple[dict[str, Any], bytes]:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        message = socket.recv(timeout=left)
        if isinstance(message, bytes):
            return split(message)
    raise AssertionError("no picture came")


def reading(address: str, camera: Camera, socket: ClientConnection) -> None:
    """Return when the dashboard reads this stream: pictures from now on are seen."""
    deadline = time.monotonic() + 20
    while True:
        camera.shoot()
        try:
            next_picture(socket, 1)
        except (AssertionError, TimeoutError):
            assert time.monotonic() < deadline
            continue
        socket.send("drawn")
        return


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_a_page_of_another_origin_is_refused(address: str, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        watch(address, "cam", origin)
    assert refused.value.response.status_code == 403


def test_without_a_ticket_and_with_one_for_something_else_or_used_it_is_refused(address: str, camera: Camera) -> None:
    tickets = current().tickets
    for ticket in (
        "",
        "made-up",
        tickets.issue("visitor", "watch", "another-stream"),
        tickets.issue("visitor", "webcam", camera.stream),
    ):
        with pytest.raises(InvalidStatus) as refused:
            watch(address, camera.stream, ticket=ticket)
        assert refused.value.response.status_code == 403
    ticket = tickets.issue("visitor", "watch", camera.stream)
    with watch(address, camera.stream, ticket=ticket) as socket:
        fresh = json.loads(socket.recv(timeout=15))["ticket"]  # for its reconnection
        with pytest.raises(InvalidStatus):
            watch(address, camera.stream, ticket=ticket)
    with watch(address, camera.stream, ticket=fresh):
        pass


def test_who_is_no_page_and_what_is_no_stream_is_refused(address: str) -> None:
    with pytest.raises(InvalidStatus):
        connect(f"ws://{address}{LIVE_PATH}/cam")
    with pytest.raises(InvalidStatus):
        watch(address, "No%20Stream")


def test_an_origin_is_compared_with_the_host_the_browser_asked_for() -> None:
    assert same_origin("https://example.org", "example.org")
    assert same_origin("http://Example.org:8501", "example.org:8501")
    assert not same_origin("http://example.org.evil.net", "example.org")
    assert not same_origin(None, "example.org")
    assert not same_origin("http://example.org", None)


def test_the_picture_comes_with_its_answer_figures_and_age(address: str, camera: Camera) -> None:
    with watch(address, camera.stream) as socket:
        reading(address, camera, socket)
        jpeg = camera.shoot(face(0.1, track="cam:c-1:5:3"), face(0.6, years=None))
        while True:
            head, picture = next_picture(socket)
            socket.send("drawn")
            if picture == jpeg:
                break
    known, unknown = head["picture"]["faces"]
    assert (known["years"], known["track"], known["frames"], known["coverage"]) == (35.2, "3", 7, 0.8)
    assert (known["low"], known["high"]) == pytest.approx((29.2, 40.2))
    assert (unknown["years"], unknown["reason"]) == (None, "too_small")
    assert 0 <= head["picture"]["age_ms"] < 5000
    assert head["figures"]["fps"] > 0
    assert head["figures"]["p50_ms"] is not None


def test_a_page_that_draws_nothing_gets_no_more_and_then_the_newest(address: str, camera: Camera) -> None:
    with watch(address, camera.stream) as socket:
        reading(address, camera, socket)
        for _ in range(30):
            jpeg = camera.shoot(face())
        got: list[bytes] = []
        quiet = time.monotonic() + 2
        while time.monotonic() < quiet:
            message = socket.recv(timeout=5)
            got += [split(message)[1]] if isinstance(message, bytes) else []
        assert len(got) <= IN_FLIGHT
        if jpeg not in got:
            socket.send("drawn")
            assert next_picture(socket)[1] == jpeg, "what comes after a pause is the newest, not the next"


def test_nothing_is_read_while_nobody_watches(address: str, camera: Camera, dashboard: Dashboard) -> None:
    wait_for(lambda: dashboard.watching.viewers == 0, 20, "no viewer")
    before = gauge(LIVE_SUBSCRIBERS)._value.get()
    with watch(address, camera.stream), watch(address, camera.stream):
        wait_for(lambda: dashboard.watching.viewers == 2, 20, "two viewers")
        assert gauge(LIVE_SUBSCRIBERS)._value.get() == before + 1, "viewers of one stream share one reader"
    wait_for(lambda: dashboard.watching.viewers == 0, 20, "no viewer")
    wait_for(lambda: gauge(LIVE_SUBSCRIBERS)._value.get() == before, 20, "the metric counts nobody")
    assert dashboard.watching._fanout is None


def test_clocks_that_disagree_show_no_age() -> None:
    assert picture(answer(frame("cam"), clock="skewed"))["age_ms"] is None


def test_health_and_metrics_are_on_the_same_port(address: str) -> None:
    for path, content in (("/livez", "ok"), ("/readyz", "ok"), ("/metrics", "mairror_live_subscribers")):
        with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as found:
            assert found.status == 200
            assert content in found.read().decode()
