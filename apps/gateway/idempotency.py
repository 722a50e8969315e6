"""`Idempotency-Key`: the same key with the same files gives the same ids and no second record.

After draft-ietf-httpapi-idempotency-key-header: other files under a key are a 422, a request under a key that is still
being served is a 409. Ids are a keyed digest, so that they are the same after a restart, and nobody without the
client's key, the idempotency key and the very bytes can guess one.
"""

import hashlib
import hmac
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from apps.gateway.auth import Client
from apps.gateway.problems import Problem

REUSED = "idempotency_key_reused"
MAX_KEYS = 10_000
SECONDS = 24 * 3600.0
_KEY = re.compile(r"[\x21-\x7e]{1,200}")


@dataclass
class Request:
    """What was sent under a key so far: a digest of every file, in order, and which of them the broker has."""

    at: float
    digests: list[bytes] = field(default_factory=list)
    confirmations: set[int] = field(default_factory=set)
    complete: bool = False
    busy: bool = False

    def confirmed(self, index: int, data: bytes) -> bool:
        """Note file number `index`; True when it was confirmed before.

        Raises:
            Problem: 422, other files were sent under this key.
        """
        digest = hashlib.sha256(data).digest()
        if index == len(self.digests) and not self.complete:
            self.digests.append(digest)
        if index >= len(self.digests) or not hmac.compare_digest(self.digests[index], digest):
            raise reused()
        return index in self.confirmations

    def confirm(self, index: int) -> None:
        """The broker has file number `index`."""
        self.confirmations.add(index)

    def end(self, count: int) -> None:
        """All files of a request have come.

        Raises:
            Problem: 422, fewer files than the first time.
        """
        if self.complete and count < len(self.digests):
            raise reused()
        self.complete = True


class Keys:
    """Remembers the newest `MAX_KEYS` keys for a day. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: OrderedDict[tuple[str, str], Request] = OrderedDict()

    @contextmanager
    def request(self, client: Client, key: str | None) -> Iterator[Request | None]:
        """What is known of a key, while its request is served; None without a key.

        Raises:
            Problem: 400 for a malformed key, 409 while another request under the key is served.
        """
        if key is None:
            yield None
            return
        found = self._begin(client, key)
        try:
            yield found
        finally:
            found.busy = False

    def _begin(self, client: Client, key: str) -> Request:
        if not _KEY.fullmatch(key):
            detail = "Idempotency-Key takes 1 to 200 visible ASCII characters"
            raise Problem(400, "bad_idempotency_key", detail, limit=200)
        with self._lock:
            self._forget()
            found = self._requests.setdefault((client.id, key), Request(time.monotonic()))
            if found.busy:
                detail = "a request with this Idempotency-Key is being served: wait for its answer"
                raise Problem(409, "idempotency_conflict", detail, {"Retry-After": "1"})
            found.busy = True
        return found

    def _forget(self) -> None:
        while self._requests:
            oldest = next(iter(self._requests.values()))
            stale = time.monotonic() - oldest.at > SECONDS
            if oldest.busy or not (stale or len(self._requests) >= MAX_KEYS):
                return
            self._requests.popitem(last=False)


def reused() -> Problem:
    """Other files came under a key that stands for some."""
    return Problem(422, REUSED, "this Idempotency-Key was sent with other files: use a new one")


def upload_id(client: Client, key: str, index: int, data: bytes) -> str:
    """Deterministic id (UUID version 8, RFC 9562) of one file under a key."""
    message = b"\0".join((client.id.encode(), key.encode(), str(index).encode(), hashlib.sha256(data).digest()))
    digest = bytearray(hmac.digest(client.secret, message, "sha256")[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return str(UUID(bytes=bytes(digest)))
