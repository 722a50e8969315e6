"""The dashboard's way in for strangers' bytes: the limited decoder, then the confirmed upload."""

import time

from contracts.settings import Settings
from producers.edge.pool import DecodePool
from producers.upload import UploadPublisher


class EdgeDoor:
    """Safe from several threads. Starts the decoders; no stranger's byte is looked at in this process."""

    def __init__(self, settings: Settings) -> None:
        self._pool = DecodePool(settings.upload)
        self._publisher = UploadPublisher(settings.kafka)

    def send(self, data: bytes, upload: str) -> bytes:
        """Decode, strip, publish under this upload id; returns the JPEG as it was sent, once the broker has it.

        Raises:
            InvalidInput: the bytes break a rule; the message names it.
            RetryableError: every decoder is busy, or the broker did not confirm.
        """
        started = time.monotonic()
        decoded = self._pool.decode(data)
        self._publisher.publish(upload, decoded, started)
        return decoded.jpeg

    def close(self) -> None:
        """End the decoders and the connection."""
        self._pool.close()
        self._publisher.close()
