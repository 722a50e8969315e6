"""From a distribution over age bins to an estimate, an interval and a spread. NumPy only."""

import dataclasses
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from model.faces import ETHNICITIES, AgeEstimate
from model.manifest import PresetManifest

YOUNGEST: Final = 0.0
"""No interval reaches below birth, years."""


def estimates(probabilities: npt.NDArray[np.float32], preset: PresetManifest) -> list[AgeEstimate]:
    """One estimate per row.

    years: expectation over the bins. spread: standard deviation. low, high: the preset's quantiles of the
    distribution, moved away from the estimate by the calibrated factor and margin of the preset's interval.

    Args:
        probabilities: float32 [n, bins], rows sum to one.
        preset: whose bins and interval to use.
    """
    ages = np.asarray(preset.bins, dtype=np.float64)
    rows = np.asarray(probabilities, dtype=np.float64)
    years = rows @ ages
    spread = np.sqrt(np.maximum(rows @ ages**2 - years**2, 0.0))
    below, above = half_widths(rows, years, preset)
    rule = preset.interval
    factor = rule.factors(years)
    low = np.maximum(years - factor * (below + rule.margin), YOUNGEST)
    high = years + factor * (above + rule.margin)
    coverage = rule.coverage
    return [
        AgeEstimate(float(y), float(min(a, y)), float(b), coverage, float(s))
        for y, a, b, s in zip(years, low, high, spread, strict=True)
    ]


def half_widths(
    rows: npt.NDArray[np.float64], years: npt.NDArray[np.float64], preset: PresetManifest
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Distance from the estimate down to the lower and up to the upper quantile, years, >= 0, before widening."""
    edges = bin_edges(np.asarray(preset.bins, dtype=np.float64))
    cumulative = np.concatenate([np.zeros((len(rows), 1)), np.cumsum(rows, axis=1)], axis=1)
    wanted = (preset.interval.lower_quantile, preset.interval.upper_quantile)
    found = np.array([np.interp(wanted, row / row[-1], edges) for row in cumulative]).reshape(-1, 2)
    return np.maximum(years - found[:, 0], 0.0), np.maximum(found[:, 1] - years, 0.0)


def bin_edges(ages: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Borders of the bins, [bins + 1]: half way between neighbours; a bin's mass lies evenly between its borders."""
    middle = (ages[1:] + ages[:-1]) / 2
    first, last = max(YOUNGEST, 2 * ages[0] - middle[0]), 2 * ages[-1] - middle[-1]
    return np.concatenate([[first], middle, [last]])


def with_heads(
    found: Sequence[AgeEstimate], outputs: npt.NDArray[np.float32], heads: Sequence[str]
) -> list[AgeEstimate]:
    """The estimates with what the optional heads say.

    Args:
        outputs: float32 [n, outputs of the heads side by side, in the order of `heads`].
    """
    completed = []
    for estimate, row in zip(found, outputs.astype(float), strict=True):
        gender, ethnicity, column = None, None, 0
        for head in heads:
            if head == "gender":
                gender, column = float(row[column]), column + 1
            else:
                ethnicity, column = tuple(row[column : column + len(ETHNICITIES)]), column + len(ETHNICITIES)
        completed.append(dataclasses.replace(estimate, gender=gender, ethnicity=ethnicity))
    return completed
