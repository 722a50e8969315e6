"""Finds faces in pictures that are expected to show one: labelled face crops, uploaded photos.

A live frame without a face is ordinary, and one look is enough. A face crop often has nothing around the face, and
YuNet needs some: of 435 validation faces cut down to 60 % of their crop it finds 297 as they are and 435 with this
module; of the same cut to 50 %, where chin and forehead are gone, 231 and 435. On 60 pictures of noise and discs no
step finds a face.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from model.detector import FaceDetector
from model.faces import Detection

Picture = npt.NDArray[np.uint8]

BORDER: Final = 0.5
"""Black border added on every side, as a share of the picture's side. Measured on the crops above: 0.25 and 1.0 find
slightly fewer; a replicated border (streaks of skin) finds clearly fewer."""

FINER: Final = 2.0
"""How much longer the detector's edge is in the step that looks for small faces in large pictures."""

LEAST_SCORE: Final = 0.3
"""Detector score of the last step."""


@dataclass(frozen=True, slots=True)
class Found:
    """Faces, largest first, in pixels of the picture given; and the step that found them (0: at first sight).

    Without any face, `step` is the number of steps that were tried.
    """

    faces: list[Detection]
    step: int


class PatientDetector:
    """Looks again, each time in another way, until a face is found. Safe to use from any number of threads.

    Steps: as a live frame is looked at; with a black border; at twice the working size; with border and low score.

    Args:
        weights, edge, score: as for `model.detector.FaceDetector`.
        least_score: score of the last step; set it to `score` where a false face is worse than a missed one.

    Raises:
        FatalError: no file at `weights`.
    """

    def __init__(self, weights: Path, edge: int = 320, score: float = 0.7, *, least_score: float = LEAST_SCORE) -> None:
        usual = FaceDetector(weights, edge, score)
        lenient = FaceDetector(weights, edge, min(score, least_score))
        self._steps = (
            (usual, 0.0),
            (usual, BORDER),
            (FaceDetector(weights, round(edge * FINER), score), 0.0),
            (lenient, BORDER),
        )

    def find(self, bgr: Picture) -> Found:
        """The faces of the first step that finds any.

        Args:
            bgr: uint8 [height, width, 3], not empty.
        """
        for step, (detector, border) in enumerate(self._steps):
            faces = detect_with_border(detector, bgr, border) if border else detector.detect(bgr)
            if faces:
                return Found(faces, step)
        return Found([], len(self._steps))


def detect_with_border(detector: FaceDetector, bgr: Picture, share: float) -> list[Detection]:
    """Faces of the picture with black around it, in pixels of the picture itself; boxes are clipped to it.

    Args:
        share: width of the border as a share of the picture's own side, each side.
    """
    height, width = bgr.shape[:2]
    down, right = round(height * share), round(width * share)
    framed = cv2.copyMakeBorder(bgr, down, down, right, right, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    moved = (_moved(face, right, down, width, height) for face in detector.detect(np.asarray(framed, dtype=np.uint8)))
    return [face for face in moved if face is not None]


def main_face(faces: list[Detection], width: int, height: int) -> Detection | None:
    """The face a labelled picture is about: large, and near the middle; None when there is none.

    A face counts with its area, falling linearly to nothing at the corner of the picture.
    """
    corner = float(np.hypot(width, height)) / 2

    def weight(face: Detection) -> float:
        across, along = face.x + face.width / 2 - width / 2, face.y + face.height / 2 - height / 2
        return face.width * face.height * (1 - float(np.hypot(across, along)) / corner)

    return max(faces, key=weight, default=None)


def _moved(face: Detection, right: int, down: int, width: int, height: int) -> Detection | None:
    """A face found in the bordered picture, in pixels of the picture; None when it lies in the border."""
    x, y = max(0.0, face.x - right), max(0.0, face.y - down)
    last_x, last_y = min(float(width), face.x + face.width - right), min(float(height), face.y + face.height - down)
    if last_x - x < 1 or last_y - y < 1:
        return None
    landmarks = face.landmarks - np.array([right, down], dtype=np.float32)
    return Detection(x, y, last_x - x, last_y - y, face.score, landmarks)
