"""Uploads: send pictures, get answers, say that one was wrong."""

import uuid
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from apps.annotation import annotate
from apps.gateway import finding
from apps.gateway.deps import Door, Reader, Uploader
from apps.gateway.intake import described, location, take
from apps.gateway.openapi import FILE_FORM, jpeg, message, problems
from apps.gateway.problems import Problem, not_found
from contracts.answers import Answer
from contracts.answers import encode as encoded
from contracts.events import Correction
from contracts.records import json_record
from contracts.topics import CORRECTIONS
from model.images import encode_jpeg

router = APIRouter(prefix="/v1/images", tags=["images"])

JSON = "application/json"
JPEG = "image/jpeg"
MAX_CORRECTION = 8 * 1024

Wait = Annotated[float, Query(ge=0, le=30, description="Wait this long for the answer, seconds.")]
IdempotencyKey = Annotated[
    str | None, Header(description="The same key with the same files: the same ids, and no second record.")
]


def reply(content: Any, status: int = 200, **headers: str) -> Response:
    """JSON as the contracts encode it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(msgspec.json.encode(content), status, named, JSON)


@router.post(
    "",
    status_code=202,
    openapi_extra=FILE_FORM,
    responses={
        202: message(
            "UploadedList", "Taken: nothing of it is ever lost. `Location` names the answer of a single file."
        ),
        200: message("UploadedList", "All are answered (with `wait`)."),
        **problems(400, 408, 409, 413, 415, 422, 503),
    },
)
async def upload(
    request: Request, door: Door, client: Uploader, wait: Wait = 0, idempotency_key: IdempotencyKey = None
) -> Response:
    """Send one picture or many. JPEG, PNG, WebP and HEIC are read; metadata is stripped."""
    intake = await take(door, client, request, idempotency_key)
    if wait:
        await door.book.wait(intake.ids, wait)
    found = [described(door, item) for item in intake.taken]
    headers = {"Server_Timing": intake.server_timing()}
    if len(found) == 1:
        headers["Location"] = location(intake.ids[0])
    pending = any(item["status"] == "pending" for item in found)
    return reply(found, 202 if pending or not wait else 200, **headers)


@router.get(
    "/{upload_id}",
    responses={
        200: message("Answer", "The answer."),
        202: message("Pending", "Not answered yet; see Retry-After."),
        **problems(404, 422, 503),
    },
)
async def answer(upload_id: str, door: Door, client: Reader, wait: Wait = 0) -> Response:
    """The answer to a picture."""
    found = await finding.outcome(door, finding.check_id(upload_id))
    if isinstance(found, finding.Waiting) and wait:
        await door.book.wait([upload_id], wait)
        found = await finding.outcome(door, upload_id)
    if isinstance(found, finding.Waiting):
        return reply({"id": upload_id, "status": "pending"}, 202, Retry_After="1", Location=location(upload_id))
    return Response(encoded(found), media_type=JSON)


@router.get(
    "/{upload_id}/annotated",
    response_class=Response,
    responses={200: jpeg("The picture with a box and an age for every face."), **problems(404, 409, 410, 503)},
)
async def annotated(upload_id: str, door: Door, client: Reader) -> Response:
    """The picture with its answer drawn on it, while the picture is kept."""
    found = await finding.answered(door, upload_id)

    def draw() -> bytes:
        return encode_jpeg(annotate(finding.picture(door, upload_id, found), found), finding.QUALITY)

    return Response(await run_sync(draw), media_type=JPEG)


@router.get(
    "/{upload_id}/faces/{number}",
    response_class=Response,
    responses={200: jpeg("The face, with some room around it."), **problems(404, 409, 410, 422, 503)},
)
async def face(upload_id: str, number: int, door: Door, client: Reader) -> Response:
    """One face of the picture, counted from 0 as in the answer."""
    found = await finding.answered(door, upload_id)
    if not 0 <= number < len(found.faces):
        raise no_face(number, found)

    def cut() -> bytes:
        return finding.crop(finding.picture(door, upload_id, found), found.faces[number].box)

    return Response(await run_sync(cut), media_type=JPEG)


def no_face(number: int, found: Answer) -> Problem:
    """The answer has no face of this number."""
    return not_found(f"face {number} is not there: the picture has {len(found.faces)}, counted from 0")


class CorrectionIn(BaseModel):
    """What was wrong."""

    model_config = ConfigDict(extra="forbid")

    face: int = Field(ge=0, le=10_000, description="Which face, counted from 0 as in the answer.")
    true_age: float | None = Field(None, ge=0, le=120, allow_inf_nan=False, description="The true age, years.")
    comment: str = Field("", max_length=500)


@router.post(
    "/{upload_id}/correction",
    status_code=202,
    responses={202: message("Corrected", "Taken."), **problems(400, 404, 409, 413, 422, 503)},
    openapi_extra={"requestBody": {"required": True, "content": {JSON: {"schema": CorrectionIn.model_json_schema()}}}},
)
async def correct(upload_id: str, request: Request, door: Door, client: Uploader) -> Response:
    """Say that an age was wrong; nothing learns from it without a person looking at it."""
    wanted = await _correction(request)
    found = await finding.answered(door, upload_id)
    if wanted.face >= len(found.faces):
        raise no_face(wanted.face, found)
    correction = Correction(found.id, wanted.face, datetime.now(UTC), wanted.true_age, wanted.comment)
    record = json_record(CORRECTIONS, upload_id, correction, id=str(uuid.uuid4()), source="/gateway")
    await door.publisher.confirm(*record)
    return reply({"answer": found.id, "face": wanted.face, "status": "taken"}, 202)


async def _correction(request: Request) -> CorrectionIn:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_CORRECTION:
            detail = f"a correction takes at most {MAX_CORRECTION} bytes"
            raise Problem(413, "too_many_bytes", detail, limit=MAX_CORRECTION)
    try:
        return CorrectionIn.model_validate_json(bytes(body))
    except ValidationError as error:
        found = [{"at": [str(part) for part in item["loc"]], "message": item["msg"]} for item in error.errors()]
        detail = "; ".join(f"{'.'.join(item['at'])}: {item['message']}" for item in found)[:1000]
        raise Problem(422, "invalid_request", detail, errors=found[:20]) from None
