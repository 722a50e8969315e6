"""The WebSocket of one webcam run: answers and figures to its page, pictures from it when WebRTC does not connect.

To the page, JSON texts by `type`: `hello` (limits), `answer` (faces, when the frame was taken), `status` (twice a
second: figures, ledger, transport, the ticket for a reconnection), `pong` (this machine's clock), `taken` (a picture
was looked at: the next one may come), `refused` (why a picture was not).
From the page: `ping`, `transport` (use the socket, and why), and pictures as binary: capture on the browser's clock
(float64, milliseconds), age of the picture (float64, milliseconds), then the JPEG.
"""

import asyncio
import base64
import math
import struct
import time
from typing import Any

import msgspec
from starlette.websockets import WebSocket

from apps.live.conversation import converse, leave
from apps.live.described import face
from apps.live.guard import FORBIDDEN, admitted
from apps.live.tickets import Ticket, Tickets
from apps.live.webcam_run import WHYS, WebcamRun
from apps.live.webcams import Webcams
from contracts.answers import Answer
from contracts.errors import InvalidInput, MairrorError, Reason
from contracts.limits import MAX_FRAME_BYTES
from contracts.settings import Settings
from producers.webcam import Taken

STATUS_SECONDS = 0.5
HEAD = struct.Struct(">dd")
MAX_TEXT = 1000


class WebcamSocket:
    """The route; `serve` is its handler."""

    def __init__(self, webcams: Webcams, tickets: Tickets, settings: Settings) -> None:
        self._webcams, self._tickets, self._settings = webcams, tickets, settings

    async def serve(self, socket: WebSocket) -> None:
        """Serve the page of a run until it leaves or the run ends."""
        ticket = await admitted(socket, self._tickets, "webcam")
        if ticket is None:
            return
        run = self._webcams.get(ticket.stream)
        if run is None or run.session != ticket.session:
            await socket.close(FORBIDDEN, "this run has ended")
            return
        run.sockets += 1
        try:
            await _Conversation(socket, run, self._webcams, self._tickets, ticket, self._settings).hold()
        finally:
            run.sockets -= 1
            run.left = time.monotonic()


class _Conversation:
    def __init__(
        self,
        socket: WebSocket,
        run: WebcamRun,
        webcams: Webcams,
        tickets: Tickets,
        ticket: Ticket,
        settings: Settings,
    ) -> None:
        self._socket, self._run, self._webcams = socket, run, webcams
        self._tickets, self._ticket, self._settings = tickets, ticket, settings

    async def hold(self) -> None:
        await converse(self._socket, self._run.stream, self._listen(), self._tell())
        await leave(self._socket, self._run.ended or "")

    async def _say(self, kind: str, **fields: Any) -> None:
        await self._socket.send_text(msgspec.json.encode({"type": kind, **fields}).decode())

    async def _tell(self) -> None:
        limits = {"bytes": MAX_FRAME_BYTES, "edge": self._settings.producer.max_edge}
        await self._say("hello", limits=limits, fps=self._settings.producer.max_fps)
        told = 0.0
        while self._run.ended is None:
            for answer, taken in await self._run.answers(STATUS_SECONDS):
                await self._say("answer", **described(answer, taken))
            if time.monotonic() - told >= STATUS_SECONDS:
                told = time.monotonic()
                await self._say("status", **self._status())

    def _status(self) -> dict[str, Any]:
        run = self._run
        return {
            "arriving_fps": run.webcam.arriving_fps(),
            "ledger": run.webcam.publisher.ledger.totals().as_dict(),
            "transport": run.transport,
            "why": run.why,
            "webrtc_frames": run.webrtc_frames,
            "size": run.webcam.size,
            "ticket": self._tickets.renew(self._ticket),
        }

    async def _listen(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            try:
                if message.get("bytes") is not None:
                    await self._picture(message["bytes"])
                else:
                    await self._word(message.get("text") or "")
            except MairrorError as refusal:
                await self._say("refused", detail=str(refusal))

    async def _word(self, text: str) -> None:
        try:
            said = msgspec.json.decode(text[:MAX_TEXT], type=dict[str, Any])
        except msgspec.MsgspecError:
            return
        if said.get("type") == "ping":
            await self._say("pong", sent=said.get("sent"), at=time.time() * 1000)
        elif said.get("type") == "transport" and said.get("why") in WHYS:
            self._run.use_websocket(said["why"])

    async def _picture(self, message: bytes) -> None:
        browser_ms, age_ms, jpeg = split(message)
        picture = await asyncio.to_thread(self._webcams.decode, jpeg)
        self._run.take_encoded(picture, browser_ms, age_ms / 1000)
        await self._say("taken", stamp=browser_ms)


def split(message: bytes) -> tuple[float, float, bytes]:
    """Capture (browser's clock, ms), age (ms) and JPEG of a picture message.

    Raises:
        InvalidInput: shorter than its head, longer than a frame may be, or no numbers.
    """
    if len(message) > MAX_FRAME_BYTES + HEAD.size:
        raise InvalidInput(Reason.TOO_MANY_BYTES, f"a picture has {len(message)} bytes, at most {MAX_FRAME_BYTES}")
    if len(message) <= HEAD.size:
        raise InvalidInput(Reason.EMPTY, f"a picture message has {len(message)} bytes, its head alone {HEAD.size}")
    browser_ms, age_ms = HEAD.unpack_from(message)
    if not (math.isfinite(browser_ms) and math.isfinite(age_ms)):
        raise InvalidInput(Reason.BAD_HEADER, "the picture's times are no numbers")
    return browser_ms, age_ms, message[HEAD.size :]


def described(answer: Answer, taken: Taken | None) -> dict[str, Any]:
    """An answer as the page draws it. `at_ms` is on this machine's clock, `stamp` on the browser's."""
    return {
        "id": answer.frame.id,
        "faces": [face(found) for found in answer.faces],
        "model": f"{answer.model.preset} {answer.model.version}",
        "at_ms": taken.wall * 1000 if taken else None,
        "stamp": taken.browser_ms if taken else None,
        "luma": base64.b64encode(taken.luma).decode() if taken and taken.luma else None,
    }
