"""Short-lived tickets for WebSockets: a page gets one from its own session, the socket takes it once.

Streamlit gives a WebSocket of ours neither its session nor its login, so the page hands its browser a ticket (random,
192 bits) for one purpose and one stream. Guarantee: a ticket opens one socket, once, within `LIFE_SECONDS`, and only
the one it was made for. An open socket brings the ticket for its own reconnection. Safe from any thread.
"""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

LIFE_SECONDS = 90.0
HAND_OUT_SECONDS = 30.0
"""A page that is drawn again gets the same ticket while it has at least so long to live."""
MAX_TICKETS = 10_000
PROTOCOL = "mairror.v1"
"""The ticket travels as a second subprotocol beside this one: unlike a query it is in no access log."""

Purpose = Literal["watch", "webcam"]


@dataclass(frozen=True)
class Ticket:
    """What a ticket is good for."""

    session: str
    purpose: Purpose
    stream: str
    until: float


class Tickets:
    """All unused tickets of this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tickets: OrderedDict[str, Ticket] = OrderedDict()
        self._newest: dict[tuple[str, Purpose, str], str] = {}
        """Token by holder: an open socket asks with every picture."""

    def issue(self, session: str, purpose: Purpose, stream: str) -> str:
        """A ticket for this session; the one it has, if that is unused and young enough."""
        now = self._clock()
        with self._lock:
            self._forget(now)
            token = self._newest.get((session, purpose, stream))
            if token is not None and self._tickets[token].until - now >= HAND_OUT_SECONDS:
                return token
            return self._new(Ticket(session, purpose, stream, now + LIFE_SECONDS))

    def renew(self, ticket: Ticket) -> str:
        """The next ticket for the holder of this one, for when its socket breaks."""
        return self.issue(ticket.session, ticket.purpose, ticket.stream)

    def redeem(self, token: str, purpose: Purpose, stream: str) -> Ticket | None:
        """Take a ticket; None when it is unknown, used, too old, or was made for something else.

        A ticket shown for the wrong thing is gone as well: somebody tries what is not his.
        """
        with self._lock:
            self._forget(self._clock())
            ticket = self._drop(token) if token in self._tickets else None
        if ticket is None or (ticket.purpose, ticket.stream) != (purpose, stream):
            return None
        return ticket

    def _new(self, ticket: Ticket) -> str:
        token = secrets.token_urlsafe(24)
        self._tickets[token] = ticket
        self._newest[ticket.session, ticket.purpose, ticket.stream] = token
        while len(self._tickets) > MAX_TICKETS:
            self._drop(next(iter(self._tickets)))
        return token

    def _drop(self, token: str) -> Ticket:
        ticket = self._tickets.pop(token)
        holder = (ticket.session, ticket.purpose, ticket.stream)
        if self._newest.get(holder) == token:
            del self._newest[holder]
        return ticket

    def _forget(self, now: float) -> None:
        """Tickets are in the order of their end."""
        while self._tickets:
            token, oldest = next(iter(self._tickets.items()))
            if oldest.until > now:
                return
            self._drop(token)


def shown_ticket(protocols: str | None) -> str:
    """The ticket among a socket's `Sec-WebSocket-Protocol`; empty when there is none."""
    offered = [part.strip() for part in (protocols or "").split(",")]
    return offered[1] if len(offered) == 2 and offered[0] == PROTOCOL else ""
