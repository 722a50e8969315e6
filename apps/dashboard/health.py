"""The state of this machine's stack in plain words: what is wrong, how urgent it is, and what mends it.

Services come from the state file that `mairror up` keeps in its data folder; without one, the rest is still said.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from apps.dashboard.pulse import Pulse
from apps.dashboard.waiting import Waiting
from apps.local.folder import Folder, ServiceState, StackState
from sinks.live.directory import StreamEntry

OLD_SECONDS = 30.0
Light = Literal["on", "wait", "off"]
DROPS = ("superseded", "expired", "late", "retention")
LATE_MS = 400.0
"""Near the 500 ms at which answers are dropped."""
MANY_DROPPED = 0.5
MANY_UPLOADS, MANY_TO_STORE = 20, 5000
FULL = 0.9
NOT_ASKED, NOTHING_SEEN = Waiting(), Pulse(0, None, ())

WORDS = {
    "broker": "message broker (Kafka)",
    "store": "store (MongoDB)",
    "processor": "finds faces, estimates ages",
    "sink-mongo": "writes answers to the store",
    "sample": "plays the sample stream",
    "gateway": "HTTP API",
    "dashboard": "these pages",
}


class Finding(NamedTuple):
    """Something that is not as it should be, in a sentence, and what to do about it."""

    words: str
    remedy: str
    bad: bool = True
    """False: worth knowing, and nothing is broken."""


@dataclass(frozen=True)
class Facts:
    """What the pages know about the system."""

    problem: str | None = None
    """Why the broker cannot be read."""
    state: StackState | None = None
    online: Sequence[StreamEntry] = ()
    waiting: Waiting = NOT_ASKED
    pulse: Pulse = NOTHING_SEEN


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


def dropped(online: Sequence[StreamEntry]) -> dict[str, int]:
    """Pictures dropped on purpose since the streams that run began, by cause."""
    return {cause: sum(entry.counts.get(cause, 0) for entry in online) for cause in DROPS}


def dropped_share(online: Sequence[StreamEntry]) -> float:
    """Of the pictures taken, 0..1."""
    taken = sum(entry.counts.get("captured", 0) for entry in online)
    return min(1.0, sum(dropped(online).values()) / taken) if taken else 0.0


def findings(facts: Facts) -> list[Finding]:
    """All that is not as it should be, most urgent first."""
    found = [*_broken(facts), *_slow(facts)]
    return sorted(found, key=lambda finding: not finding.bad)


def _broken(facts: Facts) -> list[Finding]:
    found = []
    if facts.problem:
        # the client's own words come after the sentence
        words = f"The message broker cannot be read: {facts.problem.split(': KafkaError')[0]}."
        found.append(Finding(words, "Start it with `mairror up`; these pages go on by themselves."))
    if facts.state:
        stopped = [line.name for line in lines(facts.state) if line.light != "on"]
        if stopped:
            words = f"Not everything is ready: {', '.join(stopped)}."
            log = f"{facts.state.data_dir or 'the data folder'}/logs/{stopped[0]}.log"
            found.append(Finding(words, f"It is started again by itself; after a minute, see `{log}`."))
    if facts.waiting.store_away:
        words = "The store does not answer: the history stands still, live answers go on."
        found.append(Finding(words, "Nothing is lost; start the store, and what waits is written."))
    if facts.state and facts.state.data_cap_mb and facts.state.data_mb > FULL * facts.state.data_cap_mb:
        words = f"The data folder is nearly full: {facts.state.data_mb:,.0f} of {facts.state.data_cap_mb:,.0f} MB."
        found.append(Finding(words, "Raise `MAIRROR_DATA_CAP_GB`, or begin anew with `mairror reset`."))
    return found


def _slow(facts: Facts) -> list[Finding]:
    found = []
    waiting, total = facts.waiting, facts.pulse.total
    if (waiting.uploads or 0) > MANY_UPLOADS:
        words = f"{waiting.uploads:,} photos wait for their answer."
        found.append(Finding(words, "They are answered in turn; a second `mairror serve processor` is faster."))
    if total is not None and total.p95 > LATE_MS:
        words = f"Answers are slow: one in twenty takes over {total.p95:.0f} ms, and later than 500 ms is dropped."
        found.append(Finding(words, "See below which stage is slow; lower the cameras' pictures a second."))
    if (waiting.to_store or 0) > MANY_TO_STORE:
        words = f"The history is behind: {waiting.to_store:,} results are not stored yet."
        found.append(Finding(words, "It catches up by itself when the store is fast enough.", bad=False))
    if dropped_share(facts.online) > MANY_DROPPED:
        words = (
            f"{dropped_share(facts.online):.0%} of the pictures are dropped, so that the others are answered in time."
        )
        found.append(Finding(words, "Lower the cameras' pictures a second, or add a processor.", bad=False))
    if waiting.dead_letters:
        number = sum(waiting.dead_letters.values())
        words = f"{_pictures(number)} could not be answered in the last day."
        found.append(Finding(words, "`mairror tail --topic dead-letters` says which and why.", bad=False))
    return found


def _pictures(number: int) -> str:
    return "1 picture" if number == 1 else f"{number:,} pictures"


def sentence(
    problem: str | None, state: StackState | None, online: Sequence[StreamEntry], facts: Facts | None = None
) -> tuple[bool, str]:
    """Is all well, and one plain sentence that says so; else the most urgent problem."""
    found = findings(facts or Facts(problem, state, online))
    if found and found[0].bad:
        return False, found[0].words
    answered = sum(entry.fps for entry in online)
    if not online:
        return True, "Everything is ready. No stream is running."
    streams = "1 stream is" if len(online) == 1 else f"{len(online)} streams are"
    return True, f"Everything works: {streams} running, {answered:.0f} pictures answered a second."
