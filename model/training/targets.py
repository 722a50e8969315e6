"""What the network is to answer: a distribution over ages, around the label and between what the teachers see.

Labels of public data sets are mostly other people's estimates, and some are wrong. A distribution as wide as the
labels' own scatter keeps the network from learning the noise. Teachers (networks trained on other people, many with
known ages) vote on each face's target: more where they are known to be good (children), less from 40 on, where all
of them guess too young.
"""

from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

TEACHERS: Final = ("faceres-deep", "cydral")
"""The published networks that look at every face, in the order of `model.training.teachers.Seen`."""

Distributions = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]


class Softening(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How labels become targets.

    Attributes:
        teachers: who counts in the targets, of `TEACHERS`; `implausible` always asks all of them.
        means: draw the network's mean to the softened target's mean instead of the label itself. For data whose labels
            share a habit: what the teachers see then counts in both parts of the loss.
        spread_young, spread_old: standard deviation of the target around the label, years, at 0 and at 60 and more;
            between them on a line.
        teacher_young, teacher_old: share of the teachers' distribution in the target up to `young` and from `old` on.
        young, old: years between which the share falls on a line.
        implausible: a label further from both teachers than this many years is taken for wrong where they agree with
            each other within a third of it: its face is left out of training (0 keeps every label).
    """

    teachers: tuple[str, ...] = TEACHERS
    means: bool = False
    spread_young: float = 1.0
    spread_old: float = 4.0
    teacher_young: float = 0.3
    teacher_old: float = 0.0
    young: float = 20.0
    old: float = 45.0
    implausible: float = 0.0


SPREAD_FULL_AT: Final = 60.0


def label_distributions(ages: Values, bins: int, softening: Softening) -> Distributions:
    """[n, bins]: a normal distribution around each label, cut off at 0 and the last bin."""
    share = np.clip(ages / SPREAD_FULL_AT, 0, 1)
    spread = softening.spread_young + (softening.spread_old - softening.spread_young) * share
    distance = (np.arange(bins)[None] - ages[:, None]) / spread[:, None]
    return _normal(np.exp(-0.5 * distance**2))


def rebinned(probabilities: Distributions, ages: Values, bins: int) -> Distributions:
    """A teacher's distribution [n, its bins], whose bins have the given ages, over 0 to bins - 1 years."""
    matrix = np.zeros((len(ages), bins), dtype=np.float32)
    below = np.clip(np.floor(ages).astype(int), 0, bins - 1)
    part = np.clip(ages - below, 0, 1).astype(np.float32)
    rows = np.arange(len(ages))
    np.add.at(matrix, (rows, below), 1 - part)
    np.add.at(matrix, (rows, np.minimum(below + 1, bins - 1)), part)
    return np.asarray(probabilities @ matrix, dtype=np.float32)


def targets(ages: Values, teachers: Distributions, softening: Softening) -> Distributions:
    """[n, bins]: the labels' distributions mixed with the teachers' own.

    Args:
        ages: labels, years [n].
        teachers: the mean of the teachers' distributions over the same bins [n, bins].
    """
    labels = label_distributions(ages, teachers.shape[1], softening)
    along = np.clip((ages - softening.young) / max(softening.old - softening.young, 1e-9), 0, 1)
    share = (softening.teacher_young + (softening.teacher_old - softening.teacher_young) * along)[:, None]
    return _normal(labels * (1 - share) + teachers * share)


def implausible_labels(ages: Values, estimates: Values, limit: float) -> npt.NDArray[np.bool_]:
    """[n]: labels further than `limit` years from every teacher, while the teachers agree within a third of it.

    Args:
        estimates: the teachers' estimates [n, teachers].
    """
    if limit <= 0:
        return np.zeros(len(ages), dtype=bool)
    off = np.abs(estimates - ages[:, None]).min(axis=1) > limit
    agree = np.ptp(estimates, axis=1) <= limit / 3
    return np.asarray(off & agree, dtype=bool)


def _normal(rows: npt.NDArray[np.floating]) -> Distributions:
    return np.asarray(rows / rows.sum(axis=1, keepdims=True), dtype=np.float32)
