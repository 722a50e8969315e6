"""Deterministic ids: the same frame answered by the same model has the same id, however often it is delivered."""

import secrets
import time
from uuid import UUID, uuid5

NAMESPACE = UUID("7d0a8f5c-2b7e-5c1e-9a55-6d61697272ff")
"""Fixed for ever: every frame id descends from it."""


def frame_id(stream: str, connection: str, sequence: int) -> UUID:
    """UUIDv5 of stream, connection and sequence."""
    return uuid5(NAMESPACE, f"{stream}/{connection}/{sequence}")


def answer_id(frame: UUID, preset_sha256: str) -> UUID:
    """UUIDv5 of the frame and the model that answered it: another model gives a second, versioned answer."""
    return uuid5(frame, preset_sha256)


def new_connection_id() -> str:
    """A connection of a producer to Kafka: unique, short, sortable by nothing."""
    return f"c-{secrets.token_hex(6)}"


def assignment_epoch() -> int:
    """Milliseconds since 1970: part of every track id, so that a restart never reuses one."""
    return time.time_ns() // 1_000_000


def new_traceparent() -> str:
    """A W3C trace context with a new trace and the sampled flag."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
