"""Ready crops of faces: taken like pictures, answered like pictures.

The detector looks at a picture without a find once more with a border around it, so that a crop that leaves
nothing around the face is answered as well (`model/thorough.py`).
"""

from fastapi import APIRouter, Request, Response

from apps.gateway.deps import Door, Uploader
from apps.gateway.openapi import FILE_FORM, message, problems
from apps.gateway.routes import images

router = APIRouter(prefix="/v1/faces", tags=["images"])


@router.post(
    "",
    status_code=202,
    openapi_extra=FILE_FORM,
    responses={
        202: message("UploadedList", "Taken, as with pictures; ask below /v1/images/{id}."),
        200: message("UploadedList", "All are answered (with `wait`)."),
        **problems(400, 408, 409, 413, 415, 422, 503),
    },
)
async def upload_crops(
    request: Request,
    door: Door,
    client: Uploader,
    wait: images.Wait = 0,
    idempotency_key: images.IdempotencyKey = None,
) -> Response:
    """Send crops that show one face each. Everything else is as with POST /v1/images."""
    return await images.upload(request, door, client, wait, idempotency_key)
