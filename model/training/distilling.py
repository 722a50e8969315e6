"""What a larger network of ours says of every prepared face: what a smaller one is taught with the labels.

Computed once for each preset and kept beside the chips.
"""

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from contracts.errors import InvalidInput, Reason
from model.estimator import AgeEstimator
from model.manifest import load_preset
from model.training.augmentation import plain
from model.training.material import Material, Watcher
from model.training.preparation import State
from model.two_scale import AGES
from model.weights import weights_folder

BATCH: Final = 32


def larger_answers(preset: str, material: Material, cache: Path, watcher: Watcher) -> npt.NDArray[np.float32]:
    """Distributions over the ages 0 to 100 [n, AGES], the mean of each face and its mirror image.

    Rows of pictures that cannot be read are even.

    Raises:
        InvalidInput: the preset sees other chips than those prepared.
        FatalError: no such preset, or its weights are not there.
    """
    manifest, geometry = load_preset(preset), material.geometry
    if (manifest.input_size, manifest.padding) != (geometry.size, geometry.padding) or len(manifest.bins) != AGES:
        raise InvalidInput(
            Reason.BAD_BODY,
            f"distilled.preset {preset!r} sees chips of {manifest.input_size} pixels with padding {manifest.padding}; "
            f"prepared are {geometry.size} and {geometry.padding}",
        )
    kept = material.prepared.folder / f"answers-{manifest.weights.sha256[:16]}.npy"
    if kept.is_file():
        return np.asarray(np.load(kept), dtype=np.float32)
    estimator = AgeEstimator(manifest, weights_folder(cache), (BATCH,))
    estimator.warm_up()
    state = material.prepared.state
    answers = np.full((len(state), AGES), 1 / AGES, dtype=np.float32)
    there = np.flatnonzero((state != State.UNREADABLE) & (state != State.NOT_YET))
    for start in range(0, len(there), BATCH):
        part = there[start : start + BATCH]
        chips = plain(material.prepared.chips[part], geometry.size)
        mirrored = np.ascontiguousarray(chips[:, :, ::-1])
        answers[part] = (estimator.probabilities(chips) + estimator.probabilities(mirrored)) / 2
        watcher.step(f"answers of {preset}", start + len(part), len(there))
    part_file = kept.with_suffix(".part.npy")
    np.save(part_file, answers)
    part_file.replace(kept)
    return answers
