"""The OpenAPI document: message types come from the contracts, every operation names its problems."""

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from contracts.answers import Answer

REF = "#/components/schemas/{name}"
PROBLEM = "Problem"

DESCRIPTION = """\
Photos in, ages out. Send pictures to `/v1/images`; each gets an id at once, and its answer within moments.
Live streams push their newest answers as server-sent events. Every error is a problem (RFC 9457).

An age is an estimate and never proof of anybody's age: do not decide with it whether somebody is an adult.
"""

FILE_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "array",
                            "items": {"type": "string", "contentMediaType": "image/*", "format": "binary"},
                            "description": "one part with a filename for every picture; the parts' names do not matter",
                        }
                    },
                },
                "encoding": {"file": {"contentType": "image/jpeg, image/png, image/webp, image/heic"}},
            }
        },
    }
}


def message(name: str, description: str) -> dict[str, Any]:
    """A JSON response with the schema of this name."""
    return {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": REF.format(name=name)}}},
    }


def jpeg(description: str) -> dict[str, Any]:
    """A picture."""
    return {"description": description, "content": {"image/jpeg": {}}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Responses of an operation that may end in these problems."""
    texts = {
        400: "malformed request",
        401: "no API key, or an unknown one",
        403: "the key lacks the scope",
        404: "there is no such thing",
        408: "the body came too slowly",
        409: "not now",
        410: "deleted",
        413: "over a limit, named in `limit`",
        415: "not a kind of file that is read",
        422: "refused; `detail` says why",
        503: "busy, or something behind the gateway is away; see Retry-After",
    }
    ref = {"application/problem+json": {"schema": {"$ref": REF.format(name=PROBLEM)}}}
    return {status: {"description": texts[status], "content": ref} for status in sorted({401, 403, *statuses})}


SCHEMAS: dict[str, dict[str, Any]] = {
    PROBLEM: {
        "type": "object",
        "description": "RFC 9457. `limit` is there when a limit was broken.",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "instance": {"type": "string"},
            "limit": {},
        },
    },
    "Uploaded": {
        "type": "object",
        "required": ["id", "file", "status", "location"],
        "properties": {
            "id": {"type": ["string", "null"]},
            "file": {"type": "string", "description": "the name the client gave"},
            "status": {"enum": ["pending", "answered", "failed", "refused"]},
            "location": {"type": ["string", "null"], "description": "where the answer is"},
            "answer": {"$ref": REF.format(name="Answer")},
            "problem": {"$ref": REF.format(name=PROBLEM)},
        },
    },
    "UploadedList": {"type": "array", "items": {"$ref": REF.format(name="Uploaded")}},
    "Pending": {
        "type": "object",
        "required": ["id", "status"],
        "properties": {"id": {"type": "string"}, "status": {"const": "pending"}},
    },
    "History": {
        "type": "object",
        "required": ["stream", "answers", "next"],
        "properties": {
            "stream": {"type": "string"},
            "answers": {"type": "array", "items": {"$ref": REF.format(name="Answer")}},
            "next": {"type": ["string", "null"], "description": "where older answers are"},
        },
    },
    "Stream": {
        "type": "object",
        "required": ["stream", "origin", "online", "seconds_ago", "width", "height", "fps", "counts"],
        "properties": {
            "stream": {"type": "string"},
            "origin": {"type": "string"},
            "online": {"type": "boolean"},
            "seconds_ago": {"type": "number", "description": "since anybody spoke of it"},
            "width": {"type": "integer"},
            "height": {"type": "integer"},
            "fps": {"type": "number"},
            "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
        },
    },
    "StreamList": {"type": "array", "items": {"$ref": REF.format(name="Stream")}},
    "Corrected": {
        "type": "object",
        "required": ["answer", "face", "status"],
        "properties": {
            "answer": {"type": "string"},
            "face": {"type": "integer"},
            "status": {"const": "taken"},
        },
    },
}


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI 3.1 document of the app, with the contracts' types."""
    if app.openapi_schema is None:
        found = get_openapi(
            title=app.title,
            version=app.version,
            description=DESCRIPTION,
            routes=app.routes,
            license_info={"name": "MIT"},
        )
        _, components = msgspec.json.schema_components([Answer], ref_template=REF)
        found.setdefault("components", {}).setdefault("schemas", {}).update(components | SCHEMAS)
        app.openapi_schema = found
    return app.openapi_schema
