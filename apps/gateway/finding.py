"""From an upload id to what is known of it: in memory, in the store, or on the upload topic."""

import re
from dataclasses import dataclass

import numpy as np
from anyio.to_thread import run_sync

from apps.annotation import Picture
from apps.gateway.answers import Refusal
from apps.gateway.deps import Gateway
from apps.gateway.intake import failed
from apps.gateway.problems import Problem, not_found
from contracts.answers import Answer, Box
from contracts.limits import MAX_FRAME_PIXELS
from model.images import decode_jpeg, encode_jpeg
from producers.upload import Place

UPLOAD_ID = re.compile(r"[0-9a-f][0-9a-f-]{7,63}")
QUALITY = 90
CROP_MARGIN = 0.25
"""Room around a face, as a share of its box."""


@dataclass(frozen=True)
class Waiting:
    """Taken and not answered yet."""

    upload: str


def check_id(upload: str) -> str:
    """The id unchanged.

    Raises:
        Problem: 404, it cannot be one of ours.
    """
    if not UPLOAD_ID.fullmatch(upload):
        raise _unknown(upload)
    return upload


async def outcome(door: Gateway, upload: str) -> Answer | Waiting:
    """What became of an upload.

    Raises:
        Problem: 404 unknown, 422 the processor could not answer it.
        RetryableError: broker or store do not answer, and they would know.
    """
    known = door.book.find(upload)
    if known is None and door.pending.place(upload) is None:
        known = await run_sync(door.store.find_upload, upload)
        if known is None and await run_sync(door.records.place, upload) is None:
            # answered between the questions
            known = door.book.find(upload)
            if known is None:
                raise _unknown(upload)
    if isinstance(known, Refusal):
        raise failed(known)
    return known or Waiting(upload)


async def answered(door: Gateway, upload: str) -> Answer:
    """The answer.

    Raises:
        Problem: as `outcome`, and 409 when it is not answered yet.
    """
    found = await outcome(door, check_id(upload))
    if isinstance(found, Waiting):
        raise Problem(409, "not_answered_yet", "this picture is not answered yet: try again", {"Retry-After": "1"})
    return found


def picture(door: Gateway, upload: str, answer: Answer) -> Picture:
    """The answered picture, read again from exactly its record.

    Raises:
        Problem: 410, the record is gone.
        RetryableError: the broker does not answer.
    """
    frame = answer.frame
    if frame.partition is not None and frame.offset is not None:
        place: Place | None = Place(frame.partition, frame.offset)
    else:
        place = door.pending.place(upload) or door.records.place(upload)
    jpeg = door.records.picture(upload, place) if place else None
    if jpeg is None:
        raise Problem(410, "picture_gone", "the picture is deleted; its answer is still there")
    return decode_jpeg(jpeg, MAX_FRAME_PIXELS)


def crop(bgr: Picture, box: Box) -> bytes:
    """A face with some room around it, as JPEG."""
    height, width = bgr.shape[:2]
    left = int(np.clip((box.x - CROP_MARGIN * box.width) * width, 0, width - 1))
    top = int(np.clip((box.y - CROP_MARGIN * box.height) * height, 0, height - 1))
    right = int(np.clip((box.x + (1 + CROP_MARGIN) * box.width) * width, left + 1, width))
    bottom = int(np.clip((box.y + (1 + CROP_MARGIN) * box.height) * height, top + 1, height))
    return encode_jpeg(np.asarray(bgr[top:bottom, left:right], np.uint8).copy(), QUALITY)


def _unknown(upload: str) -> Problem:
    return not_found(f"no upload {upload[:64]!r}: it never was, or its answer is deleted")
