"""Is this processor alive? "Offsets move or there is nothing to do", asked of the broker itself.

A consumer can stop fetching for days while its process looks well, so the question is not asked of Faust: a
client of its own compares end offsets with the group's committed offsets. When frames wait and nothing is
acknowledged for `stall_seconds`, /livez fails and the process exits, for the supervisor to start it again.
"""

import os
import threading
import time
from collections.abc import Callable

import structlog
from confluent_kafka import KafkaException

from contracts.lag import LagReader
from contracts.metrics import CONSUMER_LAG, gauge

log = structlog.get_logger()

EXIT_STALLED = 75
"""sysexits.h EX_TEMPFAIL: trying again may help."""


class StallWatch:
    """Checks every few seconds, in a thread; ends the process when it is stalled."""

    def __init__(
        self, lag: LagReader, progress: Callable[[], int], stall_seconds: float, interval: float = 2.0
    ) -> None:
        self._lag = lag
        self._progress = progress
        self._stall = stall_seconds
        self._interval = interval
        self._last = (progress(), time.monotonic())
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stall-watch", daemon=True)

    def start(self) -> None:
        """Begin watching."""
        self._last = (self._progress(), time.monotonic())
        self._thread.start()

    def problem(self) -> str | None:
        """None when alive; otherwise what is wrong."""
        stood = time.monotonic() - self._last[1]
        return f"frames wait and none was acknowledged for {stood:.0f} s" if stood > self._stall else None

    def check(self) -> None:
        """One look: progress, or nothing to do, resets the clock; an unreachable broker is not our stall."""
        done = self._progress()
        try:
            waiting = self._lag.lag()
        except KafkaException as error:
            log.warning("lag_unknown", error=str(error))
            self._last = (done, time.monotonic())
            return
        for topic, count in waiting.items():
            gauge(CONSUMER_LAG).labels(topic=topic).set(count)
        if done != self._last[0] or not sum(waiting.values()):
            self._last = (done, time.monotonic())

    def _watch(self) -> None:
        while not self._closing.wait(self._interval):
            self.check()
            problem = self.problem()
            if problem:
                log.critical("processor_stalled", problem=problem)
                os._exit(EXIT_STALLED)

    def close(self) -> None:
        """Stop watching."""
        self._closing.set()
        self._thread.join(timeout=10)
        self._lag.close()
