"""Every error as `application/problem+json` (RFC 9457): what is wrong, which limit was broken, what to do.

Guarantee: no path answers with a stack trace or with an internal value. A 500 carries an id; the trace is in the log.
"""

import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from contracts.errors import InvalidInput, Reason, RetryableError

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 2

STATUS_OF: dict[Reason, int] = {
    Reason.NOT_AN_IMAGE: 415,
    Reason.UNSUPPORTED_TYPE: 415,
    Reason.TOO_MANY_BYTES: 413,
    Reason.TOO_MANY_PIXELS: 413,
    Reason.EMPTY: 400,
    Reason.BAD_HEADER: 400,
    Reason.BAD_BODY: 400,
    Reason.TRUNCATED: 422,
    Reason.TOO_SMALL: 422,
    Reason.BAD_STREAM_ID: 422,
    Reason.NO_CONSENT: 422,
    Reason.PROCESSING_FAILED: 422,
    Reason.TIMEOUT: 422,
}
"""HTTP status of every reason an input can be refused for."""


class Problem(Exception):
    """Ends a request with this problem.

    Args:
        status: HTTP status.
        code: machine-readable; the last part of the problem's `type`.
        detail: a sentence for people, naming the value and what to do.
        headers: of the answer.
        members: further members of the body, e.g. `limit`.
    """

    def __init__(
        self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.headers, self.members = dict(headers or {}), members

    def body(self, instance: str | None = None) -> dict[str, Any]:
        """The members of the problem."""
        found: dict[str, Any] = {
            "type": f"urn:mairror:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if instance is not None:
            found["instance"] = instance
        return found | self.members

    def response(self, request: Request) -> Response:
        """The answer to a request."""
        content = msgspec.json.encode(self.body(request.url.path))
        return Response(content, self.status, self.headers, MEDIA_TYPE)


def refused(error: InvalidInput, limits: Mapping[Reason, Any]) -> Problem:
    """The problem of an input that breaks a rule, with the limit it broke where there is one."""
    members = {"limit": limits[error.reason]} if error.reason in limits else {}
    return Problem(STATUS_OF[error.reason], error.reason.value, error.detail, **members)


def unavailable(error: RetryableError) -> Problem:
    """Something behind the gateway is away or busy: come back."""
    return Problem(503, "unavailable", str(error), {"Retry-After": str(RETRY_SECONDS)})


def not_found(detail: str) -> Problem:
    """There is no such thing."""
    return Problem(404, "not_found", detail)


def install(app: FastAPI, limits: Mapping[Reason, Any]) -> None:
    """Turn every error of `app` into a problem."""

    async def problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return error.response(request)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, InvalidInput)
        return refused(error, limits).response(request)

    async def later(request: Request, error: Exception) -> Response:
        assert isinstance(error, RetryableError)
        log.warning("request_unavailable", path=request.url.path, error=str(error))
        return unavailable(error).response(request)

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(InvalidInput, invalid)
    app.add_exception_handler(RetryableError, later)
    app.add_exception_handler(RequestValidationError, _unprocessable)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _internal)


async def _unprocessable(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [{"at": [str(part) for part in item["loc"]], "message": item["msg"]} for item in error.errors()]
    detail = "; ".join(f"{'.'.join(item['at'])}: {item['message']}" for item in errors)
    return Problem(422, "invalid_request", detail[:1000], errors=errors[:20]).response(request)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_").replace("-", "_")
    return Problem(error.status_code, code, error.detail, error.headers).response(request)


async def _internal(request: Request, error: Exception) -> Response:
    incident = secrets.token_hex(8)
    log.error("request_failed", path=request.url.path, method=request.method, incident=incident, exc_info=error)
    detail = f"an error of ours: the log has it as incident {incident}"
    return Problem(500, "internal", detail, incident=incident).response(request)
