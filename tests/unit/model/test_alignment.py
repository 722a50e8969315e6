"""`model.alignment`: the chip follows the face, whatever was done to the picture around it."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from model.alignment import MEAN_FACE, EyeFrame, chip, dlib_points, similarity
from model.detector import FaceDetector

Picture = npt.NDArray[np.uint8]
PADDING = 0.2


def difference(a: Picture, b: Picture) -> float:
    """Mean absolute difference of grey values."""
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


@pytest.mark.parametrize(("degrees", "scale"), [(0, 0.6), (0, 1.7), (25, 1.0), (-40, 0.8), (170, 1.0), (90, 2.5)])
def test_rotated_and_scaled_pictures_give_the_same_chip(
    degrees: float, scale: float, collins: Picture, detector: FaceDetector
) -> None:
    """The same points moved with the picture: only resampling may differ."""
    face = detector.detect(collins)[0]
    side = int(512 * max(1.5, 1.5 * scale))
    turn = cv2.getRotationMatrix2D((256, 256), degrees, scale)
    turn[:, 2] += side / 2 - 256
    moved = np.asarray(cv2.warpAffine(collins, turn, (side, side), flags=cv2.INTER_CUBIC), dtype=np.uint8)
    points = face.landmarks @ turn[:, :2].T + turn[:, 2]
    ours, reference = chip(moved, points, 64, PADDING), chip(collins, face.landmarks, 64, PADDING)
    assert difference(ours, reference) < 5.0
    shifted = chip(moved, points + np.array([face.width * scale * 0.05, 0]), 64, PADDING)
    assert difference(shifted, reference) > 2 * difference(ours, reference)


def test_the_landmark_map_is_the_same_for_both_sides_of_a_face(collins: Picture, detector: FaceDetector) -> None:
    """dlib's mean face is half a pixel off the middle of the chip, so the chips themselves are not mirror images."""
    landmarks = detector.detect(collins)[0].landmarks
    mirror = np.array([-1, 1])
    mirrored = dlib_points((landmarks * mirror)[[1, 0, 2, 4, 3]])
    assert np.abs(mirrored - (dlib_points(landmarks) * mirror)[[2, 3, 0, 1, 4]]).max() < 0.02


def test_eyes_land_where_the_mean_face_has_them(collins: Picture, face_chip: Callable[[Picture], Picture]) -> None:
    """A picture of the landmarks' own neighbourhood: bright dots at dlib's points come out at the mean face."""
    landmarks = np.array([[200, 200], [300, 205], [252, 262], [212, 310], [295, 312]], dtype=np.float32)
    picture = np.zeros((512, 512, 3), dtype=np.uint8)
    points = dlib_points(landmarks)
    centre = points.mean(axis=0)
    cv2.circle(picture, (round(centre[0]), round(centre[1])), 6, (255, 255, 255), -1)
    cut = chip(picture, landmarks, 64, PADDING)[:, :, 0].astype(float)
    found = (np.indices(cut.shape)[::-1] * cut).sum(axis=(1, 2)) / cut.sum()
    expected = (MEAN_FACE.mean(axis=0) + PADDING) / (1 + 2 * PADDING) * 64 * 63 / 64
    assert np.abs(found - expected).max() < 0.7


def test_colours_come_out_as_rgb_and_outside_is_black() -> None:
    picture = np.full((300, 300, 3), (200, 20, 90), dtype=np.uint8)
    middle = np.array([[120, 140], [180, 140], [150, 175], [128, 205], [172, 205]], dtype=np.float32)
    assert (chip(picture, middle, 64, PADDING) == (90, 20, 200)).all()
    corner = chip(picture, middle - (130, 140), 64, PADDING)
    assert (corner[0, 0] == 0).all()
    assert (corner[-1, -1] == (90, 20, 200)).all()


def test_fine_stripes_do_not_alias_when_a_large_face_is_shrunk() -> None:
    stripes = np.zeros((2048, 2048, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    face = np.array([[800, 800], [1300, 800], [1050, 1100], [850, 1350], [1250, 1350]], dtype=np.float32)
    cut = chip(stripes, face, 64, PADDING).astype(float)
    assert abs(cut.mean() - 127.5) < 3
    assert cut.std() < 3


def test_similarity_recovers_the_transform_it_was_given() -> None:
    turn = np.array([[0.8, -0.6, 12.0], [0.6, 0.8, -3.0]]) * 1.7
    target = MEAN_FACE @ turn[:, :2].T + turn[:, 2]
    assert np.allclose(similarity(MEAN_FACE, target), turn)


def test_eye_frame_is_its_own_inverse_and_survives_a_perfect_profile() -> None:
    landmarks = np.array([[10, 20], [50, 35], [33, 50], [20, 70], [44, 76]], dtype=np.float32)
    frame = EyeFrame.of(landmarks)
    inside = frame.enter(landmarks)
    assert np.allclose(inside[:2], [[-0.5, 0], [0.5, 0]])
    assert np.allclose(frame.leave(inside), landmarks)
    landmarks[1] = landmarks[0]
    assert chip(np.zeros((100, 100, 3), dtype=np.uint8), landmarks, 64, PADDING).shape == (64, 64, 3)
