"""Runs presets over labelled faces: read, find, align, estimate, judge.

Pictures are read and looked at in threads while the network works on earlier ones. Every preset sees the same faces.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from contracts.errors import InvalidInput, Reason
from contracts.settings import ModelSettings, Settings
from model.abstention import decide
from model.backend import configure_backend
from model.estimator import AgeEstimator
from model.evaluation.bootstrap import DRAWS
from model.evaluation.certainty import reliability, risk_coverage
from model.evaluation.confusion import confusions
from model.evaluation.figures import Judged, summary
from model.evaluation.finding import PatientDetector
from model.evaluation.labels import Labelled, Labels, Problem
from model.evaluation.looking import Seen, look, look_ahead
from model.evaluation.looking import read_picture as read_picture  # the place others know it by
from model.evaluation.looking import whole as whole
from model.evaluation.matched import matched_gaps
from model.manifest import load_preset
from model.weights import path_of, weights_folder

Picture = npt.NDArray[np.uint8]
Advance = Callable[[int], None]
"""Called with how many faces are done so far."""

BATCH: Final = 32


@dataclass
class Tally:
    """What one preset has made of the faces so far."""

    estimator: AgeEstimator
    judged: list[Judged] = field(default_factory=list)
    seconds: float = 0.0

    def take(self, batch: Sequence[Seen], chips: Picture, settings: ModelSettings) -> None:
        """Estimate and judge one batch; `chips` RGB uint8 [n, size, size, 3]."""
        started = time.perf_counter()
        estimates = self.estimator.predict(chips)
        self.seconds += time.perf_counter() - started
        for seen, estimate in zip(batch, estimates, strict=True):
            refused = decide(seen.quality, estimate, settings) if seen.quality else None
            reason = refused.reason.value if refused else None
            self.judged.append(Judged(seen.row.age, estimate, seen.quality is None, reason, seen.row.groups))


@dataclass(frozen=True)
class Bench:
    """What runs presets: the detector that serves, and an estimator a preset, warmed up, with every head it has."""

    settings: Settings
    detector: PatientDetector
    estimators: list[AgeEstimator]

    @classmethod
    def of(cls, presets: Sequence[str], settings: Settings) -> "Bench":
        """Load everything.

        Raises:
            FatalError: no such preset, or its weights are not there.
        """
        manifests = [load_preset(name) for name in presets]  # a wrong name is told before TensorFlow takes its time
        configure_backend(settings.processor.model_threads)
        detector = PatientDetector(
            path_of("yunet", settings.cache), settings.model.detector_edge, settings.model.detector_score
        )
        folder = weights_folder(settings.cache)
        estimators = [AgeEstimator(one, folder, (BATCH,), one.heads) for one in manifests]
        for estimator in estimators:
            estimator.warm_up()
        return cls(settings, detector, estimators)

    def look(self, row: Labelled) -> Seen:
        """As `model.evaluation.looking.look`, for these presets."""
        return look(row, self.detector, [one.manifest for one in self.estimators])


@dataclass(frozen=True)
class Outcome:
    """Everything about one run.

    Attributes:
        reports: by preset: `model.evaluation.figures.summary`; matched (`matched_gaps`), risk_coverage, reliability,
            confusion; preset, version, sha256; ms_per_face (one face after the other: read, detect, align and
            estimate) and stages_ms; skipped_n and skipped, the rows that could not be used, each with file, line, path
            and reason.
        judged: by preset, in the order of `rows`.
        rows: those whose picture could be read.
    """

    reports: dict[str, dict[str, Any]]
    judged: dict[str, list[Judged]]
    rows: list[Labelled]


def evaluate(
    labels: Labels, bench: Bench, advance: Advance | None = None, draws: int = DRAWS, seed: int = 0
) -> Outcome:
    """Evaluate presets on the same faces.

    Raises:
        InvalidInput: not one picture could be read.
    """
    tallies = [Tally(one) for one in bench.estimators]
    problems = list(labels.problems)
    seen: list[Seen] = []
    looked = look_ahead(labels.rows, bench.look, bench.settings.processor.decode_threads)
    for batch in _batches(looked, problems):
        for index, tally in enumerate(tallies):
            tally.take(batch, np.stack([one.chips[index] for one in batch]), bench.settings.model)
        seen += [one.without_chips() for one in batch]
        if advance:
            advance(len(seen))
    if not seen:
        raise InvalidInput(Reason.NOT_AN_IMAGE, f"{labels.source}: no picture can be read; {problems[0].reason}")
    reports = {
        tally.estimator.manifest.name: {
            **_identity(tally),
            **figures_of(tally.judged, draws, seed),
            **_speed(tally, seen),
            **_skipped(labels.source, problems),
        }
        for tally in tallies
    }
    judged = {tally.estimator.manifest.name: tally.judged for tally in tallies}
    return Outcome(reports, judged, [one.row for one in seen])


def figures_of(judged: Sequence[Judged], draws: int, seed: int) -> dict[str, Any]:
    """Everything that follows from the judged faces alone."""
    return {
        **summary(judged, draws, seed),
        "matched": matched_gaps(judged, draws, seed),
        "risk_coverage": risk_coverage(judged, draws, seed),
        "reliability": reliability(judged, draws, seed),
        "confusion": confusions(judged, draws, seed),
        "bootstrap": {"draws": draws, "seed": seed},
    }


def _batches(looked: Iterable[tuple[Labelled, Future[Seen]]], problems: list[Problem]) -> Iterator[list[Seen]]:
    """Faces by `BATCH`; rows whose picture cannot be read become problems."""
    batch: list[Seen] = []
    for row, future in looked:
        try:
            seen = future.result()
        except InvalidInput as problem:
            problems.append(Problem(row.line, str(row.path), problem.detail))
            continue
        batch.append(seen)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _identity(tally: Tally) -> dict[str, Any]:
    manifest = tally.estimator.manifest
    return {"preset": manifest.name, "version": manifest.version, "sha256": manifest.sha256}


def _speed(tally: Tally, seen: Sequence[Seen]) -> dict[str, Any]:
    read, detect = np.array([(one.read_ms, one.detect_ms) for one in seen]).mean(axis=0)
    estimate = tally.seconds * 1000 / len(tally.judged)
    stages = {"read": read, "detect": detect, "estimate": estimate}
    return {
        "first_sight": round(float(np.mean([one.step == 0 for one in seen])), 4),
        "ms_per_face": round(float(read + detect + estimate), 2),
        "stages_ms": {name: round(float(ms), 2) for name, ms in stages.items()},
    }


def _skipped(source: Path, problems: Sequence[Problem]) -> dict[str, Any]:
    skipped = [
        {"file": str(source), "line": one.line, "path": one.path, "reason": one.reason}
        for one in sorted(problems, key=lambda problem: problem.line)
    ]
    return {"skipped_n": len(skipped), "skipped": skipped}
