"""The state of this machine's stack in plain words, from the state file that `mairror up` keeps in its data folder."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from apps.local.folder import Folder, ServiceState, StackState
from sinks.live.directory import StreamEntry

OLD_SECONDS = 30.0
Light = Literal["on", "wait", "off"]

WORDS = {
    "broker": "message broker (Kafka)",
    "store": "store (MongoDB)",
    "processor": "finds faces, estimates ages",
    "sink-mongo": "writes answers to the store",
    "sample": "plays the sample stream",
    "gateway": "HTTP API",
    "dashboard": "these pages",
}


@dataclass(frozen=True)
class ServiceLine:
    """One service for people."""

    name: str
    words: str
    light: Light
    detail: str


def read_state(data: Path) -> StackState | None:
    """The stack's state, None when these pages were not started by `mairror up` or the file is old or unreadable."""
    folder = Folder(data)
    try:
        if time.time() - (folder.path / "state.json").stat().st_mtime > OLD_SECONDS and folder.owner() is None:
            return None
        return folder.read_state()
    except (OSError, msgspec.MsgspecError):
        return None


def lines(state: StackState) -> list[ServiceLine]:
    """One line a service, in the order they start."""
    return [_line(name, service) for name, service in state.services.items()]


def _line(name: str, service: ServiceState) -> ServiceLine:
    light: Light = "on" if service.ready else "wait" if service.pid else "off"
    parts = [{"on": "works", "wait": "starting", "off": "stopped"}[light]]
    if service.port:
        parts.append(f"port {service.port}")
    if service.pid:
        parts.append(f"{service.pss_mb or service.rss_mb:.0f} MB")
    if service.restarts:
        parts.append(f"restarted {service.restarts} times")
    return ServiceLine(name, WORDS.get(name, name), light, " · ".join(parts))


def sentence(problem: str | None, state: StackState | None, online: Sequence[StreamEntry]) -> tuple[bool, str]:
    """Is all well, and one plain sentence that says so."""
    if problem:
        return False, f"The message broker cannot be read: {problem}."
    stopped = [line.name for line in lines(state) if line.light != "on"] if state else []
    if stopped:
        return False, f"Not everything is ready: {', '.join(stopped)}."
    answered = sum(entry.fps for entry in online)
    if not online:
        return True, "Everything is ready. No stream is running."
    streams = "1 stream is" if len(online) == 1 else f"{len(online)} streams are"
    return True, f"Everything works: {streams} running, {answered:.0f} pictures answered a second."
