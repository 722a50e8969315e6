"""Work beside the pages that is done only while somebody looks: a thread that the first question starts."""

import threading
import time
from collections.abc import Callable

LOOKED_AT_SECONDS = 20.0
"""Nobody asked for this long: the thread ends."""


class LookedAt:
    """Safe from any thread. However the work ends, the next question starts it anew.

    Args:
        name: of the thread.
        work: runs in the thread until its argument, asked often, says False.
    """

    def __init__(self, name: str, work: Callable[[Callable[[], bool]], None]) -> None:
        self._name, self._work = name, work
        self._lock = threading.Lock()
        self._asked = 0.0
        self._thread: threading.Thread | None = None
        self.closing = threading.Event()

    def look(self) -> None:
        """Somebody looks."""
        with self._lock:
            self._asked = time.monotonic()
            if self._thread is None and not self.closing.is_set():
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def _run(self) -> None:
        try:
            self._work(self._wanted)
        finally:
            with self._lock:
                self._thread = None

    def _wanted(self) -> bool:
        with self._lock:
            return not self.closing.is_set() and time.monotonic() - self._asked <= LOOKED_AT_SECONDS

    def close(self) -> None:
        """End the work."""
        self.closing.set()
