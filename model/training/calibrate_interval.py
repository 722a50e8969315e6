"""Finds how far a preset's interval must be widened, and measures the preset: the figures of its manifest and card.

    python -m model.training.calibrate_interval LABELS.csv ROOT --preset cydral

LABELS.csv has columns path (relative to ROOT), age and split. `widen` is the split-conformal quantile (Lei et al.,
2018) of the distance from estimate to true age, in units of the interval's half width, on the calibration split: a new
face of the same kind lies inside with the preset's coverage. Errors and coverage are then measured on another split.
"""

import argparse
import csv
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import msgspec
import numpy as np
import numpy.typing as npt

from contracts.settings import Settings
from model.alignment import chip
from model.backend import configure_backend
from model.detector import FaceDetector
from model.distribution import estimates, half_widths
from model.estimator import AgeEstimator
from model.manifest import PresetManifest, load_preset
from model.weights import path_of, weights_folder

Values = npt.NDArray[np.float64]

KNOTS: Final = tuple(float(age) for age in range(0, 91, 10))
"""Estimates, years, at which the factor is found."""

NEIGHBOURS: Final = 8.0
"""How far faces count for a knot, years (standard deviation of the weights)."""

LOCAL_SHARE: Final = 0.5
"""How much the neighbours count against everybody."""

PER_DECADE: Final = 150
"""Most faces of one decade of age in the balanced sample."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The network's answers to one split: probabilities [n, bins], true ages [n], and how many had no face found."""

    probabilities: Values
    ages: Values
    missed: int


def answer(labels: Path, root: Path, split: str, detector: FaceDetector, estimator: AgeEstimator) -> Answers:
    """Run the whole pipeline on one split; the largest face of a picture is its face."""
    preset = estimator.manifest
    chips, ages, missed = [], [], 0
    with labels.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    for row in rows:
        picture = cv2.imread(str(root / row["path"]), cv2.IMREAD_COLOR)
        if picture is None:
            raise SystemExit(f"{root / row['path']} is not a picture")
        faces = detector.detect(np.asarray(picture, dtype=np.uint8))
        if not faces:
            missed += 1
            continue
        chips.append(chip(np.asarray(picture, dtype=np.uint8), faces[0].landmarks, preset.input_size, preset.padding))
        ages.append(float(row["age"]))
    return Answers(estimator.probabilities(np.stack(chips)).astype(np.float64), np.array(ages), missed)


def widen(answers: Answers, preset: PresetManifest) -> float:
    """The factor that makes the interval hold `preset.interval.coverage` of the true ages of `answers`."""
    return conformal(scores(answers, preset)[1], preset.interval.coverage)


def widen_by_age(answers: Answers, preset: PresetManifest) -> tuple[tuple[float, float], ...]:
    """The factor by estimated age, pairs of (years, factor): half of what the faces around each age need, half of what
    all need together, then scaled so that `preset.interval.coverage` of the true ages lie inside.

    What the neighbours alone need would follow the chance of a few hundred faces.
    """
    years, errors = scores(answers, preset)
    coverage, order = preset.interval.coverage, np.argsort(errors)
    everybody, factors = conformal(errors, coverage), []
    for age in KNOTS:
        near = np.cumsum(np.exp(-0.5 * ((years[order] - age) / NEIGHBOURS) ** 2))
        needed = errors[order][min(int(np.searchsorted(near, coverage * near[-1])), len(errors) - 1)]
        factors.append(LOCAL_SHARE * needed + (1 - LOCAL_SHARE) * everybody)
    scale = conformal(errors / np.interp(years, KNOTS, factors), coverage)
    return tuple((age, round(float(scale * factor), 4)) for age, factor in zip(KNOTS, factors, strict=True))


def scores(answers: Answers, preset: PresetManifest) -> tuple[Values, Values]:
    """Estimates, years [n], and how many half widths each true age lies away [n]."""
    years = answers.probabilities @ np.asarray(preset.bins)
    below, above = half_widths(answers.probabilities, years, preset)
    margin = preset.interval.margin
    return years, np.maximum((years - answers.ages) / (below + margin), (answers.ages - years) / (above + margin))


def conformal(errors: Values, coverage: float) -> float:
    """The split-conformal quantile: a new error is at most this with the probability `coverage`, or more."""
    rank = math.ceil(coverage * (len(errors) + 1))
    return float(np.sort(errors)[min(rank, len(errors)) - 1])


def report(name: str, answers: Answers, chosen: npt.NDArray[np.int64], preset: PresetManifest) -> str:
    """One line of figures for the chosen rows."""
    found = estimates(answers.probabilities[chosen].astype(np.float32), preset)
    ages = answers.ages[chosen]
    years, low, high = (np.array([getattr(one, key) for one in found]) for key in ("years", "low", "high"))
    inside = float(((low <= ages) & (ages <= high)).mean())
    error = np.abs(years - ages)
    return (
        f"{name:<12} faces {len(ages):>5}  mae {error.mean():5.2f}  within 5 {(error <= 5).mean():.1%}"
        f"  bias {(years - ages).mean():+6.2f}  coverage {inside:.1%}  width {(high - low).mean():.1f}\n"
    )


def balanced(ages: Values, seed: int = 0) -> npt.NDArray[np.int64]:
    """Rows of at most PER_DECADE faces of each decade."""
    rng = np.random.default_rng(seed)
    decades = np.minimum(ages // 10, 8)
    return np.concatenate([rng.permutation(np.flatnonzero(decades == one))[:PER_DECADE] for one in range(9)])


def main() -> None:
    """Read the arguments, calibrate, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path)
    parser.add_argument("root", type=Path)
    parser.add_argument("--preset", default="cydral")
    parser.add_argument("--calibrate-on", default="calibration")
    parser.add_argument("--measure-on", default="validation")
    arguments = parser.parse_args()
    configure_backend(threads=2)
    cache, preset = Settings().cache, load_preset(arguments.preset)
    detector = FaceDetector(path_of("yunet", cache))
    estimator = AgeEstimator(preset, weights_folder(cache), (32,))
    estimator.warm_up()
    held = answer(arguments.labels, arguments.root, arguments.calibrate_on, detector, estimator)
    factor = round(widen(held, preset), 4)
    preset = msgspec.structs.replace(preset, interval=msgspec.structs.replace(preset.interval, widen=factor))
    measured = answer(arguments.labels, arguments.root, arguments.measure_on, detector, estimator)
    sys.stdout.write(f"widen {factor} on {len(held.ages)} faces; missed {held.missed} and {measured.missed}\n")
    everything = np.arange(len(measured.ages))
    sys.stdout.write(report("all", measured, everything, preset))
    sys.stdout.write(report("balanced", measured, balanced(measured.ages), preset))
    for decade in range(9):
        chosen = everything[np.minimum(measured.ages // 10, 8) == decade]
        sys.stdout.write(report(f"{decade * 10}-{decade * 10 + 9 if decade < 8 else ''}", measured, chosen, preset))


if __name__ == "__main__":
    main()
