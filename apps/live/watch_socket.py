"""The WebSocket that moves the live picture: newest picture with its answer, pushed, never queued.

One binary message a picture: 4 bytes length (big endian), that much JSON, then the JPEG as the producer sent it.
Between pictures a text message with the figures, at least twice a second. The browser confirms each picture when it is
drawn; at most `IN_FLIGHT` are unconfirmed, so a slow or hidden page gets fewer pictures, not older ones.

Only pages of the same origin may connect, with a ticket of their session for this stream (see `guard`).
"""

import asyncio
from typing import Any

import msgspec
from starlette.websockets import WebSocket

from apps.live.conversation import converse, leave
from apps.live.described import picture
from apps.live.guard import admitted
from apps.live.tickets import Ticket, Tickets
from apps.live.watching import StreamView, Watching
from sinks.live.directory import StreamDirectory, StreamEntry
from sinks.live.pairing import Pair

IN_FLIGHT = 2
STATUS_SECONDS = 0.5
MAX_VIEWERS = 100
FULL = 1013


class LivePush:
    """The route; `serve` is its handler."""

    def __init__(self, watching: Watching, directory: StreamDirectory, tickets: Tickets) -> None:
        self._watching, self._directory, self._tickets = watching, directory, tickets

    async def serve(self, socket: WebSocket) -> None:
        """Serve one viewer until it leaves."""
        ticket = await admitted(socket, self._tickets, "watch")
        if ticket is None:
            return
        stream = ticket.stream
        if self._watching.viewers >= MAX_VIEWERS:
            await socket.close(FULL, f"{MAX_VIEWERS} people watch already")
            return
        async with self._watching.watch(stream) as view:
            await _Viewer(socket, view, self._directory, self._tickets, ticket).serve()


class _Viewer:
    def __init__(
        self, socket: WebSocket, view: StreamView, directory: StreamDirectory, tickets: Tickets, ticket: Ticket
    ) -> None:
        self._socket, self._view, self._directory, self._tickets = socket, view, directory, tickets
        self._ticket, self._stream = ticket, ticket.stream
        self._unconfirmed = 0
        self._confirmed = asyncio.Event()

    async def serve(self) -> None:
        await converse(self._socket, self._stream, self._listen(), self._send())
        await leave(self._socket)

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
            "ticket": self._tickets.renew(self._ticket),
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
