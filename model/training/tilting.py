"""Makes up for old age being rare: a small slope on the ages' last bias, found on the calibration split.

A network taught mostly by people below 50 guesses old people too young, because few of the faces it saw were old. The
logits of the ages above `FROM` are raised on a line (logit adjustment: Menon et al., 2021), by as little as brings the
error's mean among people of 60 and more within `BIAS` years. It is part of the weights; serving knows nothing of it.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from model.training.calibrate_interval import Answers

FROM: Final = 45.0
"""Age from which the slope rises, years."""

OLD: Final = 60.0
BIAS: Final = 1.5
"""Mean of estimate minus label allowed on the calibration split, years: half of what we allow on others."""

SLOPES: Final = tuple(round(0.05 * step, 2) for step in range(13))
"""Slopes tried, logits a decade."""


def slope_logits(slope: float, bins: int) -> npt.NDArray[np.float64]:
    """What is added to the logits of the ages 0 to bins - 1."""
    return np.asarray(slope * np.maximum(np.arange(bins) - FROM, 0) / 10)


def tilt(answers: Answers, slope: float) -> Answers:
    """The answers a network with that slope gives."""
    rows = answers.probabilities * np.exp(slope_logits(slope, answers.probabilities.shape[1]))
    return Answers(rows / rows.sum(axis=1, keepdims=True), answers.ages, answers.missed)


def find_slope(held: Answers) -> float:
    """The smallest slope that makes old people's bias small enough; the largest one tried when none does, 0 when there
    is nobody old."""
    old = held.ages >= OLD
    if not old.any():
        return 0.0
    ages = np.arange(held.probabilities.shape[1])
    for slope in SLOPES:
        years = tilt(held, slope).probabilities @ ages
        if (years - held.ages)[old].mean() >= -BIAS:
            return slope
    return SLOPES[-1]


def tilt_weights(arrays: dict[str, npt.NDArray[Any]], slope: float) -> dict[str, npt.NDArray[Any]]:
    """The network's arrays with the slope in the bias of its ages."""
    bias = arrays["age/bias"]
    return {**arrays, "age/bias": (bias.astype(np.float64) + slope_logits(slope, len(bias))).astype(bias.dtype)}
