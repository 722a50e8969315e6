"""Cuts the aligned face (the chip) out of a picture. Training and serving share this one function.

YuNet's five points are mapped to where dlib's five-point predictor would put its own; those are brought onto dlib's
mean face by the least-squares similarity; the result is what `dlib.get_face_chip_details` and
`dlib.extract_image_chip` would cut. Age networks are sensitive here: a shift of 2 % of the eye distance moves single
answers by more than a year.
"""

from dataclasses import dataclass
from typing import Final, Self

import cv2
import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]

LANDMARK_MAP: Final = np.array(
    [
        [-0.1933, -0.0350, -0.0479, -0.0011, -0.1933, 0.0350, -0.0479, 0.0011, 0.6010, 0.0000],
        [0.2537, -0.2023, 0.0705, -0.0593, -0.2537, -0.2023, -0.0705, -0.0593, 0.0000, 0.3537],
        [0.0747, -0.3690, 0.0353, -0.1467, 0.0929, 0.1204, 0.0806, 0.0710, 0.1709, -0.1138],
        [0.0585, 0.0404, 0.0015, 0.0364, -0.1080, 0.1278, -0.0672, 0.0711, -0.0104, 0.2554],
        [0.0929, -0.1204, 0.0806, -0.0710, 0.0747, 0.3690, 0.0353, 0.1467, 0.1709, 0.1138],
        [0.1080, 0.1278, 0.0672, 0.0711, -0.0585, 0.0404, -0.0015, 0.0364, 0.0104, 0.2554],
        [0.3647, -0.1393, 0.1674, -0.0596, -0.3647, -0.1393, -0.1674, -0.0596, 0.0000, -0.0451],
    ]
)
"""[7, 10]: from (nose x, y, right mouth corner x, y, left mouth corner x, y, 1) to dlib's five points (x, y each), both
in the frame of `EyeFrame`. Printed by `model/training/fit_landmark_map.py` with its default arguments on 3,500 training
faces of UTKFace and All-Age-Faces, each placed twice at random into larger frames."""

MEAN_FACE: Final = np.array(
    [
        [0.8595674595992, 0.2134981538014],
        [0.6460604764104, 0.2289674387677],
        [0.1205750620789, 0.2137274526848],
        [0.3340850613712, 0.2290642403242],
        [0.4901123135679, 0.6277975316475],
    ]
)
"""dlib's mean five-point face in the unit square, y down: outer and inner corner of the picture's right eye, outer and
inner corner of its left eye, base of the nose. From `get_face_chip_details`, dlib/image_transforms/interpolation.h."""

MIN_EYE_DISTANCE: Final = 1e-3
"""Pixels. Keeps a face whose eyes coincide (a perfect profile) from dividing by zero."""


@dataclass(frozen=True, slots=True)
class EyeFrame:
    """Coordinates with the origin between the eyes, x from the right eye to the left, the eyes one unit apart."""

    origin: Points
    rotation: Points
    unit: float

    @classmethod
    def of(cls, landmarks: npt.NDArray[np.floating]) -> Self:
        """The frame of YuNet's landmarks [5, 2], pixels."""
        right, left = np.asarray(landmarks[:2], dtype=np.float64)
        across = left - right
        unit = max(float(np.hypot(*across)), MIN_EYE_DISTANCE)
        cosine, sine = across / unit
        return cls((right + left) / 2, np.array([[cosine, sine], [-sine, cosine]]), unit)

    def enter(self, points: npt.NDArray[np.floating]) -> Points:
        """Pixels [n, 2] to this frame."""
        return np.asarray((points - self.origin) @ self.rotation.T / self.unit)

    def leave(self, points: Points) -> Points:
        """This frame to pixels."""
        return np.asarray(points * self.unit @ self.rotation + self.origin)


def map_features(points: Points) -> Points:
    """What the map reads, [7]: nose and mouth corners in the eyes' frame (the eyes are constant there), and one."""
    return np.append(points[2:].ravel(), 1.0)


