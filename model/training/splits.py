"""Fixes which faces are learned from, before anything is trained, so that nothing measured was ever learned.

Guarantees, proven by `tests/unit/model_training/test_splits.py`: a group of near-twins lies in one split; a split a
data set states itself is kept, and where twins lie in several stated splits, those outside the most held-back one
are taken out of training and reported; the split of a group depends on its pictures' bytes and the seed alone, not on
the order or the number of other pictures.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from model.training.samples import Problem, ProblemKind, Sample

SHARES: Final = {"validation": 0.1, "calibration": 0.1}
"""Shares of the groups without a stated split; the rest is for training."""

HELD_BACK: Final = ("calibration", "validation", "train")
"""Most held back first: of twins in several stated splits the ones here first stay."""

LEFT_OUT: Final = "left out"


def fixed_splits(
    samples: Sequence[Sample],
    digests: npt.NDArray[np.uint8],
    group: npt.NDArray[np.int64],
    seed: int,
    shares: Mapping[str, float] = SHARES,
) -> tuple[list[str], list[Problem]]:
    """The split of every sample, `left out` for twins of a more held-back one; and a problem for each of those.

    Args:
        digests: 16 bytes of each file's sha256 [n, 16].
        group: [n], twins share a number (`model.training.twins.groups`).
    """
    members: dict[int, list[int]] = {}
    for index, number in enumerate(group):
        members.setdefault(int(number), []).append(index)
    splits, problems = [""] * len(samples), []
    for indices in members.values():
        stated = {split for index in indices if (split := samples[index].split) is not None}
        chosen = min(stated, key=HELD_BACK.index) if stated else _drawn(digests[indices], seed, shares)
        stays = next(index for index in indices if samples[index].split in (chosen, None))
        for index in indices:
            own = samples[index].split
            splits[index] = chosen if own in (None, chosen) else LEFT_OUT
            if splits[index] == LEFT_OUT:
                problems.append(_twin(samples[index], samples[stays], chosen))
    return splits, problems


def _drawn(digests: npt.NDArray[np.uint8], seed: int, shares: Mapping[str, float]) -> str:
    """A split by the smallest digest of the group: the same whatever else there is."""
    first = min(digest.tobytes() for digest in digests)
    number = int.from_bytes(hashlib.sha256(seed.to_bytes(8, "little") + first).digest()[:8], "little") / 2**64
    for split, share in shares.items():
        if number < share:
            return split
        number -= share
    return "train"


def _twin(sample: Sample, other: Sample, split: str) -> Problem:
    detail = f"shows the same shot as {other.source}: {other.path}, which is held back for {split}"
    return Problem(sample.source, sample.path, ProblemKind.NEAR_TWIN, detail)
