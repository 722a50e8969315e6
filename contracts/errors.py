"""The error tree of Mairror. Every error says what happened, with which value, and what to do.

MairrorError
├── InvalidInput     the input is at fault: dead letter or HTTP 4xx, never retried; names the limit
├── RetryableError   the world is at fault for now: retried with backoff
└── FatalError       this process cannot go on: exit non-zero, the supervisor starts it again
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why something was refused or dead-lettered. Codes are part of the contract: never reuse one."""

    NOT_AN_IMAGE = "not_an_image"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    UNSUPPORTED_TYPE = "unsupported_type"
    TOO_MANY_BYTES = "too_many_bytes"
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_SMALL = "too_small"
    BAD_HEADER = "bad_header"
    BAD_BODY = "bad_body"
    BAD_STREAM_ID = "bad_stream_id"
    NO_CONSENT = "no_consent"
    PROCESSING_FAILED = "processing_failed"
    TIMEOUT = "timeout"


class MairrorError(Exception):
    """Root of every error Mairror raises on purpose."""


class InvalidInput(MairrorError):
    """The input breaks a stated rule. `reason` is machine-readable, the message names the limit."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class RetryableError(MairrorError):
    """Something outside this process failed and may work later (broker away, store away)."""


class FatalError(MairrorError):
    """This process cannot continue. It exits; the supervisor starts it again."""
