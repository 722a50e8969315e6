"""Operating-system processes: ending them, and what memory they take."""

import signal

import psutil

from apps.local.folder import MB


def end(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """SIGTERM, after `seconds` SIGKILL; returns what is still there."""
    for process in processes:
        _signal(process, signal.SIGTERM)
    alive = psutil.wait_procs(processes, timeout=max(seconds, 0.0))[1]
    for process in alive:
        _signal(process, signal.SIGKILL)
    return psutil.wait_procs(alive, timeout=1.0)[1]


def _signal(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def memory_mb(pid: int | None) -> tuple[float, float]:
    """RSS and PSS of a process and its children, MB; zeros when it is gone."""
    rss = pss = 0
    try:
        root = psutil.Process(pid) if pid else None
        for process in [root, *root.children(recursive=True)] if root else []:
            memory = process.memory_full_info()
            rss, pss = rss + memory.rss, pss + memory.pss
    except psutil.NoSuchProcess:
        pass  # It ended while it was measured; what was counted so far stands.
    return round(rss / MB, 1), round(pss / MB, 1)
