"""Measures a network on prepared faces with the figures of `mairror evaluate`."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from model.evaluation.figures import Judged, summary
from model.faces import ETHNICITIES, AgeEstimate
from model.training.augmentation import plain
from model.training.config import TrainingConfig
from model.training.preparation import Prepared, State
from model.training.samples import Sample

ADULT: Final = 16.0
"""Gender is measured from this age on, years: nobody can tell a baby's from its face."""

BATCH: Final = 64

FEW: Final = 20
"""Faces below which a decade says nothing about a network."""

NORMAL_80: Final = 1.2816
"""Half an 80 % interval of a normal distribution, standard deviations. Not calibrated: a figure of training runs."""

Outputs = dict[str, npt.NDArray[np.float32]]
Indices = npt.NDArray[np.int64]


def outputs_of(network: Any, prepared: Prepared, indices: Indices, config: TrainingConfig) -> Outputs:
    """The network's outputs for the chips as serving sees them, by name."""
    parts: dict[str, list[npt.NDArray[np.float32]]] = {}
    for start in range(0, len(indices), BATCH):
        part = indices[start : start + BATCH]
        chips = plain(prepared.chips[part], config.size)
        if config.shrunk is not None:
            chips = np.stack([config.shrunk.of(one, config.padding) for one in chips])
        padded = np.concatenate([chips, np.zeros((BATCH - len(part), *chips.shape[1:]), np.uint8)])
        found = network.predict_on_batch(padded.astype(np.float32))
        for name, values in found.items():
            parts.setdefault(name, []).append(np.asarray(values, dtype=np.float32)[: len(part)])
    return {name: np.concatenate(values) for name, values in parts.items()}


def judged(
    probabilities: npt.NDArray[np.float32], samples: Sequence[Sample], states: npt.NDArray[np.uint8]
) -> list[Judged]:
    """Faces with their expectation over one-year bins, and groups as `mairror evaluate` forms them."""
    bins = np.arange(probabilities.shape[1])
    years = probabilities @ bins
    spread = np.sqrt(np.maximum(probabilities @ bins**2 - years**2, 0))
    faces = []
    for sample, state, estimate, width in zip(samples, states, years, spread, strict=True):
        reach = NORMAL_80 * float(width)
        answer = AgeEstimate(float(estimate), float(estimate) - reach, float(estimate) + reach, 0.8, float(width))
        groups = {
            "source": sample.source,
            "gender": sample.gender or "not given",
            "ethnicity": sample.ethnicity or "not given",
        }
        faces.append(Judged(sample.age, answer, bool(state == State.NO_FACE), None, groups))
    return faces


def figures_of(outputs: Outputs, samples: Sequence[Sample], states: npt.NDArray[np.uint8]) -> dict[str, Any]:
    """`model.evaluation.figures.summary`, and `gender` and `ethnicity`: shares of right answers, None without labels.

    `old` is the error of all faces of 60 and more; `sources_mae` the error by source.
    """
    faces = judged(outputs["age"], samples, states)
    found = summary(faces)
    old = [abs(face.estimate.years - face.age) for face in faces if face.age >= 60]
    found["old"] = round(float(np.mean(old)), 3) if old else None
    found["gender"] = found["ethnicity"] = None
    if "gender" in outputs:
        adult = [index for index, one in enumerate(samples) if one.gender is not None and one.age >= ADULT]
        right = [(outputs["gender"][index, 0] > 0.5) == (samples[index].gender == "M") for index in adult]
        found["gender"] = round(float(np.mean(right)), 4) if right else None
    if "ethnicity" in outputs:
        known = [index for index, one in enumerate(samples) if one.ethnicity is not None]
        right = [ETHNICITIES[int(outputs["ethnicity"][index].argmax())] == samples[index].ethnicity for index in known]
        found["ethnicity"] = round(float(np.mean(right)), 4) if right else None
    return found


def score(figures: dict[str, Any]) -> float:
    """What a run keeps its best weights by, years: half the error of all faces, half that of each decade alike.

    Decades of fewer than `FEW` faces do not count: two centenarians would choose the weights for everybody.
    """
    decades = [found["mae"] for found in figures["decades"].values() if found["n"] >= FEW]
    return (float(figures["mae"]) + float(np.mean(decades or [figures["mae"]]))) / 2
