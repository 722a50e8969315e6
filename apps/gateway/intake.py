"""Takes uploads in: every file is decoded at the edge, published, and confirmed before anybody hears its id.

Guarantee: a file that got an id is on the broker (acks=all); under an idempotency key it is there once.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio
import msgspec
import structlog
from anyio.to_thread import run_sync
from fastapi import Request

from apps.gateway import idempotency
from apps.gateway.answers import Refusal
from apps.gateway.auth import Client
from apps.gateway.deps import Gateway, limits_of
from apps.gateway.multipart import File, files
from apps.gateway.problems import Problem, refused, unavailable
from contracts.answers import Answer
from contracts.errors import InvalidInput, Reason, RetryableError
from producers.upload import new_upload_id

log = structlog.get_logger()

TURN_SECONDS = 10.0


@dataclass
class Taken:
    """What became of one file: an id, or a problem."""

    file: str
    id: str | None = None
    problem: Problem | None = None


@dataclass
class Intake:
    """What became of a request, and where its time went, seconds."""

    taken: list[Taken] = field(default_factory=list)
    decode: float = 0.0
    publish: float = 0.0
    begun: float = field(default_factory=time.monotonic)

    @property
    def ids(self) -> list[str]:
        """Ids of the files that were taken."""
        return [item.id for item in self.taken if item.id]

    def server_timing(self) -> str:
        """`Server-Timing` (W3C), milliseconds."""
        total = time.monotonic() - self.begun
        spans = (("decode", self.decode), ("publish", self.publish), ("total", total))
        return ", ".join(f"{name};dur={seconds * 1000:.1f}" for name, seconds in spans)


async def take(door: Gateway, client: Client, request: Request, key: str | None) -> Intake:
    """Take all files of a request in.

    Raises:
        Problem: the request as a whole is refused; none of its files has an id.
    """
    try:
        with anyio.fail_after(TURN_SECONDS):
            await door.turns.acquire()
    except TimeoutError:
        raise unavailable(RetryableError("too many uploads at the same time: try again")) from None
    try:
        with door.idempotency.request(client, key) as known:
            intake = await _all(_Request(door, client, key or "", known), request)
    finally:
        door.turns.release()
    if not intake.taken:
        raise Problem(400, "no_files", "the body has no part with a filename: send at least one picture")
    if not intake.ids:
        raise _none_taken(intake.taken)
    return intake


@dataclass(frozen=True)
class _Request:
    """Who sends, under which idempotency key, and what was sent under it before (None without a key)."""

    door: Gateway
    client: Client
    key: str
    known: idempotency.Request | None


async def _all(sent: _Request, request: Request) -> Intake:
    intake = Intake()
    try:
        async for file in files(request, sent.door.limits):
            intake.taken.append(await _one(sent, file, intake))
    except Problem as problem:
        if not intake.ids or problem.code == idempotency.REUSED:
            raise
        # what was taken stays taken: the client must hear its ids; the problem is that of the file it stopped at
        intake.taken.append(Taken("", problem=problem))
        return intake
    if sent.known is not None:
        sent.known.end(len(intake.taken))
    return intake


async def _one(sent: _Request, file: File, intake: Intake) -> Taken:
    data = bytes(file.data)
    if sent.known is None:
        upload = new_upload_id()
    else:
        index = len(intake.taken)
        upload = idempotency.upload_id(sent.client, sent.key, index, data)
        if sent.known.confirmed(index, data) or await run_sync(_is_there, sent.door, upload):
            sent.known.confirm(index)
            return Taken(file.name, upload)
    try:
        await _publish(sent.door, upload, data, intake)
    except InvalidInput as error:
        return Taken(file.name, problem=refused(error, limits_of(sent.door.settings)))
    except RetryableError as error:
        return Taken(file.name, problem=unavailable(error))
    if sent.known is not None:
        sent.known.confirm(len(intake.taken))
    return Taken(file.name, upload)


async def _publish(door: Gateway, upload: str, data: bytes, intake: Intake) -> None:
    begun = time.monotonic()
    decoded = await run_sync(door.pool.decode, data)
    middle = time.monotonic()
    intake.decode += middle - begun
    # not to be given up half way: a client that leaves now must not leave a record nobody knows of
    with anyio.CancelScope(shield=True):
        place = await run_sync(door.uploads.publish, upload, decoded, begun)
        door.pending.add(upload, place)
    intake.publish += time.monotonic() - middle


def _is_there(door: Gateway, upload: str) -> bool:
    """Was it published before this process started, or by another gateway?"""
    if door.book.find(upload) is not None or door.records.place(upload) is not None:
        return True
    try:
        return door.store.find_upload(upload) is not None
    except RetryableError as error:
        # published again at worst: under the same id, so that it is still one answer
        log.warning("store_not_asked", upload=upload, error=str(error))
        return False


def _none_taken(taken: Sequence[Taken]) -> Problem:
    problems = [item.problem for item in taken if item.problem]
    if len(problems) == 1:
        return problems[0]
    later = next((problem for problem in problems if problem.status == 503), None)
    if later is not None:
        return later
    bodies = [{"file": item.file, "problem": item.problem.body()} for item in taken if item.problem]
    return Problem(422, "no_file_taken", f"none of {len(taken)} files was taken: see files", files=bodies)


def described(door: Gateway, taken: Taken) -> dict[str, Any]:
    """One file for the answer to the client."""
    if taken.id is None:
        assert taken.problem is not None
        return {"id": None, "file": taken.file, "status": "refused", "location": None, "problem": taken.problem.body()}
    found = {"id": taken.id, "file": taken.file, "status": "pending", "location": location(taken.id)}
    known = door.book.find(taken.id)
    if isinstance(known, Answer):
        return found | {"status": "answered", "answer": msgspec.to_builtins(known)}
    if known is not None:
        return found | {"status": "failed", "problem": failed(known).body()}
    return found


def location(upload: str) -> str:
    """Where the answer will be."""
    return f"/v1/images/{upload}"


def failed(refusal: Refusal) -> Problem:
    """The problem of a picture that was taken and could not be answered."""
    detail = refusal.detail or "the picture could not be processed"
    return Problem(422, Reason.PROCESSING_FAILED.value, detail, reason=refusal.reason)
