"""faceres-deep, the stronger of the networks that come with @vladmandic/human, behind our own detector and alignment.

No program installs it this way: it is the best that published network gives, and what `mairror-age-1` begins from.
"""

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from model.alignment import chip
from model.backend import compile_predict
from model.evaluation.finding import PatientDetector, main_face
from model.evaluation.looking import whole
from model.mobilenet import TEACHER_BINS, TEACHER_SIZE, build_faceres_deep
from model.training.teacher_weights import faceres_deep

Picture = npt.NDArray[np.uint8]

PADDING: Final = 0.45
"""Of the chip; the best of those tried (docs/training.md)."""

NOT_FOUND: Final = 2


class FaceresDeep:
    """A rival (`asking.Rival`) in this process. Its age is the mean of its distribution, bin 0 being the first year.

    Raises:
        FatalError, RetryableError: its weights are not there and cannot be fetched.
    """

    name = "faceres-deep"

    def __init__(self, cache: Path, detector: PatientDetector) -> None:
        self._detector = detector
        import keras

        network = build_faceres_deep(faceres_deep(cache), TEACHER_SIZE)
        self._ages = compile_predict(keras.Model(network.inputs, network.output["age"]), (1,), TEACHER_SIZE)[1]

    def answer(self, bgr: Picture) -> tuple[float, int]:
        """See `asking.Rival`."""
        found = self._detector.find(bgr)
        face = main_face(found.faces, bgr.shape[1], bgr.shape[0])
        rgb = whole(bgr, TEACHER_SIZE) if face is None else chip(bgr, face.landmarks, TEACHER_SIZE, PADDING)
        ages = np.asarray(self._ages(rgb[None]))[0]
        return float(ages @ np.arange(TEACHER_BINS)), NOT_FOUND if face is None else min(found.step, 1)

    def close(self) -> None:
        """Nothing to end."""
