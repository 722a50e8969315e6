"""A frame held by the processor: what Kafka delivered, and what has become of it so far."""

import time
from dataclasses import dataclass, field
from typing import Any

from contracts.answers import Answer
from contracts.frames import Frame

SKEW_SECONDS = 2.0
"""Beyond this, capture time and append time cannot both be right (design, Freshness)."""


@dataclass(eq=False)
class Held:
    """One frame between delivery and acknowledgement. Times: `appended` and wall clock in seconds."""

    frame: Frame
    jpeg: bytes
    topic: str
    partition: int
    offset: int
    appended: float
    event: Any
    """The Faust event, acknowledged when the frame is done."""
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    key: bytes | None = None
    received: float = field(default_factory=time.monotonic)
    attempts: int = 0
    cause: str | None = None
    """Why it was dropped, once it was."""
    answer: Answer | None = None
    done: bool = False

    @property
    def expires(self) -> bool:
        """Live frames carry an expiry; uploads and every-frame replays do not."""
        return self.frame.expires_at is not None

    def age_ms(self) -> float:
        """Milliseconds since capture, as durations: in the producer, plus since the broker appended it."""
        return self.frame.spent_ms + max(0.0, (time.time() - self.appended) * 1000)

    def remaining_ms(self, budget_ms: float) -> float:
        """What is left of the budget; infinite for frames that never expire."""
        return budget_ms - self.age_ms() if self.expires else float("inf")

    @property
    def skewed(self) -> bool:
        """The producer's wall clock disagrees with the broker's by more than `SKEW_SECONDS`."""
        handed_over = self.frame.captured_at.timestamp() + self.frame.spent_ms / 1000
        return abs(self.appended - handed_over) > SKEW_SECONDS
