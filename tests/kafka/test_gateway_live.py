"""Server-sent events: the newest answers of a stream, pushed; who reads slowly costs nothing."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator

import httpx2
import pytest

from contracts.answers import Answer, decode_answer
from contracts.settings import Settings
from producers.camera import Play, Replay
from producers.sample import SampleSource
from tests.kafka.sending import unique
from tests.kafka.serving import check_problem, client_of, memory_mb, part, start_gateway
from tests.services import Service, wait_for


@pytest.fixture(scope="module")
def _gateway(
    environment: dict[str, str], free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    yield from start_gateway(environment, free_port, tmp_path_factory.mktemp("gateway"))


@pytest.fixture
def gateway(_gateway: Service, processor: Service) -> Service:
    return _gateway


@pytest.fixture
def http(gateway: Service) -> Iterator[httpx2.Client]:
    with client_of(gateway) as client:
        yield client


@pytest.fixture
def play(settings: Settings) -> Iterator[Callable[[str], None]]:
    """Plays the sample stream until the test ends."""
    replays: list[Replay] = []
    threads: list[threading.Thread] = []

    def start(stream: str) -> None:
        replays.append(Replay(settings, SampleSource(15), Play(stream, "public-domain", seconds=60)))
        threads.append(threading.Thread(target=replays[-1].run, daemon=True))
        threads[-1].start()

    yield start
    for replay in replays:
        replay.stop()
    for thread in threads:
        thread.join(20)


def events(answer: httpx2.Response) -> Iterator[tuple[str, str]]:
    """Event name and data of each event; a comment is the event `comment`."""
    name, data = "", ""
    for line in answer.iter_lines():
        if line.startswith(":"):
            yield "comment", line[1:].strip()
        elif line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            data = line[6:]
        elif not line and data:
            yield name, data
            name, data = "", ""


def answers(answer: httpx2.Response, count: int, last: Callable[[], None] = lambda: None) -> list[Answer]:
    """So many answers. `last` is called while the viewer is still there: leaving the loop closes the response."""
    found: list[Answer] = []
    for name, data in events(answer):
        if name == "answer":
            found.append(decode_answer(data.encode()))
            if len(found) == count:
                last()
                break
    return found


def viewers(http: httpx2.Client) -> float:
    lines = http.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith("mairror_live_subscribers ")).split()[1])


def test_a_viewer_gets_the_newest_answers_of_its_stream_and_leaves(
    http: httpx2.Client, play: Callable[[str], None]
) -> None:
    stream, other = unique("live"), unique("other")
    play(stream)
    play(other)
    with http.stream("GET", f"/v1/streams/{stream}/live") as found:
        assert found.status_code == 200
        assert found.headers["content-type"].startswith("text/event-stream")
        counted: list[float] = []
        seen = answers(found, 15, lambda: counted.append(viewers(http)))
    late = time.time() - seen[-1].frame.captured_at.timestamp()
    assert counted == [1]
    assert {one.stream for one in seen} == {stream}
    assert len({one.id for one in seen}) == 15
    assert late < 2
    wait_for(lambda: viewers(http) == 0, 10, "the viewer is forgotten when it leaves")


def test_the_viewer_of_everything_sees_all_streams_and_no_upload(
    http: httpx2.Client, play: Callable[[str], None], hopper: bytes
) -> None:
    streams = {unique("one"), unique("two")}
    for stream in streams:
        play(stream)
    seen: list[Answer] = []
    with http.stream("GET", "/live") as found:
        for name, data in events(found):
            if not seen:
                assert http.post("/v1/images?wait=20", files=[part(hopper)]).status_code == 200
            if name == "answer":
                seen.append(decode_answer(data.encode()))
            if len(seen) >= 40:
                break
    assert streams <= {one.stream for one in seen}
    assert {one.frame.origin for one in seen} == {"sample"}


def test_a_silent_stream_still_speaks(http: httpx2.Client) -> None:
    begun = time.monotonic()
    with http.stream("GET", f"/v1/streams/{unique('silent')}/live") as found:
        comments = [data for _, (_, data) in zip(range(2), events(found), strict=False)]
    assert len(comments) == 2
    assert 8 < time.monotonic() - begun < 13


def test_a_reader_that_reads_nothing_costs_nothing(
    gateway: Service, http: httpx2.Client, play: Callable[[str], None]
) -> None:
    stream = unique("slow")
    play(stream)
    with http.stream("GET", f"/v1/streams/{stream}/live") as found:
        answers(found, 3)
    before = memory_mb(gateway)
    idle = []
    for _ in range(20):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", gateway.port))
        connection.sendall(f"GET /v1/streams/{stream}/live HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        idle.append(connection)
    with http.stream("GET", f"/v1/streams/{stream}/live") as found:
        seen = answers(found, 100)
    assert time.time() - seen[-1].frame.captured_at.timestamp() < 2, "a quick reader does not wait for slow ones"
    assert memory_mb(gateway) - before < 60
    for connection in idle:
        connection.close()
    wait_for(lambda: viewers(http) == 0, 15, "viewers that broke off are forgotten")


def test_an_impossible_stream_is_a_problem_before_the_first_event(http: httpx2.Client) -> None:
    check_problem(http.get("/v1/streams/Not%20One/live"), 422, "bad_stream_id")


def test_a_live_stream_ends_when_the_gateway_stops(
    environment: dict[str, str], free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    for service in start_gateway(environment, free_port, tmp_path_factory.mktemp("stopping")):
        with client_of(service) as client, client.stream("GET", "/live") as found:
            lines = found.iter_lines()
            assert next(lines).startswith(":")
            begun = time.monotonic()
            assert service.stop() == 0
            assert all(json.dumps(line) for line in lines)
            assert time.monotonic() - begun < 5
