"""Finds faces with YuNet, through OpenCV's `FaceDetectorYN`.

Guarantee: `FaceDetector.detect` may be called from any number of threads at once. A `cv2.FaceDetectorYN` keeps its
input size and buffers inside, so every thread has its own, one per input size. Sizes are padded to multiples of the
network's stride, so a thread holds at most 2 x edge / 32 of them however many picture shapes it meets.
"""

import threading
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from contracts.errors import FatalError
from model.faces import Detection

STRIDE: Final = 32
"""The coarsest grid of YuNet, pixels: its input is padded to a multiple of this anyway."""

NMS_OVERLAP: Final = 0.3
"""Two boxes that overlap more than this (intersection over union) are one face; OpenCV's default for YuNet."""

TOP_K: Final = 5000
"""Candidates kept before overlapping boxes are merged; OpenCV's default for YuNet."""


OPENCV_ERRORS: Final = 2
"""OpenCV's log level that shows errors and nothing below."""


class FaceDetector:
    """YuNet at one working size.

    Args:
        weights: the ONNX file, `model.weights.path_of("yunet", cache)`.
        edge: length the picture's long edge is scaled to, pixels, >= 32. Smaller is faster and misses small faces.
        score: least confidence of a face, 0..1.

    Raises:
        FatalError: no file at `weights`.
    """

    def __init__(self, weights: Path, edge: int = 320, score: float = 0.7) -> None:
        if not weights.is_file():
            raise FatalError(f"no detector weights at {weights}: run `mairror weights`")
        # OpenCV 5 warns about every network it loads that its new engine picks the device by itself.
        cv2.utils.logging.setLogLevel(OPENCV_ERRORS)
        self._weights = weights
        self._edge = max(edge, STRIDE)
        self._score = score
        self._local = threading.local()

    def detect(self, bgr: npt.NDArray[np.uint8]) -> list[Detection]:
        """Find the faces of one picture.

        Args:
            bgr: uint8 [height, width, 3], not empty.

        Returns:
            Faces, largest box first, in pixels of `bgr`, boxes clipped to it.
        """
        height, width = bgr.shape[:2]
        canvas, scale_x, scale_y = self._fit(bgr)
        _, rows = self._network(canvas.shape[1], canvas.shape[0]).detect(canvas)
        if rows is None:
            return []
        stretch = np.array([scale_x, scale_y], dtype=np.float32)
        found = [_detection(row, stretch, width, height) for row in rows]
        faces = [face for face in found if face is not None]
        return sorted(faces, key=lambda face: face.width * face.height, reverse=True)

    def _fit(self, bgr: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], float, float]:
        """Scale to the working size and pad to the stride; also returns original pixels per working pixel."""
        height, width = bgr.shape[:2]
        scale = self._edge / max(height, width)
        inner_w, inner_h = max(1, round(width * scale)), max(1, round(height * scale))
        # Averaging when shrinking keeps small faces; it has no meaning when enlarging.
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        scaled = bgr if scale == 1 else cv2.resize(bgr, (inner_w, inner_h), interpolation=method)
        right, bottom = -inner_w % STRIDE, -inner_h % STRIDE
        if right or bottom:
            scaled = cv2.copyMakeBorder(scaled, 0, bottom, 0, right, cv2.BORDER_CONSTANT, value=(0, 0, 0))
        return np.asarray(scaled, dtype=np.uint8), width / inner_w, height / inner_h

    def _network(self, width: int, height: int) -> Any:
        networks: dict[tuple[int, int], Any] = self._local.__dict__.setdefault("networks", {})
        network = networks.get((width, height))
        if network is None:
            network = cv2.FaceDetectorYN.create(
                str(self._weights), "", (width, height), self._score, NMS_OVERLAP, TOP_K
            )
            networks[width, height] = network
        return network


def _detection(
    row: npt.NDArray[np.float32], stretch: npt.NDArray[np.float32], width: int, height: int
) -> Detection | None:
    """One row of YuNet's output (x, y, w, h, 5 landmarks, score) in original pixels; None when outside the picture."""
    left, top = np.clip(row[:2] * stretch, 0, (width, height))
    right, bottom = np.clip((row[:2] + row[2:4]) * stretch, 0, (width, height))
    if right - left < 1 or bottom - top < 1:
        return None
    landmarks = (row[4:14].reshape(5, 2) * stretch).astype(np.float32)
    return Detection(
        float(left), float(top), float(right - left), float(bottom - top), min(1.0, float(row[14])), landmarks
    )
