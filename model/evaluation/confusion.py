"""How often answers about gender and ethnicity are right, for presets that give them.

Guarantee: only labelled faces count, and gender only from `ADULT` on: nobody can tell a baby's from its face.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from model.evaluation.bootstrap import DRAWS, mean_interval
from model.evaluation.figures import Judged
from model.faces import ETHNICITIES

ADULT: Final = 16.0
"""Gender is judged from this age on, years."""

GENDERS: Final = ("F", "M")
"""Labels; the answer is the probability of the second."""


def confusions(faces: Sequence[Judged], draws: int = DRAWS, seed: int = 0) -> dict[str, dict[str, Any]]:
    """Tables by head; a head without answers or labels is left out.

    Returns:
        For `gender` and `ethnicity`: labels, table (rows: label, columns: answer, counts), n, right (share), right_95.
    """
    gender = [
        (GENDERS.index(face.groups["gender"]), int(face.estimate.gender > 0.5))
        for face in faces
        if face.estimate.gender is not None and face.groups.get("gender") in GENDERS and face.age >= ADULT
    ]
    ethnicity = [
        (ETHNICITIES.index(face.groups["ethnicity"]), int(np.argmax(face.estimate.ethnicity)))
        for face in faces
        if face.estimate.ethnicity is not None and face.groups.get("ethnicity") in ETHNICITIES
    ]
    heads = (("gender", GENDERS, gender), ("ethnicity", ETHNICITIES, ethnicity))
    return {name: _table(labels, pairs, draws, seed) for name, labels, pairs in heads if pairs}


def _table(labels: Sequence[str], pairs: Sequence[tuple[int, int]], draws: int, seed: int) -> dict[str, Any]:
    table = np.zeros((len(labels), len(labels)), dtype=np.int64)
    for truth, answer in pairs:
        table[truth, answer] += 1
    right = np.array([truth == answer for truth, answer in pairs], dtype=np.float64)
    return {
        "labels": list(labels),
        "table": table.tolist(),
        "n": len(pairs),
        "right": round(float(right.mean()), 4),
        "right_95": mean_interval(right, draws, seed),
    }
