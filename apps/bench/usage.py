"""What processes use while they are measured: memory (peak) and processor time."""

import threading
from collections import defaultdict
from collections.abc import Mapping
from typing import Self

import psutil

from apps.local.processes import memory_mb

PERIOD_SECONDS = 1.0


class PeakMemory:
    """Samples RSS and PSS of processes and their children once a second. Use as a context.

    RSS counts shared pages once for each process, PSS in total once.
    """

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="memory", daemon=True)
        self.rss_mb = self.pss_mb = 0.0
        self.by_process: dict[str, float] = defaultdict(float)
        """Peak PSS of each, MB."""

    def watch(self, name: str, pid: int) -> None:
        """Sample one more from now on."""
        self._pids = self._pids | {name: pid}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_args: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(PERIOD_SECONDS):
            found = {name: memory_mb(pid) for name, pid in self._pids.items()}
            self.rss_mb = max(self.rss_mb, round(sum(rss for rss, _ in found.values()), 1))
            self.pss_mb = max(self.pss_mb, round(sum(pss for _, pss in found.values()), 1))
            for name, (_, pss) in found.items():
                self.by_process[name] = max(self.by_process[name], pss)


def cpu_seconds(pids: Mapping[str, int]) -> dict[str, float]:
    """Processor seconds each process has used so far."""
    used = {}
    for name, pid in pids.items():
        times = psutil.Process(pid).cpu_times()
        used[name] = float(times.user + times.system)
    return used
