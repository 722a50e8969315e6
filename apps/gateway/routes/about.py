"""What is here: version, models with their terms, limits; probes; documents."""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from apps.gateway.deps import MAX_VIEWERS, Door
from apps.gateway.problems import not_found
from apps.gateway.routes.images import reply
from contracts import documents
from contracts.version import VERSION
from model.manifest import load_preset, preset_names
from producers.edge.decoding import LEAST_EDGE
from producers.edge.kinds import KINDS

router = APIRouter(tags=["about"])

NO_STORE = {"Cache-Control": "no-store"}


@router.get("/v1/info")
async def info(door: Door) -> Response:
    """Version, models with their terms and licences, and limits."""
    upload = door.settings.upload
    return reply(
        {
            "version": VERSION,
            "preset": door.settings.model.preset,
            "presets": [_preset(name) for name in preset_names()],
            "limits": {
                "file_bytes": upload.max_bytes,
                "pixels": upload.max_pixels,
                "least_edge": LEAST_EDGE,
                "decode_seconds": upload.seconds,
                "files_per_request": upload.max_files,
                "wait_seconds": 30,
                "viewers": MAX_VIEWERS,
            },
            "kinds": {kind.name: kind.treatment for kind in KINDS},
            "notice": "An age is an estimate and never proof of anybody's age.",
        }
    )


def _preset(name: str) -> dict[str, Any]:
    manifest = load_preset(name)
    return {
        "name": manifest.name,
        "version": manifest.version,
        "sha256": manifest.sha256,
        "origin": manifest.origin,
        "terms": manifest.terms,
        "licences": manifest.licences,
        "measured": manifest.measured,
    }


@router.get("/livez", response_class=PlainTextResponse)
async def livez(door: Door) -> Response:
    """Is the process worth keeping?"""
    return PlainTextResponse("ok\n", headers=NO_STORE)


@router.get("/readyz", response_class=PlainTextResponse)
async def readyz(door: Door) -> Response:
    """Can it do its work now?"""
    problem = door.problem()
    return PlainTextResponse(f"{problem or 'ok'}\n", 503 if problem else 200, NO_STORE)


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics() -> Response:
    """Prometheus metrics."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST, headers=NO_STORE)


@router.get("/asyncapi.json")
async def asyncapi() -> Response:
    """All topics, for those who read them themselves (AsyncAPI 3)."""
    return reply(documents.asyncapi())


@router.get("/schemas/{file}")
async def schema(file: str) -> Response:
    """JSON Schema of a message type, as `ce_dataschema` names it."""
    found = documents.schemas().get(file)
    if found is None:
        raise not_found(f"no schema {file[:80]!r}: there are {', '.join(sorted(documents.schemas()))}")
    return reply(found)
