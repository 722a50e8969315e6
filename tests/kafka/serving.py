"""A gateway as its users have it: a process of its own and an HTTP client."""

import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx2
import numpy as np
import psutil

from model.images import encode_jpeg
from tests.services import Service

COMMAND = [sys.executable, "-m", "apps.cli", "serve", "gateway"]


def start_gateway(
    environment: dict[str, str], free_port: Callable[[], int], folder: Path, **extra: str
) -> Iterator[Service]:
    """A gateway of the caller's own; stopped at the end."""
    service = Service(COMMAND, environment | extra, free_port(), folder / "gateway.log")
    service.start()
    yield service
    if service.running:
        assert service.stop() == 0, service.log()[-3000:]


def client_of(service: Service, **options: Any) -> httpx2.Client:
    """A client of this gateway."""
    return httpx2.Client(base_url=f"http://127.0.0.1:{service.port}", timeout=40, **options)


def photo(picture: bytes, width: int = 4000, height: int = 3000, seed: int = 0) -> bytes:
    """A photo of this many pixels with a face in it, a little different for every seed, as JPEG."""
    face = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    assert face is not None
    scale = min(width / face.shape[1], height / face.shape[0]) * 0.8
    face = cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    canvas = np.full((height, width, 3), 150 + seed % 100, np.uint8)
    canvas[: face.shape[0], : face.shape[1]] = face
    return encode_jpeg(np.asarray(canvas, np.uint8), 90)


def part(data: bytes, name: str = "photo.jpg") -> tuple[str, tuple[str, bytes]]:
    """One file of a request."""
    return ("file", (name, data))


def new_key() -> str:
    """An idempotency key nobody used."""
    return uuid.uuid4().hex


def memory_mb(service: Service) -> float:
    """Memory the gateway and its decoders hold, MB."""
    assert service.process is not None
    parent = psutil.Process(service.process.pid)
    return sum(one.memory_info().rss for one in (parent, *parent.children(recursive=True))) / 1e6


def check_problem(answer: httpx2.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """The answer is a problem of this status, and tells no internals."""
    assert answer.status_code == status, answer.text[:500]
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["detail"]
    assert body["title"]
    assert "Traceback" not in answer.text
    assert 'File "' not in answer.text
    if code is not None:
        assert body["type"] == f"urn:mairror:problem:{code}", body
    return body
