"""Runs presets over labelled faces: read, find, align, estimate, judge.

Pictures are read and looked at in threads while the network works on earlier ones; at most `AHEAD` pictures wait, so
memory does not grow with the list. Every preset sees the same faces.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from contracts.errors import InvalidInput, Reason
from contracts.limits import MAX_FRAME_PIXELS
from contracts.settings import ModelSettings, Settings
from model.abstention import decide
from model.alignment import chip
from model.backend import configure_backend
from model.estimator import AgeEstimator
from model.evaluation.figures import Judged, summary
from model.evaluation.finding import PatientDetector, main_face
from model.evaluation.labels import Labelled, Labels, Problem
from model.faces import Quality
from model.images import SIGNATURE, decode_jpeg
from model.manifest import PresetManifest, load_preset
from model.quality import measure
from model.weights import path_of, weights_folder

Picture = npt.NDArray[np.uint8]
Advance = Callable[[int], None]
"""Called with how many faces are done so far."""

BATCH: Final = 32
AHEAD: Final = 96


@dataclass(frozen=True, slots=True)
class Seen:
    """One labelled face after detection.

    Attributes:
        quality: None when no face was found.
        chips: one a preset, RGB uint8 [size, size, 3]; of the whole picture when no face was found.
        read_ms, detect_ms: reading and decoding; finding, aligning and measuring.
    """

    row: Labelled
    quality: Quality | None
    chips: tuple[Picture, ...]
    read_ms: float
    detect_ms: float


@dataclass
class Tally:
    """What one preset has made of the faces so far."""

    estimator: AgeEstimator
    judged: list[Judged] = field(default_factory=list)
    seconds: float = 0.0

    def take(self, batch: Sequence[Seen], chips: Picture, settings: ModelSettings) -> None:
        """Estimate and judge one batch; `chips` RGB uint8 [n, size, size, 3]."""
        started = time.perf_counter()
        estimates = self.estimator.predict(chips)
        self.seconds += time.perf_counter() - started
        for seen, estimate in zip(batch, estimates, strict=True):
            refused = decide(seen.quality, estimate, settings) if seen.quality else None
            reason = refused.reason.value if refused else None
            self.judged.append(Judged(seen.row.age, estimate, seen.quality is None, reason, seen.row.groups))


def evaluate(
    labels: Labels, presets: Sequence[str], settings: Settings, advance: Advance | None = None
) -> dict[str, dict[str, Any]]:
    """Evaluate presets on the same faces.

    Returns:
        By preset: `model.evaluation.figures.summary`, and preset, version, sha256; ms_per_face (one face after the
        other: read, detect, align and estimate) and stages_ms; skipped_n and skipped, the rows that could not be
        used, each with file, line, path and reason.

    Raises:
        FatalError: no such preset, or its weights are not there.
        InvalidInput: not one picture could be read.
    """
    configure_backend(settings.processor.model_threads)
    manifests = [load_preset(name) for name in presets]
    detector = PatientDetector(
        path_of("yunet", settings.cache), settings.model.detector_edge, settings.model.detector_score
    )
    tallies = [Tally(AgeEstimator(one, weights_folder(settings.cache), (BATCH,))) for one in manifests]
    for tally in tallies:
        tally.estimator.warm_up()
    problems = list(labels.problems)
    times: list[tuple[float, float]] = []
    done = 0
    looked = look_ahead(labels.rows, lambda row: look(row, detector, manifests), settings.processor.decode_threads)
    for batch in _batches(looked, problems, times):
        for index, tally in enumerate(tallies):
            tally.take(batch, np.stack([seen.chips[index] for seen in batch]), settings.model)
        done += len(batch)
        if advance:
            advance(done)
    if not times:
        raise InvalidInput(Reason.NOT_AN_IMAGE, f"{labels.source}: no picture can be read; {problems[0].reason}")
    return {tally.estimator.manifest.name: _report(tally, labels.source, problems, times) for tally in tallies}


def look(row: Labelled, detector: PatientDetector, presets: Sequence[PresetManifest]) -> Seen:
    """Read one picture and cut its face out, for every preset.

    Raises:
        InvalidInput: not a picture that can be read.
    """
    started = time.perf_counter()
    picture = read_picture(row.path)
    read = time.perf_counter()
    height, width = picture.shape[:2]
    face = main_face(detector.find(picture).faces, width, height)
    if face is None:
        quality, chips = None, tuple(whole(picture, one.input_size) for one in presets)
    else:
        quality = measure(picture, face)
        chips = tuple(chip(picture, face.landmarks, one.input_size, one.padding) for one in presets)
    return Seen(row, quality, chips, (read - started) * 1000, (time.perf_counter() - read) * 1000)


def read_picture(path: Path) -> Picture:
    """A picture file as BGR uint8 [height, width, 3], EXIF orientation applied.

    Raises:
        InvalidInput: no such file, or not a whole picture that can be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput(Reason.NOT_AN_IMAGE, error.strerror or str(error)) from error
    if not data:
        raise InvalidInput(Reason.EMPTY, "0 bytes")
    if data.startswith(SIGNATURE):
        return decode_jpeg(data, MAX_FRAME_PIXELS)
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise InvalidInput(Reason.NOT_AN_IMAGE, "not a picture that can be read")
    return np.asarray(picture, np.uint8)


def whole(picture: Picture, size: int) -> Picture:
    """The whole picture as if it were the face: its central square, RGB uint8 [size, size, 3]."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = picture[top : top + side, left : left + side]
    method = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    return np.ascontiguousarray(cv2.resize(square, (size, size), interpolation=method)[:, :, ::-1], dtype=np.uint8)


def look_ahead(
    rows: Iterable[Labelled], looking: Callable[[Labelled], Seen], threads: int
) -> Iterator[tuple[Labelled, Future[Seen]]]:
    """Look at rows in threads, in order, at most `AHEAD` of them at a time."""
    with ThreadPoolExecutor(threads, "look") as pool:
        waiting: deque[tuple[Labelled, Future[Seen]]] = deque()
        for row in rows:
            waiting.append((row, pool.submit(looking, row)))
            if len(waiting) >= AHEAD:
                yield waiting.popleft()
        yield from waiting


def _batches(
    looked: Iterable[tuple[Labelled, Future[Seen]]], problems: list[Problem], times: list[tuple[float, float]]
) -> Iterator[list[Seen]]:
    """Faces by `BATCH`; rows whose picture cannot be read become problems."""
    batch: list[Seen] = []
    for row, future in looked:
        try:
            seen = future.result()
        except InvalidInput as problem:
            problems.append(Problem(row.line, str(row.path), problem.detail))
            continue
        times.append((seen.read_ms, seen.detect_ms))
        batch.append(seen)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _report(
    tally: Tally, source: Path, problems: Sequence[Problem], times: Sequence[tuple[float, float]]
) -> dict[str, Any]:
    manifest = tally.estimator.manifest
    read, detect = np.array(times).mean(axis=0)
    estimate = tally.seconds * 1000 / len(tally.judged)
    skipped = [
        {"file": str(source), "line": one.line, "path": one.path, "reason": one.reason}
        for one in sorted(problems, key=lambda problem: problem.line)
    ]
    return {
        "preset": manifest.name,
        "version": manifest.version,
        "sha256": manifest.sha256,
        **summary(tally.judged),
        "ms_per_face": round(float(read + detect + estimate), 2),
        "stages_ms": {
            "read": round(float(read), 2),
            "detect": round(float(detect), 2),
            "estimate": round(float(estimate), 2),
        },
        "skipped_n": len(skipped),
        "skipped": skipped,
    }
