"""What became of every frame one producer captured: the ledger of one connection.

The ledger is a set union over sequences, so that redelivery and crashes do not change it: an answer outranks a
dead letter, which outranks a drop. In flight is measured on its own, from offsets, never as a remainder.

    captured = answered + dropped (by cause) + dead-lettered + in flight

A camera runs for months: fates older than `REMEMBERED` frames are kept as counts, and no late word changes them.
"""

import threading
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from contracts.events import Outcome

RANK = {"dropped": 1, "dead_lettered": 2, "answered": 3}

REMEMBERED = 20_000
"""Newest frames whose fate may still change: 11 minutes at 30 a second, many times the life of a live frame."""

Fate = tuple[str, str | None]
Place = tuple[int, int]
"""Partition and offset."""


@dataclass(frozen=True)
class LedgerTotals:
    """The ledger as numbers."""

    stream: str
    captured: int
    answered: int
    dropped: dict[str, int] = field(default_factory=dict)
    dead_lettered: int = 0
    in_flight: int = 0
    unaccounted: int = 0

    @property
    def closes(self) -> bool:
        """Every captured frame has exactly one fate."""
        return self.unaccounted == 0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class Ledger:
    """Fates and places by sequence. Safe from several threads."""

    def __init__(self, stream: str, connection: str) -> None:
        self.stream, self.connection = stream, connection
        self._lock = threading.Condition()
        self._fates: dict[int, Fate] = {}
        self._places: dict[int, Place] = {}
        self._captured = 0
        self._folded: Counter[Fate] = Counter()
        self._fold_next = 0
        self._left_open: set[int] = set()

    def capture(self) -> int:
        """Number the next frame."""
        with self._lock:
            self._captured += 1
            if self._captured - self._fold_next > REMEMBERED:
                self._fold(self._fold_next)
                self._fold_next += 1
            return self._captured - 1

    def _fold(self, sequence: int) -> None:
        """Keep only the count of this frame's fate; one without a fate waits on."""
        self._places.pop(sequence, None)
        fate = self._fates.pop(sequence, None)
        if fate is None:
            self._left_open.add(sequence)
        else:
            self._folded[fate] += 1

    def sent(self, sequence: int, partition: int, offset: int) -> None:
        """The broker has the frame, here."""
        with self._lock:
            self._places[sequence] = (partition, offset)

    def fate(self, sequence: int, outcome: str, cause: str | None = None) -> None:
        """The frame's fate; a higher rank wins, a repetition changes nothing."""
        with self._lock:
            if sequence < self._fold_next and sequence not in self._left_open:
                return
            known = self._fates.get(sequence)
            if known is None or RANK[outcome] > RANK[known[0]]:
                self._fates[sequence] = (outcome, cause)
                self._lock.notify_all()

    def outcome(self, outcome: Outcome) -> None:
        """Take over what the processor (or another part of the producer) said."""
        if (outcome.stream, outcome.connection) != (self.stream, self.connection):
            return
        for span in outcome.ranges:
            for sequence in range(span.first, min(span.last, self._captured) + 1):
                self.fate(sequence, span.outcome, span.cause)

    def open_places(self) -> dict[int, Place]:
        """Sequences on the broker without a fate, and where they are."""
        with self._lock:
            return {sequence: place for sequence, place in self._places.items() if sequence not in self._fates}

    def open_count(self) -> int:
        """Captured frames without a fate."""
        with self._lock:
            return self._open()

    def wait_closed(self, seconds: float) -> bool:
        """Wait until every captured frame has a fate; False when some have none after `seconds`."""
        with self._lock:
            return self._lock.wait_for(lambda: self._open() == 0, timeout=seconds)

    def totals(self, in_flight: int = 0) -> LedgerTotals:
        """Add up. `in_flight` is measured by the caller from committed offsets."""
        with self._lock:
            fates: Counter[str] = Counter()
            causes: Counter[str] = Counter()
            for (outcome, cause), number in (self._folded + Counter(self._fates.values())).items():
                fates[outcome] += number
                if outcome == "dropped":
                    causes[cause or "unknown"] += number
            return LedgerTotals(
                stream=self.stream,
                captured=self._captured,
                answered=fates["answered"],
                dropped=dict(sorted(causes.items())),
                dead_lettered=fates["dead_lettered"],
                in_flight=in_flight,
                unaccounted=self._open() - in_flight,
            )

    def _open(self) -> int:
        return self._captured - len(self._fates) - self._folded.total()
