"""Sweeps: the same faces again and again, each time a little harder to see.

A seeded sample of faces that are found in the untouched picture; every other face of the sample is counted as left out.
A changed picture in which no face is found counts, as everywhere, with the whole picture taken for the face.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from contracts.errors import InvalidInput
from model.evaluation.bootstrap import DRAWS, mean_interval
from model.evaluation.changes import SWEEPS
from model.evaluation.figures import Judged, figures
from model.evaluation.finding import main_face
from model.evaluation.labels import Labelled
from model.evaluation.looking import Seen, look_ahead, look_at, read_picture
from model.evaluation.run import BATCH, Bench, Tally

Advance = Callable[[int], None]

AHEAD: Final = 6
"""Pictures looked at ahead: each gives half a hundred chips."""


@dataclass(frozen=True, slots=True)
class Views:
    """One face, untouched first, then every level of every sweep in their order."""

    seen: tuple[Seen, ...]


def sweep(
    rows: Sequence[Labelled], bench: Bench, count: int, seed: int = 0, advance: Advance | None = None
) -> dict[str, dict[str, Any]]:
    """Run every sweep of `model.evaluation.changes.SWEEPS` on `count` of the rows.

    Returns:
        By preset: n, left_out, untouched (figures) and sweeps by name: unit and levels. A level has the figures of
        `model.evaluation.figures.figures`, first_sight (share found as a live frame is looked at), change (of the
        error, years, against the untouched picture), change_95, and moved (mean distance from the untouched
        estimate, years).
    """
    sample = chosen(rows, count, seed)
    tallies = [Tally(one) for one in bench.estimators]
    everything: list[Views] = []
    left_out = 0
    looked = look_ahead(sample, lambda row: _views(row, bench), bench.settings.processor.decode_threads, AHEAD)
    for done, (_, future) in enumerate(looked, start=1):
        views = future.result()
        if views is None:
            left_out += 1
        else:
            _take(tallies, views, bench)
            everything.append(Views(tuple(one.without_chips() for one in views.seen)))
        if advance:
            advance(done)
    return {tally.estimator.manifest.name: _report(tally.judged, everything, left_out, seed) for tally in tallies}


def chosen(rows: Sequence[Labelled], count: int, seed: int) -> list[Labelled]:
    """`count` of the rows, or all, in their order: the same ones for the same seed."""
    if count >= len(rows):
        return list(rows)
    picked = np.random.default_rng(seed).choice(len(rows), count, replace=False)
    return [rows[index] for index in sorted(int(one) for one in picked)]


def _views(row: Labelled, bench: Bench) -> Views | None:
    """None when the untouched picture cannot be read or shows no face."""
    try:
        picture = read_picture(row.path)
    except InvalidInput:
        return None  # the run itself has told it
    face = main_face(bench.detector.find(picture).faces, picture.shape[1], picture.shape[0])
    if face is None:
        return None
    manifests = [one.manifest for one in bench.estimators]
    pictures = [picture, *(one.change(picture, face, level) for one in SWEEPS for level in one.levels)]
    return Views(tuple(look_at(row, changed, bench.detector, manifests) for changed in pictures))


def _take(tallies: Sequence[Tally], views: Views, bench: Bench) -> None:
    for start in range(0, len(views.seen), BATCH):
        batch = views.seen[start : start + BATCH]
        for index, tally in enumerate(tallies):
            tally.take(batch, np.stack([one.chips[index] for one in batch]), bench.settings.model)


def _report(judged: Sequence[Judged], views: Sequence[Views], left_out: int, seed: int) -> dict[str, Any]:
    if not views:
        return {"n": 0, "left_out": left_out, "untouched": None, "sweeps": {}}
    width = len(views[0].seen)
    columns = [judged[start::width] for start in range(width)]
    sweeps: dict[str, Any] = {}
    place = 1
    for one in SWEEPS:
        levels = []
        for level in one.levels:
            sights = [view.seen[place].step == 0 for view in views]
            levels.append({"level": level, **_level(columns[place], columns[0], sights, seed)})
            place += 1
        sweeps[one.name] = {"unit": one.unit, "levels": levels}
    sights = [view.seen[0].step == 0 for view in views]
    return {
        "n": len(views),
        "left_out": left_out,
        "seed": seed,
        "untouched": {**figures(columns[0]), "first_sight": round(float(np.mean(sights)), 4)},
        "sweeps": sweeps,
    }


def _level(now: Sequence[Judged], before: Sequence[Judged], sights: Sequence[bool], seed: int) -> dict[str, Any]:
    ages, years, untouched = (
        np.array(column)
        for column in zip(
            *((one.age, one.estimate.years, other.estimate.years) for one, other in zip(now, before, strict=True)),
            strict=True,
        )
    )
    change = np.abs(years - ages) - np.abs(untouched - ages)
    return {
        **figures(now),
        "first_sight": round(float(np.mean(sights)), 4),
        "change": round(float(change.mean()), 3),
        "change_95": mean_interval(change, DRAWS, seed),
        "moved": round(float(np.abs(years - untouched).mean()), 3),
    }
