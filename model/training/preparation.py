"""Finds and aligns every face of a manifest once, with the very functions that serve, and keeps the chips on disk.

The folder holds four arrays in the order of the manifest: `state.npy`, `chips.npy`, `digests.npy`, `quality.npy`, and
is named by what made it: the entries, the geometry and the detector's file. Guarantee: a run that ends early goes on
where it stopped (a chip is on disk before its state says so), and a changed manifest never meets an old chip.

A chip is cut with the preset's geometry and `margin` more pixels on every side, at the same scale: its middle is,
pixel by pixel, what serving sees, and the margin is room for shifts and turns.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final, Self

import cv2
import numpy as np
import numpy.typing as npt

from contracts.errors import InvalidInput
from model.alignment import chip
from model.evaluation.finding import PatientDetector, main_face
from model.evaluation.run import whole
from model.quality import measure
from model.training.archives import PictureStore
from model.training.samples import Manifest, Problem, ProblemKind, Sample
from model.weights import file_digest

Picture = npt.NDArray[np.uint8]
Advance = Callable[[int], None]

FLUSH_EVERY: Final = 256
"""Faces between two writes of what is done: at most this much work is repeated after a kill."""

LAYOUT: Final = "1"
"""Raise it when the chips are cut in another way."""


class State(IntEnum):
    """What became of an entry."""

    NOT_YET = 0
    FACE = 1
    NO_FACE = 2
    UNREADABLE = 3


@dataclass(frozen=True, slots=True)
class Geometry:
    """How chips are cut: side of the network's input, dlib's padding, and the margin kept around it, pixels."""

    size: int
    padding: float
    margin: int = 16

    @property
    def side(self) -> int:
        """Side of the cached chip, pixels."""
        return self.size + 2 * self.margin

    @property
    def wide_padding(self) -> float:
        """The padding that makes a chip of `side` pixels as fine as one of `size` with `padding`.

        The outermost pixels lie on the chip's edge, so `size - 1` steps span it (`model.alignment.chip`).
        """
        return ((self.side - 1) / (self.size - 1) * (1 + 2 * self.padding) - 1) / 2


@dataclass(frozen=True, slots=True)
class Prepared:
    """A manifest's faces on disk.

    Attributes:
        state: `State` of every entry [n].
        chips: RGB uint8 [n, side, side, 3]; of the picture's middle where no face was found. Mapped, not loaded.
        digests: 16 bytes of every file's sha256, uint8 [n, 16].
        quality: float32 [n, 5]: size_px, sharpness, brightness, yaw, roll.
    """

    folder: Path
    state: npt.NDArray[np.uint8]
    chips: Picture
    digests: npt.NDArray[np.uint8]
    quality: npt.NDArray[np.float32]

    @classmethod
    def at(cls, folder: Path, count: int, side: int) -> Self:
        """Open, or make, the arrays of `count` entries."""
        folder.mkdir(parents=True, exist_ok=True)

        def mapped(name: str, kind: type, shape: tuple[int, ...]) -> npt.NDArray[np.generic]:
            path = folder / f"{name}.npy"
            mode = "r+" if path.is_file() else "w+"
            return np.lib.format.open_memmap(path, mode=mode, dtype=kind, shape=None if mode == "r+" else shape)

        return cls(
            folder,
            np.asanyarray(mapped("state", np.uint8, (count,)), np.uint8),
            np.asanyarray(mapped("chips", np.uint8, (count, side, side, 3)), np.uint8),
            np.asanyarray(mapped("digests", np.uint8, (count, 16)), np.uint8),
            np.asanyarray(mapped("quality", np.float32, (count, 5)), np.float32),
        )


def prepared_folder(cache: Path, manifest: Manifest, geometry: Geometry, detector: Path) -> Path:
    """Where the chips of this manifest lie."""
    digest = hashlib.sha256(f"{LAYOUT} {geometry} {file_digest(detector)}\n".encode())
    for sample in manifest.samples:
        digest.update(f"{sample.folder}\t{sample.path}\n".encode())
    return cache / "training" / "chips" / digest.hexdigest()[:16]


def prepare(
    manifest: Manifest, cache: Path, geometry: Geometry, detector: Path, advance: Advance | None = None
) -> Prepared:
    """Find, align and keep every face that is not kept yet.

    Args:
        cache: Mairror's cache folder, or another outside the repository.
        detector: YuNet's file.
        advance: called with the number of entries done.
    """
    folder = prepared_folder(cache, manifest, geometry, detector)
    prepared = Prepared.at(folder, len(manifest.samples), geometry.side)
    waiting = np.flatnonzero(prepared.state == State.NOT_YET)
    finder = PatientDetector(detector)
    cv2.setNumThreads(1)
    with PictureStore() as store:
        for start in range(0, len(waiting), FLUSH_EVERY):
            part = waiting[start : start + FLUSH_EVERY]
            states = [_one(manifest.samples[index], int(index), prepared, store, finder, geometry) for index in part]
            for array in (prepared.chips, prepared.digests, prepared.quality):
                _flush(array)
            prepared.state[part] = states
            _flush(prepared.state)
            if advance:
                advance(len(manifest.samples) - len(waiting) + start + len(part))
    return prepared


def _flush(array: npt.NDArray[np.generic]) -> None:
    if isinstance(array, np.memmap):
        array.flush()


def _one(
    sample: Sample,
    index: int,
    prepared: Prepared,
    store: PictureStore,
    finder: PatientDetector,
    geometry: Geometry,
) -> State:
    try:
        picture, data = store.picture(sample.folder, sample.path)
    except InvalidInput:
        return State.UNREADABLE
    prepared.digests[index] = np.frombuffer(hashlib.sha256(data).digest()[:16], np.uint8)
    height, width = picture.shape[:2]
    face = main_face(finder.find(picture).faces, width, height)
    if face is None:
        prepared.chips[index] = whole(picture, geometry.side)
        return State.NO_FACE
    prepared.chips[index] = chip(picture, face.landmarks, geometry.side, geometry.wide_padding)
    seen = measure(picture, face)
    prepared.quality[index] = (seen.size_px, seen.sharpness, seen.brightness, seen.yaw, seen.roll)
    return State.FACE


def found_problems(manifest: Manifest, prepared: Prepared) -> list[Problem]:
    """Entries whose picture cannot be read, shows no face, or is, byte for byte, that of an earlier entry."""
    problems: list[Problem] = []
    first: dict[bytes, Sample] = {}
    for index, sample in enumerate(manifest.samples):
        if prepared.state[index] == State.UNREADABLE:
            problems.append(_problem(sample, ProblemKind.UNREADABLE, "not a whole picture that can be read"))
            continue
        twin = first.setdefault(prepared.digests[index].tobytes(), sample)
        if twin is not sample:
            text = f"the same file as {twin.source}: {twin.path}, labelled {twin.age:g} there and {sample.age:g} here"
            problems.append(_problem(sample, ProblemKind.DUPLICATE, text))
        elif prepared.state[index] == State.NO_FACE:
            problems.append(_problem(sample, ProblemKind.NO_FACE, "no face found"))
    return problems


def _problem(sample: Sample, kind: ProblemKind, detail: str) -> Problem:
    return Problem(sample.source, sample.path, kind, detail)


def usable(manifest: Manifest, problems: Sequence[Problem]) -> npt.NDArray[np.int64]:
    """Indices of the samples no problem names."""
    bad = {(problem.source, problem.file) for problem in problems}
    return np.array(
        [index for index, one in enumerate(manifest.samples) if (one.source, one.path) not in bad], dtype=np.int64
    )
