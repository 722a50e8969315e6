"""Measures how well a face can be seen: size, sharpness, light and pose. Costs about 0.1 ms a face."""

import math
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from model.faces import Detection, Quality

SIDE: Final = 64
"""Side the face is brought to before sharpness is measured, pixels: the detail an age network with 64 x 64 chips sees.
A fixed side makes the measure independent of the size of the face."""

HALF_SHARP: Final = 0.22
"""Variance of the Laplacian (grey values 0..255, face at `SIDE`, divided by the face's own grey variance) at which
sharpness is 0.5: the median of 3,424 ordinary face crops (validation and calibration splits of the development data).

The mean absolute error of `cydral` there: 6.7 years as they are, 7.0 blurred by a Gaussian of 1 % of the face width
(median sharpness 0.33), 8.5 by 2 % (0.16), 13.6 by 4 % (0.06), 25 by 12 % (0.02)."""

NOSE_DEPTH: Final = 0.45
"""How far the tip of the nose stands out from the plane of eyes and mouth, in eye distances. An average over
people (tip of the nose about 28 mm before the plane, pupils 63 mm apart), so a single yaw is off by some 10 degrees."""


def measure(bgr: npt.NDArray[np.uint8], detection: Detection) -> Quality:
    """The quality of one detected face.

    Args:
        bgr: uint8 [height, width, 3], the picture `detection` was found in.
    """
    grey = _grey_face(bgr, detection)
    yaw, roll = pose(detection.landmarks)
    return Quality(
        size_px=min(detection.width, detection.height),
        sharpness=sharpness(grey),
        brightness=float(grey.mean()) / 255.0,
        yaw=yaw,
        roll=roll,
    )


def sharpness(grey: npt.NDArray[np.uint8]) -> float:
    """0 (no detail) .. 1, from the variance of the Laplacian v of a grey [64, 64] face: v / (v + HALF_SHARP).

    v is divided by the variance of the grey values, so that dim or flat light does not count as blur.
    (Variance of the Laplacian as a focus measure: Pech-Pacheco et al., ICPR 2000.)
    """
    contrast = float(grey.var())
    if contrast < 1.0:
        return 0.0  # one flat colour: nothing to see, and nothing to divide by
    detail = float(cv2.Laplacian(grey, cv2.CV_32F).var()) / contrast
    return detail / (detail + HALF_SHARP)


def pose(landmarks: npt.NDArray[np.float32]) -> tuple[float, float]:
    """(yaw, roll) in degrees from YuNet's points [5, 2]; approximate, no camera model.

    Roll is the angle of the line through the eyes. For yaw, a head turned by t shows its eye distance shortened by
    cos(t) and its nose shifted by depth x sin(t) from the middle of eyes and mouth, along the line of the eyes:
    shift / distance = depth x tan(t).
    """
    right_eye, left_eye, nose = (np.asarray(point, dtype=np.float64) for point in landmarks[:3])
    across = left_eye - right_eye
    distance = max(float(np.hypot(*across)), 1e-3)
    middle = (right_eye + left_eye + landmarks[3] + landmarks[4]) / 4
    shift = float((nose - middle) @ across) / distance
    yaw = math.degrees(math.atan2(shift, NOSE_DEPTH * distance))
    return yaw, math.degrees(math.atan2(across[1], across[0]))


def _grey_face(bgr: npt.NDArray[np.uint8], face: Detection) -> npt.NDArray[np.uint8]:
    """The face's box at [64, 64], grey."""
    left, top = int(face.x), int(face.y)
    right, bottom = max(left + 1, math.ceil(face.x + face.width)), max(top + 1, math.ceil(face.y + face.height))
    part = bgr[top:bottom, left:right]
    method = cv2.INTER_AREA if min(part.shape[:2]) > SIDE else cv2.INTER_LINEAR
    return np.asarray(cv2.cvtColor(cv2.resize(part, (SIDE, SIDE), interpolation=method), cv2.COLOR_BGR2GRAY), np.uint8)
