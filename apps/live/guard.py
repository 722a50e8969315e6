"""Who may open a live WebSocket: pages of this address, with a ticket of their session for that purpose and stream.

A refused socket is never accepted: the browser gets HTTP 403.
"""

import structlog
from starlette.websockets import WebSocket

from apps.live.origin import same_origin
from apps.live.tickets import PROTOCOL, Purpose, Ticket, Tickets, shown_ticket
from contracts.errors import InvalidInput
from contracts.topics import check_stream_id

log = structlog.get_logger()

FORBIDDEN = 1008


async def admitted(socket: WebSocket, tickets: Tickets, purpose: Purpose) -> Ticket | None:
    """Accept the socket and return its ticket, or refuse it and return None. The path names the `stream`."""
    origin, host = socket.headers.get("origin"), socket.headers.get("host")
    reason = None
    ticket = None
    if not same_origin(origin, host):
        reason = "foreign origin"
    else:
        try:
            stream = check_stream_id(str(socket.path_params["stream"]))
            ticket = tickets.redeem(shown_ticket(socket.headers.get("sec-websocket-protocol")), purpose, stream)
        except InvalidInput:
            reason = "bad stream id"
    if ticket is None:
        log.warning("socket_refused", purpose=purpose, reason=reason or "no valid ticket", origin=origin, host=host)
        await socket.close(FORBIDDEN)
        return None
    await socket.accept(subprotocol=PROTOCOL)
    return ticket
