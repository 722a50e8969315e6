"""Gaps between groups of people at equal ages.

Errors grow with age, so a group with more old faces looks worse without being treated worse. Here every group's error
is the mean over strata of age, each stratum weighing the same for all groups: as much as it does among all faces.

A group with fewer than `LEAST_FACES` faces says too little and is left out by name; a stratum counts where every other
group has `LEAST_IN_STRATUM` faces or more. The interval draws faces anew within group and stratum.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from model.evaluation.bootstrap import DRAWS, interval
from model.evaluation.figures import Judged
from model.evaluation.labels import NOT_GIVEN

Values = npt.NDArray[np.float64]

STRATUM: Final = 10
"""Width of a stratum of age, years."""

LEAST_FACES: Final = 50
LEAST_IN_STRATUM: Final = 5


def matched_gaps(faces: Sequence[Judged], draws: int = DRAWS, seed: int = 0) -> dict[str, dict[str, Any]]:
    """For every grouping column with two groups to compare: `matched_gap`."""
    columns = sorted(faces[0].groups) if faces else []
    found = {column: matched_gap(faces, column, draws, seed) for column in columns}
    return {column: gap for column, gap in found.items() if gap is not None}


def matched_gap(faces: Sequence[Judged], column: str, draws: int = DRAWS, seed: int = 0) -> dict[str, Any] | None:
    """Errors of one column's groups at equal ages, None when there are not two groups with a stratum in common.

    Returns:
        stratum (years), ages (first ages of the strata), n (faces in them), groups (value: n, mae, mae_95),
        largest_gap (years), between (the worse group, the better one), largest_gap_95, left_out (groups too small).
        The gap's interval is that of this pair's difference, so it may reach below zero.
    """
    counts = Counter(face.groups[column] for face in faces)
    counts.pop(NOT_GIVEN, None)
    names = sorted(name for name, count in counts.items() if count >= LEAST_FACES)
    cells = _cells(faces, column, names)
    strata = [age for age in sorted(cells) if all(len(cells[age][name]) >= LEAST_IN_STRATUM for name in names)]
    if len(names) < 2 or not strata:
        return None
    sizes = np.array([sum(len(errors) for errors in cells[age].values()) for age in strata], dtype=np.float64)
    weights = sizes / sizes.sum()
    rng = np.random.default_rng(seed)
    mae = {name: float(weights @ [cells[age][name].mean() for age in strata]) for name in names}
    drawn = {name: np.array([_means(cells[age][name], draws, rng) for age in strata]).T @ weights for name in names}
    worse, better = max(combinations(names, 2), key=lambda pair: abs(mae[pair[0]] - mae[pair[1]]))
    if mae[worse] < mae[better]:
        worse, better = better, worse
    return {
        "stratum": STRATUM,
        "ages": strata,
        "n": int(sizes.sum()),
        "groups": {
            name: {
                "n": sum(len(cells[age][name]) for age in strata),
                "mae": round(mae[name], 3),
                "mae_95": interval(drawn[name]),
            }
            for name in names
        },
        "largest_gap": round(mae[worse] - mae[better], 3),
        "between": [worse, better],
        "largest_gap_95": interval(drawn[worse] - drawn[better]),
        "left_out": {name: count for name, count in sorted(counts.items()) if name not in names},
    }


def _cells(faces: Sequence[Judged], column: str, names: Sequence[str]) -> dict[int, dict[str, Values]]:
    """Errors by first age of the stratum and group."""
    found: dict[int, dict[str, list[float]]] = {}
    for face in faces:
        if face.groups[column] in names:
            stratum = found.setdefault(int(face.age // STRATUM) * STRATUM, {name: [] for name in names})
            stratum[face.groups[column]].append(abs(face.estimate.years - face.age))
    return {age: {name: np.array(errors) for name, errors in cell.items()} for age, cell in found.items()}


def _means(errors: Values, draws: int, rng: np.random.Generator) -> Values:
    return np.asarray(errors[rng.integers(0, len(errors), (draws, len(errors)))].mean(axis=1))
