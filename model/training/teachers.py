"""What the two published networks make of every face, computed once: their age distributions, and their features.

The features are those the head of `mairror-age-1` reads, so the first stage of training needs no trunk at all.
Guarantee: as the chips (`preparation`), what is there is never computed again, and a kill loses one part at most.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from model.arrays import load_arrays
from model.mobilenet import TEACHER_BINS, build_faceres_deep
from model.network import build_cydral
from model.training.augmentation import plain
from model.training.preparation import Geometry, Prepared, State
from model.training.targets import TEACHERS, rebinned
from model.training.teacher_weights import faceres_deep
from model.two_scale import AGES, FEATURES, shrunk
from model.weights import path_of

Advance = Callable[[int], None]
Predict = Callable[[npt.NDArray[np.uint8]], dict[str, npt.NDArray[Any]]]

BATCH: Final = 32
VIEWS: Final = 2
"""As it is, and mirrored."""

FACERES_AGES: Final = np.arange(TEACHER_BINS, dtype=np.float64)
"""Bin 0 is the first year: on 1,211 training faces (padding 0.45) the biases below 10 and below 20 are -0.1 and +0.6
years then, +0.9 and +1.6 when the bins are read one year older. Over all ages the older reading errs less, only because
the network guesses everybody above 30 too young, and there its vote fades (`targets`)."""

CYDRAL_AGES: Final = np.array([0.25, *range(1, 81)])


@dataclass(frozen=True, slots=True)
class Seen:
    """What the teachers see, on disk, in the order of the manifest.

    Attributes:
        features: float16 [n, 2, FEATURES].
        ages: float16 [n, 2, 2, AGES]: distributions by view and teacher (`TEACHERS`).
        done: uint8 [n].
    """

    features: npt.NDArray[np.float16]
    ages: npt.NDArray[np.float16]
    done: npt.NDArray[np.uint8]

    @classmethod
    def at(cls, folder: Path, count: int) -> Self:
        """Open, or make, the arrays."""
        shapes = {
            "features": (np.float16, (count, VIEWS, FEATURES)),
            "teacher_ages": (np.float16, (count, VIEWS, len(TEACHERS), AGES)),
            "teacher_done": (np.uint8, (count,)),
        }
        arrays = []
        for name, (kind, shape) in shapes.items():
            path = folder / f"{name}.npy"
            mode = "r+" if path.is_file() else "w+"
            arrays.append(np.lib.format.open_memmap(path, mode=mode, dtype=kind, shape=shape))
        return cls(*arrays)

    def distributions(self, teachers: Sequence[str] = TEACHERS) -> npt.NDArray[np.float32]:
        """The mean over views and the given teachers [n, AGES]; rows not computed are zero."""
        chosen = self.ages[:, :, [TEACHERS.index(name) for name in teachers]]
        return np.asarray(np.asarray(chosen, dtype=np.float32).mean(axis=(1, 2)), dtype=np.float32)

    def estimates(self) -> npt.NDArray[np.float64]:
        """Each teacher's expectation, the mean of both views [n, teachers], years."""
        return np.asarray(np.asarray(self.ages, dtype=np.float64).mean(axis=1) @ np.arange(AGES))


def look(prepared: Prepared, geometry: Geometry, cache: Path, advance: Advance | None = None) -> Seen:
    """Let the teachers look at every face they have not seen yet.

    Raises:
        FatalError, RetryableError: a teacher's weights are not there and cannot be fetched.
    """
    seen = Seen.at(prepared.folder, len(prepared.state))
    waiting = np.flatnonzero(
        (seen.done == 0) & (prepared.state != State.UNREADABLE) & (prepared.state != State.NOT_YET)
    )
    if not len(waiting):
        return seen
    predict = _teachers(cache, geometry)
    for start in range(0, len(waiting), BATCH):
        part = waiting[start : start + BATCH]
        chips = plain(prepared.chips[part], geometry.size)
        for view, turned in enumerate((chips, chips[:, :, ::-1])):
            found = predict(np.concatenate([turned, np.zeros((BATCH - len(part), *chips.shape[1:]), np.uint8)]))
            seen.features[part, view] = found["features"][: len(part)]
            seen.ages[part, view, 0] = rebinned(found["faceres"][: len(part)], FACERES_AGES, AGES)
            seen.ages[part, view, 1] = rebinned(found["cydral"][: len(part)], CYDRAL_AGES, AGES)
        seen.done[part] = 1
        if advance:
            advance(len(seen.done) - len(waiting) + start + len(part))
    return seen


def _teachers(cache: Path, geometry: Geometry) -> Predict:
    """Both networks as one, on chips uint8 [BATCH, size, size, 3]."""
    import keras
    from keras import ops

    fine = build_faceres_deep(faceres_deep(cache), geometry.size)
    coarse = build_cydral(load_arrays(path_of("cydral", cache))[0])
    pooled = keras.Model(coarse.inputs, [coarse.output, coarse.get_layer("pool").output])
    inputs = keras.Input((geometry.size, geometry.size, 3))
    first = fine(inputs)
    ages, features = pooled(shrunk(inputs, geometry.size, geometry.padding))
    outputs = {
        "features": ops.concatenate([first["embedding"], features], axis=-1),
        "faceres": first["age"],
        "cydral": ages,
    }
    both = keras.Model(inputs, outputs)
    both.compile(jit_compile=False)  # XLA's depthwise convolutions on a processor take twenty times as long

    def predict(chips: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[Any]]:
        found = both.predict_on_batch(chips.astype(np.float32))
        return {name: np.asarray(value, dtype=np.float32) for name, value in found.items()}

    return predict
