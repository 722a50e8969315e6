"""What is made small: the distance of the age distribution from its target, and of its mean from the label.

Keras operations only. Truths carry their target and their label in one array, since Keras hands a loss one tensor.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from model.faces import ETHNICITIES
from model.training.samples import Sample

SMALLEST: Final = 1e-7
"""Keeps logarithms finite."""

Truths = dict[str, npt.NDArray[np.float32]]


class AgeLoss:
    """Cross-entropy with the target distribution, plus `years` times the distance of the means (a mean loss).

    The truth is [n, bins + 1]: the target distribution, then the years its mean is drawn to.
    """

    def __init__(self, years: float) -> None:
        self._years = years
        self.__name__ = "age_loss"

    def __call__(self, truth: Any, predicted: Any) -> Any:
        """Loss of every row [n]."""
        from keras import ops

        bins = predicted.shape[-1]
        target, label = truth[:, :bins], truth[:, bins]
        entropy = -ops.sum(target * ops.log(predicted + SMALLEST), axis=-1)
        mean = ops.sum(predicted * ops.arange(bins, dtype=predicted.dtype), axis=-1)
        return entropy + self._years * ops.abs(mean - label)


def years_off(truth: Any, predicted: Any) -> Any:
    """Distance of the mean of each distribution from the truth's years [n]; arguments as `AgeLoss`."""
    from keras import ops

    bins = predicted.shape[-1]
    predicted = ops.cast(predicted, "float32")
    return ops.abs(ops.sum(predicted * ops.arange(bins, dtype="float32"), axis=-1) - truth[:, bins])


def age_truth(target: npt.NDArray[np.float32], ages: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """[n, bins + 1] for `AgeLoss`.

    Args:
        ages: what the means are drawn to, years [n]: the labels themselves, unless `softening.means` or `distilled` say
            otherwise.
    """
    return np.concatenate([target, ages[:, None].astype(np.float32)], axis=1)


def other_truths(samples: list[Sample], heads: tuple[str, ...]) -> tuple[Truths, Truths]:
    """Truths of the optional heads by name, and their weights: 0 where the data set does not say, else 1."""
    truths, weights = {}, {}
    for head in heads:
        if head == "gender":
            known = [sample.gender is not None for sample in samples]
            values = np.array([[float(sample.gender == "M")] for sample in samples])
        else:
            known = [sample.ethnicity is not None for sample in samples]
            values = np.array([[float(sample.ethnicity == name) for name in ETHNICITIES] for sample in samples])
        truths[head] = values.astype(np.float32)
        weights[head] = np.array(known, dtype=np.float32)
    return truths, weights


def compile_losses(heads: tuple[str, ...], years: float, shares: dict[str, float]) -> dict[str, Any]:
    """The arguments `loss`, `loss_weights` and `metrics` of Keras's `compile` for the age and the optional heads."""
    named = {"gender": "binary_crossentropy", "ethnicity": "categorical_crossentropy"}
    losses = {"age": AgeLoss(years), **{head: named[head] for head in heads}}
    return {
        "loss": losses,
        "loss_weights": {"age": 1.0, **{head: shares[head] for head in heads}},
        "metrics": {"age": [years_off]},
    }