def dlib_points(landmarks: npt.NDArray[np.floating]) -> Points:
    """Where dlib's five points are expected, [5, 2] pixels in dlib's order, given YuNet's [5, 2] pixels."""
    frame = EyeFrame.of(landmarks)
    return frame.leave((map_features(frame.enter(landmarks)) @ LANDMARK_MAP).reshape(5, 2))


def similarity(source: Points, target: Points) -> Points:
    """The rotation, scale and shift [2, 3] that bring `source` [n, 2] closest to `target`, in least squares.

    Closed form for the plane (Umeyama 1991, without reflection).
    """
    from_mean, to_mean = source.mean(axis=0), target.mean(axis=0)
    a, b = source - from_mean, target - to_mean
    power = float((a**2).sum())
    cosine = float((a * b).sum()) / power
    sine = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / power
    linear = np.array([[cosine, -sine], [sine, cosine]])
    return np.column_stack([linear, to_mean - linear @ from_mean])


def chip(
    bgr: npt.NDArray[np.uint8], landmarks: npt.NDArray[np.floating], size: int, padding: float
) -> npt.NDArray[np.uint8]:
    """Cut one aligned face.

    When the face is shrunk, the picture is halved (5 x 5 Gaussian, as dlib's pyramid) as long as the face stays larger
    than the chip, then sampled once, bicubic. dlib samples bilinear; bicubic kept the errors closer to those of dlib's
    own chips (balanced difference 0.05 years instead of 0.23). What lies outside the picture is black, as in dlib.

    Args:
        bgr: uint8 [height, width, 3].
        landmarks: [5, 2], pixels of `bgr`, YuNet order (`model.faces.Detection.landmarks`).
        size: side of the chip, pixels.
        padding: margin around the mean face as a share of its size; 0.2 for `cydral`.

    Returns:
        RGB uint8 [size, size, 3], contiguous.
    """
    target = (MEAN_FACE + padding) / (2 * padding + 1) * size
    matrix = similarity(target, dlib_points(landmarks))
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    # dlib lays the outermost pixels on the edge of the square, so `size - 1` steps span `size` units.
    matrix[:, :2] *= size / (size - 1)
    return np.ascontiguousarray(sampled(bgr, matrix, size, scale)[:, :, ::-1])


def sampled(picture: npt.NDArray[np.uint8], matrix: Points, size: int, scale: float) -> npt.NDArray[np.uint8]:
    """Cut a square out of a picture as `chip` does: halved first where it is shrunk a lot, then bicubic, once.

    Args:
        picture: uint8 [height, width, 3].
        matrix: [2, 3], from the square's pixels to the picture's.
        size: side of the square, pixels.
        scale: pixels of the picture a pixel of the square.

    Returns:
        uint8 [size, size, 3], channels in the picture's order; black outside the picture.
    """
    levels = max(0, int(np.ceil(np.log2(scale)) - 1)) if scale > 0 else 0
    if levels:
        picture, matrix = _halve(picture, matrix, size, levels)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    black = cv2.BORDER_CONSTANT
    cut = cv2.warpAffine(picture, matrix, (size, size), flags=flags, borderMode=black, borderValue=(0, 0, 0))
    return np.asarray(cut, dtype=np.uint8)


def _halve(bgr: npt.NDArray[np.uint8], matrix: Points, size: int, levels: int) -> tuple[npt.NDArray[np.uint8], Points]:
    """Halve the part of the picture the chip needs `levels` times; the matrix then maps into the result."""
    corners = np.array([[0, 0, 1], [size, 0, 1], [0, size, 1], [size, size, 1]]) @ matrix.T
    margin = 4 << levels
    high = np.array(bgr.shape[1::-1])
    first = np.clip(np.floor(corners.min(axis=0)) - margin, 0, high - 1).astype(int)
    last = np.clip(np.ceil(corners.max(axis=0)) + margin, first + 1, high).astype(int)
    part = bgr[first[1] : last[1], first[0] : last[0]]
    for _ in range(levels):
        part = np.asarray(cv2.pyrDown(part), dtype=np.uint8)
    matrix = matrix.copy()
    matrix[:, 2] -= first
    return part, matrix / (1 << levels)
