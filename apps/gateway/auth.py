"""API keys with scopes. Settings carry SHA-256 digests only; a presented key is compared in constant time with all.

A random key of 32 characters or more needs no slow hash: there is nothing to guess.
"""

import hashlib
import hmac
import ipaddress
import re
from dataclasses import dataclass

from contracts.errors import FatalError
from contracts.settings import Settings

SETTING = "MAIRROR_GATEWAY__KEYS"
SCOPES = frozenset({"upload", "read", "admin"})
ADMIN = "admin"
LEAST_KEY = 32
"""Shortest key that is ever accepted, characters."""

WELL_KNOWN = (
    "",
    "admin",
    "api-key",
    "apikey",
    "change-me",
    "changeit",
    "changeme",
    "default",
    "demo",
    "example",
    "key",
    "mairror",
    "password",
    "secret",
    "test",
    "token",
)
"""Keys of examples and tutorials; also when written often enough to be long."""

_ENTRY = re.compile(r"(?P<id>[A-Za-z0-9._-]{1,40}):(?P<scopes>[a-z+]+):(?P<digest>[0-9a-fA-F]{64})")


@dataclass(frozen=True)
class Client:
    """Who asks. `secret` is what no other client knows, for ids only this client can compute."""

    id: str
    scopes: frozenset[str]
    secret: bytes

    def may(self, scope: str) -> bool:
        """Does one of the client's scopes allow it? `admin` allows everything."""
        return scope in self.scopes or ADMIN in self.scopes


ANYBODY = Client("anybody", SCOPES, b"loopback")
"""On loopback without keys everybody on this machine is trusted."""


class KeyRing:
    """The keys of the settings.

    Raises:
        FatalError: an entry makes no sense, is there twice, or is the digest of a well-known key.
    """

    def __init__(self, entries: tuple[str, ...]) -> None:
        self._clients: list[tuple[bytes, Client]] = []
        weak = weak_digests()
        for number, entry in enumerate(entries, 1):
            client, digest = _parsed(number, entry)
            if digest in weak:
                raise FatalError(f"{SETTING}: key {client.id!r} is a well-known default: use a random one")
            if any(digest == known or client.id == other.id for known, other in self._clients):
                raise FatalError(f"{SETTING}: key {client.id!r} is there twice")
            self._clients.append((digest, client))

    @property
    def empty(self) -> bool:
        """True when no key is asked for."""
        return not self._clients

    def client(self, presented: str) -> Client | None:
        """Whose key this is; None when nobody's. Takes as long for every key."""
        digest = hashlib.sha256(presented.encode("utf-8", "surrogateescape")).digest()
        found: Client | None = None
        for known, client in self._clients:
            if hmac.compare_digest(known, digest):
                found = client
        return found if len(presented) >= LEAST_KEY else None


def weak_digests() -> frozenset[bytes]:
    """SHA-256 digests of well-known keys, alone and repeated until they are long enough."""
    texts = set(WELL_KNOWN)
    for word in filter(None, WELL_KNOWN):
        repeated = word * (LEAST_KEY // len(word) + 1)
        texts |= {repeated, repeated[:LEAST_KEY]}
    texts |= {symbol * LEAST_KEY for symbol in "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    return frozenset(hashlib.sha256(text.encode()).digest() for text in texts)


def _parsed(number: int, entry: str) -> tuple[Client, bytes]:
    found = _ENTRY.fullmatch(entry)
    scopes = frozenset(found["scopes"].split("+")) if found else frozenset()
    if not found or not scopes <= SCOPES:
        # never the entry itself: somebody may have put the key there instead of its digest
        raise FatalError(f"{SETTING}: entry {number} is not `id:scope+scope:sha256hex` with scopes {sorted(SCOPES)}")
    digest = bytes.fromhex(found["digest"])
    return Client(found["id"], scopes, digest), digest


def key_ring(settings: Settings) -> KeyRing:
    """The keys, fit for the address the gateway binds.

    Raises:
        FatalError: an entry is refused, or strangers could connect and no key is set.
    """
    ring = KeyRing(settings.gateway.keys)
    if ring.empty and not is_loopback(settings.web.host):
        raise FatalError(
            f"MAIRROR_WEB__HOST is {settings.web.host}, so strangers can connect, and {SETTING} is empty: "
            "set a key, or bind 127.0.0.1"
        )
    return ring


def is_loopback(host: str) -> bool:
    """Is this an address only this machine can reach? A name other than localhost is not."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
