"""The WebSocket that moves the live picture: newest picture with its answer, pushed, never queued.

One binary message a picture: 4 bytes length (big endian), that much JSON, then the JPEG as the producer sent it.
Between pictures a text message with the figures, at least twice a second. The browser confirms each picture when it is
drawn; at most `IN_FLIGHT` are unconfirmed, so a slow or hidden page gets fewer pictures, not older ones.

Only pages of the same origin may connect: Streamlit does not check the origin of routes that are not its own.
"""

import asyncio
import time
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from apps.dashboard.watching import StreamView, Watching
from contracts.answers import Answer, Face
from contracts.errors import InvalidInput
from contracts.topics import check_stream_id
from sinks.live.directory import StreamDirectory, StreamEntry
from sinks.live.pairing import Pair

log = structlog.get_logger()

IN_FLIGHT = 2
STATUS_SECONDS = 0.5
MAX_VIEWERS = 100
FORBIDDEN, FULL, GOING_AWAY = 1008, 1013, 1001


def same_origin(origin: str | None, host: str | None) -> bool:
    """Does the page that asks come from this very address? A missing origin is no page."""
    return bool(origin and host) and urlsplit(origin or "").netloc.lower() == (host or "").lower()


class LivePush:
    """The route; `serve` is its handler."""

    def __init__(self, watching: Watching, directory: StreamDirectory) -> None:
        self._watching, self._directory = watching, directory

    async def serve(self, socket: WebSocket) -> None:
        """Serve one viewer until it leaves."""
        if not same_origin(socket.headers.get("origin"), socket.headers.get("host")):
            log.warning("viewer_refused", origin=socket.headers.get("origin"), host=socket.headers.get("host"))
            await socket.close(FORBIDDEN)
            return
        try:
            stream = check_stream_id(str(socket.path_params["stream"]))
        except InvalidInput:
            await socket.close(FORBIDDEN)
            return
        await socket.accept()
        if self._watching.viewers >= MAX_VIEWERS:
            await socket.close(FULL, f"{MAX_VIEWERS} people watch already")
            return
        async with self._watching.watch(stream) as view:
            await _Viewer(socket, view, self._directory, stream).serve()


class _Viewer:
    def __init__(self, socket: WebSocket, view: StreamView, directory: StreamDirectory, stream: str) -> None:
        self._socket, self._view, self._directory, self._stream = socket, view, directory, stream
        self._unconfirmed = 0
        self._confirmed = asyncio.Event()

    async def serve(self) -> None:
        tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._send())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            for found in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(found, Exception) and not isinstance(found, (WebSocketDisconnect, RuntimeError)):
                    log.error("viewer_failed", stream=self._stream, error=repr(found))
        if self._socket.application_state is WebSocketState.CONNECTED is self._socket.client_state:
            await self._socket.close(GOING_AWAY)

    async def _listen(self) -> None:
        while True:
            await self._socket.receive_text()
            self._unconfirmed = max(0, self._unconfirmed - 1)
            self._confirmed.set()

    async def _send(self) -> None:
        version = 0
        while True:
            found = await self._view.newer(version, STATUS_SECONDS) if await self._may_send() else None
            if found is None:
                await self._socket.send_text(msgspec.json.encode(self._status()).decode())
                continue
            version, pair = found
            self._unconfirmed += 1
            await self._socket.send_bytes(message(pair, self._status()))

    async def _may_send(self) -> bool:
        if self._unconfirmed >= IN_FLIGHT:
            self._confirmed.clear()
            try:
                async with asyncio.timeout(STATUS_SECONDS):
                    await self._confirmed.wait()
            except TimeoutError:
                return False
        return True

    def _status(self) -> dict[str, Any]:
        entry = self._directory.entry(self._stream)
        return {
            "figures": self._view.figures,
            "stream": described(entry) if entry else None,
            "problem": self._view.problem,
        }


def described(entry: StreamEntry) -> dict[str, Any]:
    """A stream for the page."""
    return {
        "online": entry.online,
        "origin": entry.origin,
        "counts": dict(entry.counts),
        "seconds_ago": round(entry.seconds_ago, 1),
    }


def message(pair: Pair, status: dict[str, Any]) -> bytes:
    """One picture as the page takes it."""
    head = msgspec.json.encode({**status, "picture": picture(pair.answer)})
    return len(head).to_bytes(4, "big") + head + pair.jpeg


def picture(answer: Answer) -> dict[str, Any]:
    """What the page needs of an answer. `age_ms` is counted here, so that the browser's clock does not matter."""
    skewed = answer.timing_ms.clock != "ok"
    return {
        "id": answer.frame.id,
        "width": answer.frame.width,
        "height": answer.frame.height,
        "age_ms": None if skewed else max(0.0, (time.time() - answer.frame.captured_at.timestamp()) * 1000),
        "model": f"{answer.model.preset} {answer.model.version}",
        "faces": [face(found) for found in answer.faces],
    }


def face(found: Face) -> dict[str, Any]:
    """A face for the page: the shown years are smoothed over the track where there is one."""
    age = found.age
    return {
        "box": found.box,
        "track": None if found.track is None else found.track.rsplit(":", 1)[-1],
        "years": None if age is None else age.years if age.smoothed_years is None else age.smoothed_years,
        "low": age.low if age else None,
        "high": age.high if age else None,
        "coverage": age.coverage if age else None,
        "frames": age.frames if age else None,
        "reason": found.abstained.reason if found.abstained else None,
        "detail": found.abstained.detail if found.abstained else None,
    }
