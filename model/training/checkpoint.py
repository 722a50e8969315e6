"""Keeps the state of a run on disk, so that a run that was killed goes on where its last epoch ended.

One .npz without pickled objects: weights, their running mean, the optimizer's variables, the best weights so far, and
the figures of every epoch as JSON. Guarantee: the file is whole or the one before it.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Arrays = list[npt.NDArray[Any]]

FILE: Final = "checkpoint.npz"


@dataclass
class Progress:
    """What a run knows at the end of an epoch.

    Attributes:
        epoch: epochs done. step: steps done.
        best: the best validation score, years; best_epoch: when.
        history: figures of each epoch.
    """

    epoch: int = 0
    step: int = 0
    best: float = float("inf")
    best_epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    weights: Arrays = field(default_factory=list)
    averaged: Arrays = field(default_factory=list)
    best_weights: Arrays = field(default_factory=list)
    optimizer: Arrays = field(default_factory=list)


LISTS: Final = ("weights", "averaged", "best_weights", "optimizer")


def save(folder: Path, progress: Progress) -> None:
    """Write the checkpoint, whole or not at all."""
    told = {key: getattr(progress, key) for key in ("epoch", "step", "best", "best_epoch", "history")}
    arrays = {f"{name}/{index}": array for name in LISTS for index, array in enumerate(getattr(progress, name))}
    part = folder / f".{FILE}.part"
    named: dict[str, Any] = {**arrays, "progress": np.array(json.dumps(told))}
    with part.open("wb") as file:
        np.savez(file, **named)
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / FILE)


def load(folder: Path) -> Progress | None:
    """The last checkpoint, or None when the run has none yet."""
    path = folder / FILE
    if not path.is_file():
        return None
    with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
        progress = Progress(**json.loads(str(file["progress"])))
        for name in LISTS:
            count = sum(key.startswith(f"{name}/") for key in file.files)
            setattr(progress, name, [file[f"{name}/{index}"] for index in range(count)])
    return progress
