"""Both directions of a live WebSocket at once, until one of them ends."""

import asyncio
from collections.abc import Coroutine

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

log = structlog.get_logger()

GOING_AWAY = 1001


async def converse(socket: WebSocket, stream: str, *directions: Coroutine[None, None, None]) -> None:
    """Listen and send until the first of `directions` ends; the others are cancelled, a failure of ours is logged."""
    tasks = [asyncio.create_task(direction) for direction in directions]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for found in await asyncio.gather(*tasks, return_exceptions=True):
            # a page that went away is how most conversations end
            if isinstance(found, Exception) and not isinstance(found, (WebSocketDisconnect, RuntimeError)):
                log.error("live_socket_failed", path=socket.url.path, stream=stream, error=repr(found))


async def leave(socket: WebSocket, reason: str = "") -> None:
    """Close the socket, if it is open still."""
    if socket.application_state is WebSocketState.CONNECTED is socket.client_state:
        await socket.close(GOING_AWAY, reason)
