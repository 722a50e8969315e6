"""What strangers may not do: every refusal is a problem that names the limit, and the gateway is none the worse."""

import asyncio
import io
import json
import random
import socket
import struct
import zlib
from collections.abc import Callable, Iterator

import httpx2
import pytest
from fastapi import FastAPI
from PIL import Image

from apps.gateway.problems import install
from tests.kafka.serving import check_problem, client_of, memory_mb, new_key, part, photo, start_gateway
from tests.services import Service, wait_for

MAX_BYTES = 2_000_000
MAX_FILES = 5
SILENCE = 2.0
POST = "POST /v1/images HTTP/1.1\nHost: localhost\nContent-Type: multipart/form-data; boundary=x"


@pytest.fixture(scope="module")
def _gateway(
    environment: dict[str, str], free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    extra = {
        "MAIRROR_UPLOAD__MAX_BYTES": str(MAX_BYTES),
        "MAIRROR_UPLOAD__MAX_FILES": str(MAX_FILES),
        "MAIRROR_GATEWAY__BODY_SECONDS": str(SILENCE),
    }
    yield from start_gateway(environment, free_port, tmp_path_factory.mktemp("gateway"), **extra)


@pytest.fixture
def gateway(_gateway: Service, processor: Service) -> Service:
    return _gateway


@pytest.fixture
def http(gateway: Service) -> Iterator[httpx2.Client]:
    with client_of(gateway) as client:
        yield client


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims this size and carries next to nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def bomb() -> bytes:
    """A small PNG that unpacks to 9,000 x 9,000 pixels."""
    out = io.BytesIO()
    Image.new("L", (9000, 9000), 255).save(out, "PNG")
    return out.getvalue()


BAD: dict[str, tuple[bytes, int, object]] = {
    "not a picture": (b"Dear Sir, please find attached", 415, ["JPEG", "PNG", "WebP", "HEIC"]),
    "zero bytes": (b"", 400, 1),
    "20000 x 20000": (png_header(20_000, 20_000), 413, 64_000_000),
    "a GIF": (b"GIF89a" + b"\0" * 100, 415, ["JPEG", "PNG", "WebP", "HEIC"]),
    "a PDF": (b"%PDF-1.7" + b"\0" * 100, 415, ["JPEG", "PNG", "WebP", "HEIC"]),
    "over the byte limit": (b"\xff\xd8\xff" + b"\0" * MAX_BYTES, 413, MAX_BYTES),
    "far over the byte limit": (b"\xff\xd8\xff" + b"\0" * 40_000_000, 413, None),
    "too small": (b"", 422, 16),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_and_the_limit_is_named(http: httpx2.Client, name: str) -> None:
    data, status, limit = BAD[name]
    if name == "too small":
        out = io.BytesIO()
        Image.new("RGB", (8, 8)).save(out, "PNG")
        data = out.getvalue()
    body = check_problem(http.post("/v1/images", files=[part(data)]), status)
    assert body["limit"] == limit if limit is not None else body["limit"] > 0


def test_a_truncated_file_is_refused(http: httpx2.Client, hopper: bytes) -> None:
    check_problem(http.post("/v1/images", files=[part(hopper[: len(hopper) // 2])]), 422, "truncated")


def test_a_bad_file_among_good_ones_is_told_apart(http: httpx2.Client, hopper: bytes) -> None:
    found = http.post("/v1/images?wait=20", files=[part(hopper), part(b"junk", "j\r\nx.jpg"), part(hopper)])
    assert found.status_code == 200
    assert [item["status"] for item in found.json()] == ["answered", "refused", "answered"]
    assert found.json()[1]["problem"]["status"] == 415
    assert found.json()[1]["location"] is None


def test_when_a_later_file_is_over_the_limit_the_ids_before_it_are_told(http: httpx2.Client, hopper: bytes) -> None:
    found = http.post("/v1/images", files=[part(hopper), part(b"\xff\xd8\xff" + b"\0" * MAX_BYTES)])
    assert found.status_code == 202, found.text
    first, second = found.json()
    assert http.get(first["location"], params={"wait": 20}).status_code == 200
    assert second["problem"]["limit"] == MAX_BYTES


def test_too_many_files_and_none(http: httpx2.Client, hopper: bytes) -> None:
    found = http.post("/v1/images", files=[part(b"junk")] * (MAX_FILES + 1))
    assert check_problem(found, 413, "too_many_files")["limit"] == MAX_FILES
    check_problem(http.post("/v1/images", files={"note": (None, "no file here")}), 400, "no_files")
    check_problem(http.post("/v1/images", files=[part(b"a"), part(b"b")]), 422, "no_file_taken")


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        ({"content-type": "application/json"}, b"{}", 415),
        ({"content-type": "image/jpeg"}, b"\xff\xd8\xff", 415),
        ({}, b"", 415),
        ({"content-type": "multipart/form-data"}, b"", 415),
        ({"content-type": "multipart/form-data; boundary=x"}, b"", 400),
        ({"content-type": "multipart/form-data; boundary=x"}, b"not multipart at all", 400),
        (
            {"content-type": "multipart/form-data; boundary=x"},
            b'--x\r\nContent-Disposition: form-data; filename="',
            400,
        ),
        (
            {"content-type": "multipart/form-data; boundary=x"},
            b"--x\r\nContent-Disposition: form-data\r\nX: " + b"y" * 20_000 + b"\r\n\r\nz\r\n--x--",
            400,
        ),
    ],
)
def test_a_body_that_is_not_multipart(
    http: httpx2.Client, headers: dict[str, str], content: bytes, status: int
) -> None:
    check_problem(http.post("/v1/images", headers=headers, content=content), status)


def raw(gateway: Service, head: str, body: bytes = b"") -> bytes:
    """Speak HTTP by hand; returns all that comes back."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        found = b""
        while piece := connection.recv(65536):
            found += piece
            if found.split(b"\r\n\r\n", 1)[0].count(b"\r\n") and b"}" in found:
                break
        return found


def test_a_body_over_the_limit_is_refused_before_it_is_read(gateway: Service) -> None:
    length = 10**12
    found = raw(gateway, f"{POST}\nContent-Length: {length}")
    assert found.startswith(b"HTTP/1.1 413 ")
    assert str(length).encode() in found


def test_a_client_that_stays_silent_is_sent_away(gateway: Service, http: httpx2.Client) -> None:
    found = raw(gateway, f"{POST}\nContent-Length: 5000", b"--x\r\n")
    assert found.startswith(b"HTTP/1.1 408 ")


def test_wrong_methods_and_paths(http: httpx2.Client) -> None:
    check_problem(http.delete("/v1/images"), 405)
    check_problem(http.put("/v1/info"), 405)
    check_problem(http.get("/v2/images"), 404)
    check_problem(http.get("/v1/images/"), 404)
    check_problem(http.get("/v1/images/0123456789abcdef?wait=31"), 422)
    check_problem(http.get("/v1/images/0123456789abcdef/faces/x"), 422)


def test_pages_of_other_sites_and_other_host_names_are_refused(http: httpx2.Client, hopper: bytes) -> None:
    check_problem(http.get("/v1/streams", headers={"Host": "evil.example"}), 421)
    check_problem(http.post("/v1/images", files=[part(hopper)], headers={"Origin": "http://evil.example"}), 403)
    assert http.get("/v1/info", headers={"Host": "localhost:1"}).status_code == 200


def test_memory_is_bounded_and_the_gateway_serves_on(gateway: Service, http: httpx2.Client, hopper: bytes) -> None:
    good = photo(hopper, 2400, 1800)
    assert http.post("/v1/images?wait=30", files=[part(good)]).status_code == 200
    before = memory_mb(gateway)
    assert gateway.process is not None
    pid = gateway.process.pid
    bad = [data for data, status, _ in BAD.values() if status != 400 and data] + [bomb(), hopper[:5000]]
    for round_ in range(8):
        for data in bad:
            assert 400 <= http.post("/v1/images", files=[part(data)]).status_code < 500
        names = http.post("/v1/images", headers={"Idempotency-Key": new_key()}, files=[part(bad[round_ % len(bad)])])
        assert 400 <= names.status_code < 500
    assert http.post("/v1/images?wait=30", files=[part(good)]).status_code == 200
    assert memory_mb(gateway) - before < 250
    assert gateway.process.pid == pid
    assert gateway.running
    assert "Traceback" not in gateway.log()


def test_odd_parameters_never_make_an_error_of_ours(http: httpx2.Client, gateway: Service) -> None:
    chance = random.Random(7)
    document = http.get("/openapi.json").json()
    odd = [
        "0",
        "-1",
        "1e999",
        "NaN",
        "%00",
        "%2e%2e%2f",
        "a" * 3000,
        "é",
        "%F0%9F%98%80",
        "null",
        "[]",
        "{}",
        "' OR 1=1",
    ]
    odd += ["2026-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "$gt", "0" * 32]
    names = ["wait", "limit", "since", "until", "x", "limit[$gt]"]
    paths = [path for path in document["paths"] if not path.endswith("/live")]
    for _ in range(400):
        path = chance.choice(paths)
        for name in ("upload_id", "number", "stream", "file"):
            path = path.replace("{" + name + "}", chance.choice(odd))
        query = {chance.choice(names): chance.choice(odd) for _ in range(chance.randrange(3))}
        query["wait"] = "0"
        headers = {chance.choice(["Idempotency-Key", "Range", "Accept", "Last-Event-ID", "Authorization"]): "x\\;,"}
        method = chance.choice(["GET", "GET", "GET", "POST", "DELETE", "PATCH"])
        found = http.request(method, path, params=query, headers=headers)
        assert found.status_code < 500, (method, path, query, found.text[:300])
        if found.status_code >= 400:
            check_problem(found, found.status_code)
    assert "request_failed" not in gateway.log()


def test_a_trickle_is_ended(gateway: Service) -> None:
    head = f"{POST}\nContent-Length: 1000000\n\n".replace("\n", "\r\n")
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=1) as connection:
        connection.sendall(head.encode() + b"--x\r\n")
        found = b""
        for _ in range(40):
            connection.sendall(b"y")
            try:
                found += connection.recv(65536)
            except TimeoutError:
                continue
            break
    assert found.startswith(b"HTTP/1.1 408 "), found


def test_a_key_that_is_being_served_is_a_conflict(http: httpx2.Client, gateway: Service, hopper: bytes) -> None:
    def second_is_refused() -> bool:
        # On a busy machine the second may overtake the first: then both are asked again, with a new key.
        key = new_key()
        head = f"{POST}\nContent-Length: 5000\nIdempotency-Key: {key}\n\n".replace("\n", "\r\n")
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
            connection.sendall(head.encode() + b"--x\r\n")
            second = http.post("/v1/images", files=[part(b"z")], headers={"Idempotency-Key": key})
        return second.status_code == 409

    wait_for(second_is_refused, 10, "the second request is told that the first is under way")
    (taken,) = http.post("/v1/images", files=[part(hopper)], headers={"Idempotency-Key": new_key()}).json()
    assert taken["id"]


def test_a_picture_the_model_fails_on_is_told_so(
    http: httpx2.Client, fault: Callable[..., None], hopper: bytes
) -> None:
    fault(bytes="JFIF")
    taken = http.post("/v1/images", files=[part(hopper)])
    assert taken.status_code == 202
    found = check_problem(http.get(taken.headers["location"], params={"wait": 30}), 422, "processing_failed")
    assert found["reason"] == "processing_failed"


def test_an_error_of_ours_says_an_id_that_is_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    app = FastAPI()
    install(app, {})

    @app.get("/broken")
    async def broken() -> None:
        raise ZeroDivisionError("the inside story")

    async def ask() -> httpx2.Response:
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get("/broken")

    found = asyncio.run(ask())
    body = check_problem(found, 500, "internal")
    assert "inside story" not in found.text
    logged = capsys.readouterr()
    assert body["incident"] in logged.out + logged.err


def test_without_a_store_an_unknown_id_is_not_called_unknown(
    environment: dict[str, str],
    free_port: Callable[[], int],
    tmp_path_factory: pytest.TempPathFactory,
    processor: Service,
) -> None:
    extra = {"MAIRROR_MONGO__URI": "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100"}
    for service in start_gateway(environment, free_port, tmp_path_factory.mktemp("away"), **extra):
        with client_of(service) as http:
            found = http.get(f"/v1/images/{'0' * 32}")
            assert check_problem(found, 503, "unavailable")
            assert found.headers["retry-after"]
            assert json.dumps(found.json()).count("mongodb://") == 0
