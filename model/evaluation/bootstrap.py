"""Intervals by the bootstrap: how far a figure would move with other faces of the same kind.

Faces are drawn anew with replacement, all draws at once in NumPy; the interval lies between percentiles of the draws
(Efron, 1979). Guarantee: the same values and seed give the same interval, whatever was computed before.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

DRAWS: Final = 1000
"""Draws behind an interval, unless told otherwise."""

LEVEL: Final = 0.95
"""Share of the draws inside an interval."""

AT_ONCE: Final = 4_000_000
"""Most values drawn in one step: memory stays small with long lists."""


def draws_of_means(values: Values, draws: int = DRAWS, seed: int = 0) -> Values:
    """The mean of every column in every draw.

    Args:
        values: [n, columns], one row a face, n >= 1.

    Returns:
        [draws, columns].
    """
    rng = np.random.default_rng(seed)
    count = len(values)
    step = max(1, AT_ONCE // count)
    parts = [
        values[rng.integers(0, count, (min(step, draws - start), count))].mean(axis=1)
        for start in range(0, draws, step)
    ]
    return np.concatenate(parts)


def interval(drawn: Values) -> list[float]:
    """[low, high] of the draws of one figure, three decimals."""
    edge = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [edge, 1 - edge])
    return [round(float(low), 3), round(float(high), 3)]


def mean_interval(values: Values, draws: int = DRAWS, seed: int = 0) -> list[float]:
    """[low, high] of the mean of values [n]."""
    return interval(draws_of_means(values[:, None], draws, seed)[:, 0])
