"""Publishes uploaded pictures to `mairror.frames.upload.v1`: never dropped, confirmed before anybody hears of it.

The bytes come from `producers.edge`, upright and stripped. The upload id is the record key.
"""

import time
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import uuid4

from contracts.frames import Frame, check_size
from contracts.kafka import KafkaSettings
from contracts.metrics import FRAME_BYTES, FRAMES_CAPTURED, FRAMES_PUBLISHED, counter, histogram
from contracts.publishing import Publisher
from contracts.topics import FRAMES_UPLOAD
from producers.edge.decoding import Decoded

CONFIRM_SECONDS = 20.0
CONNECTION = "upload"
"""An upload is one frame of one connection: its id says all."""


class Place(NamedTuple):
    """Where the picture lies on its topic."""

    partition: int
    offset: int


def new_upload_id() -> str:
    """122 random bits: whoever knows it uploaded the picture."""
    return str(uuid4())


class UploadPublisher:
    """Safe from several threads."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._publisher = Publisher(kafka, message_timeout_ms=int(CONFIRM_SECONDS * 1000))

    def publish(self, upload_id: str, decoded: Decoded, started: float | None = None) -> Place:
        """Send a picture and wait for the broker's confirmation.

        Args:
            upload_id: from `new_upload_id`, or any id of [0-9a-f-].
            decoded: from `producers.edge`.
            started: `time.monotonic()` when the bytes arrived; default now.

        Raises:
            RetryableError: not confirmed in time; the picture may or may not be there, the same id may be sent again.
        """
        now = time.monotonic()
        frame = Frame(
            stream=f"upload/{upload_id}",
            connection=CONNECTION,
            sequence=0,
            captured_at=datetime.now(UTC),
            width=decoded.width,
            height=decoded.height,
            origin="upload",
            spent_ms=(now - started) * 1000 if started is not None else 0.0,
        )
        headers = frame.headers()
        check_size(FRAMES_UPLOAD, decoded.jpeg, headers)
        counter(FRAMES_CAPTURED).labels(origin="upload").inc()
        histogram(FRAME_BYTES).labels(origin="upload").observe(len(decoded.jpeg))
        outcome = "failed"
        try:
            message = self._publisher.deliver(
                (FRAMES_UPLOAD.name, frame.key.encode(), decoded.jpeg, headers), CONFIRM_SECONDS + 1
            )
            outcome = "sent"
        finally:
            counter(FRAMES_PUBLISHED).labels(origin="upload", outcome=outcome).inc()
        return Place(message.partition() or 0, message.offset() or 0)

    def close(self) -> None:
        """Flush and stop."""
        self._publisher.close()
