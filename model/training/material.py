"""Fixes what a run learns from, before anything is learned: faces, splits, teachers, and what cannot be used."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from contracts.errors import InvalidInput, Reason
from model.training.config import TrainingConfig, place_of
from model.training.datasets import READERS
from model.training.preparation import Geometry, Prepared, State, found_problems, prepare
from model.training.samples import Manifest, Problem, ProblemKind, refuse
from model.training.splits import fixed_splits
from model.training.teachers import Seen, look
from model.training.twins import groups, near_twins
from model.weights import path_of

Indices = npt.NDArray[np.int64]


class Watcher(Protocol):
    """Who is told how a run goes on."""

    def step(self, text: str, done: int, total: int) -> None:
        """`done` of `total` of the step called `text`."""

    def say(self, text: str) -> None:
        """A line for people."""


@dataclass(frozen=True)
class Material:
    """All that is fixed before training begins: faces, teachers, splits and problems."""

    manifest: Manifest
    geometry: Geometry
    prepared: Prepared
    seen: Seen
    split: list[str]
    problems: list[Problem]

    def indices(self, split: str, leave_out: Sequence[str] = ()) -> Indices:
        """Entries of a split: for training those no problem names, else all that can be read."""
        bad = {(one.source, one.file) for one in self.problems}
        chosen = []
        for index, sample in enumerate(self.manifest.samples):
            if self.split[index] != split or self.prepared.state[index] in (State.UNREADABLE, State.NOT_YET):
                continue
            if split == "train" and ((sample.source, sample.path) in bad or sample.source in leave_out):
                continue
            chosen.append(index)
        return np.array(chosen, dtype=np.int64)


def gather(config: TrainingConfig, path: Path, cache: Path, watcher: Watcher) -> Material:
    """Read, prepare, split, and let the teachers look."""
    import keras

    manifest = Manifest()
    for entry in config.data.sets:
        manifest.extend(READERS[entry.format](entry.name, place_of(entry, path)))
    if not manifest.samples:
        raise InvalidInput(Reason.EMPTY, f"{path}: no data set has a usable entry; {len(manifest.problems)} problems")
    sources = {sample.source for sample in manifest.samples}
    if set(config.data.leave_out) - sources:
        raise InvalidInput(
            Reason.BAD_BODY,
            f"{path}: data.leave_out names {', '.join(sorted(set(config.data.leave_out) - sources))}; "
            f"the sources are {', '.join(sorted(sources))}",
        )
    total = len(manifest.samples)
    detector, geometry = path_of("yunet", cache), Geometry(config.size, config.padding)
    prepared = prepare(manifest, cache, geometry, detector, lambda done: watcher.step("align", done, total))
    twins = twin_groups(prepared)
    split, near = fixed_splits(manifest.samples, prepared.digests, twins, config.seed)
    problems = [*manifest.problems, *found_problems(manifest, prepared), *near]
    for one in problems:
        watcher.say(f"{one.source}: {one.file}: {one.kind}: {one.detail}")
    refuse(problems, [kind for kind in ProblemKind if kind not in config.data.skip])
    keras.config.set_dtype_policy(config.precision)
    seen = look(prepared, geometry, cache, lambda done: watcher.step("teachers", done, total))
    return Material(manifest, geometry, prepared, seen, split, problems)


def twin_groups(prepared: Prepared) -> Indices:
    """The twins' group of every entry, kept beside the chips."""
    path = prepared.folder / "twins.npy"
    if not path.is_file():
        found = groups(len(prepared.state), near_twins(prepared.chips))
        part = path.with_suffix(".part.npy")
        np.save(part, found)
        part.replace(path)
    return np.asarray(np.load(path), dtype=np.int64)
