"""When to take the next batch, and how large it may be, from what the stages have lately taken.

A batch that waits between two stages only grows old there, where it can no longer be dropped or replaced. So the
next one is taken when the model is about to be free: its detection ends as the model ends the one before.
"""

import asyncio
import time

SMOOTHING = 0.2
"""Weight of the newest measurement in a running mean."""


class Pace:
    """Running means of the stages, and the model's turn. Owned by one event loop; times in milliseconds."""

    def __init__(self) -> None:
        self.publish_ms = 3.0
        self._extra_ms = 0.0
        self._look_ms = 10.0
        self._estimate_ms = 5.0
        self._busy_since: float | None = None
        self._waiting = 0
        self._changed = asyncio.Event()

    def predict_ms(self, pipeline_ms: float) -> float:
        """From taking a batch to its answers being confirmed; `pipeline_ms` is the pipeline's own prediction."""
        return pipeline_ms + self._extra_ms + self.publish_ms

    def looked(self, took_ms: float) -> None:
        """A batch went through detection and now waits for the model."""
        self._look_ms += SMOOTHING * (took_ms - self._look_ms)
        self._waiting += 1

    def estimating(self) -> None:
        """The model takes a batch."""
        self._waiting -= 1
        self._busy_since = time.monotonic()
        self._changed.set()

    def estimated(self, predicted_ms: float) -> None:
        """The model is free again; what it took beyond the prediction is expected of the next one, too."""
        if self._busy_since is not None:
            took = (time.monotonic() - self._busy_since) * 1000
            self._estimate_ms += SMOOTHING * (took - self._estimate_ms)
            self._extra_ms = max(0.0, self._extra_ms + SMOOTHING * (took - predicted_ms - self._extra_ms))
        self._busy_since = None
        self._changed.set()

    def published(self, took_ms: float) -> None:
        """A batch was confirmed by the broker."""
        self.publish_ms += SMOOTHING * (took_ms - self.publish_ms)

    async def model_nearly_free(self) -> None:
        """Wait until a batch taken now would find the model free when it is through detection."""
        while self._waiting or self._busy_since is not None:
            patience = None
            if not self._waiting and self._busy_since is not None:
                left_ms = self._estimate_ms - (time.monotonic() - self._busy_since) * 1000 - self._look_ms
                if left_ms <= 0:
                    return
                patience = left_ms / 1000
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), patience)
            except TimeoutError:
                return
