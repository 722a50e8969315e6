"""What happens to the pixels: decode, detect, align, measure, estimate. Knows nothing of Kafka.

`look` runs in several threads at once; `estimate` in one.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contracts.limits import MAX_FRAME_PIXELS
from contracts.settings import ModelSettings
from model.alignment import chip
from model.detector import FaceDetector
from model.estimator import AgeEstimator
from model.faces import AgeEstimate, Detection, Quality
from model.images import decode_jpeg
from model.manifest import PresetManifest
from model.quality import measure
from model.thorough import ThoroughDetector

SMOOTHING = 0.1
"""Weight of the newest measurement in the running mean of the detection time."""


@dataclass(frozen=True)
class Looked:
    """One frame after detection: its faces, their chips (uint8 RGB [n, s, s, 3]) and how long it took."""

    width: int
    height: int
    detections: list[Detection]
    qualities: list[Quality]
    chips: npt.NDArray[np.uint8]
    decode_ms: float
    detect_ms: float


class Pipeline:
    """Detector and estimator as one."""

    def __init__(
        self,
        detector: FaceDetector,
        thorough: ThoroughDetector,
        estimator: AgeEstimator,
        manifest: PresetManifest,
        settings: ModelSettings,
        *,
        threads: int,
        max_faces: int,
    ) -> None:
        self._detector = detector
        self._thorough = thorough
        self._estimator = estimator
        self._manifest = manifest
        self._settings = settings
        self._threads = threads
        self._max_faces = max_faces
        self._look_ms = 10.0
        self._faces_per_frame = 1.0

    @property
    def manifest(self) -> PresetManifest:
        """The preset that answers."""
        return self._manifest

    @property
    def settings(self) -> ModelSettings:
        """Thresholds for abstaining."""
        return self._settings

    def warm_up(self) -> None:
        """Trace every fixed batch size and run the detector once, before the first frame is taken."""
        self._estimator.warm_up()
        self._detector.detect(np.zeros((480, 640, 3), np.uint8))

    def look(self, jpeg: bytes, thorough: bool = False) -> Looked:
        """Decode a frame and find its faces; `thorough` for photos, which nobody expects within milliseconds.

        Raises:
            InvalidInput: not a JPEG, truncated, or too many pixels.
        """
        started = time.perf_counter()
        image = decode_jpeg(jpeg, MAX_FRAME_PIXELS)
        decoded = time.perf_counter()
        detector = self._thorough if thorough else self._detector
        detections = detector.detect(image)[: self._max_faces]
        size, padding = self._manifest.input_size, self._manifest.padding
        chips = [chip(image, found.landmarks, size, padding) for found in detections]
        looked = Looked(
            width=image.shape[1],
            height=image.shape[0],
            detections=detections,
            qualities=[measure(image, found) for found in detections],
            chips=np.stack(chips) if chips else np.zeros((0, size, size, 3), np.uint8),
            decode_ms=(decoded - started) * 1000,
            detect_ms=(time.perf_counter() - decoded) * 1000,
        )
        if not thorough:
            self._look_ms += SMOOTHING * (looked.decode_ms + looked.detect_ms - self._look_ms)
        return looked

    def estimate(
        self, frames: Sequence[Looked], wanted: Sequence[Sequence[int]] | None = None
    ) -> list[list[AgeEstimate]]:
        """Estimate faces of several frames as one batch; one list a frame.

        Args:
            frames: what was seen.
            wanted: numbers of the faces to estimate, for every frame; None: all of them.
        """
        chosen = [list(range(len(looked.detections))) for looked in frames] if wanted is None else wanted
        counts = [len(numbers) for numbers in chosen]
        if wanted is not None and frames:
            self._faces_per_frame += SMOOTHING * (sum(counts) / len(frames) - self._faces_per_frame)
        if not sum(counts):
            return [[] for _ in frames]
        chips = [looked.chips[list(numbers)] for looked, numbers in zip(frames, chosen, strict=True) if numbers]
        ages = iter(self._estimator.predict(np.concatenate(chips)))
        return [[next(ages) for _ in range(count)] for count in counts]

    def predict_ms(self, frames: int) -> float:
        """Predicted milliseconds from taking a batch of n frames to its ages, from running means."""
        rounds = -(-frames // self._threads)
        return rounds * self._look_ms + self.estimate_ms(max(1, round(frames * self._faces_per_frame)))

    def estimate_ms(self, faces: int) -> float:
        """Predicted milliseconds of the ages of n faces."""
        if not faces:
            return 0.0
        sizes = self._estimator.batch_sizes
        full, rest = divmod(faces, sizes[-1])
        estimate = full * self._estimator.batch_ms(sizes[-1]) if full else 0.0
        if rest:
            estimate += self._estimator.batch_ms(next(size for size in sizes if size >= rest))
        return estimate
