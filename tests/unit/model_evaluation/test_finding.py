"""Faces that fill their picture are found, noise is not, and found faces lie where they are."""

import numpy as np
import numpy.typing as npt

from contracts.settings import Settings
from model.detector import FaceDetector
from model.evaluation.finding import PatientDetector, detect_with_border, main_face
from model.faces import Detection
from model.weights import path_of

Picture = npt.NDArray[np.uint8]


def inner(picture: Picture, face: Detection, share: float) -> tuple[Picture, int, int]:
    """The middle of a face's box, and where it was: pixels."""
    width, height = int(face.width * share), int(face.height * share)
    left, top = int(face.x + (face.width - width) / 2), int(face.y + (face.height - height) / 2)
    return np.ascontiguousarray(picture[top : top + height, left : left + width]), left, top


def test_a_face_without_surroundings_is_found_where_it_is(settings: Settings, hopper: Picture) -> None:
    usual = FaceDetector(path_of("yunet", settings.cache))
    face = usual.detect(hopper)[0]
    patient = PatientDetector(path_of("yunet", settings.cache))
    tight, left, top = inner(hopper, face, 0.65)
    assert usual.detect(tight) == [], "this crop no longer shows what the border is for"
    found = patient.find(tight)
    assert found.step >= 1
    again = main_face(found.faces, tight.shape[1], tight.shape[0])
    assert again is not None
    assert again.x >= 0
    assert again.x + again.width <= tight.shape[1]
    distance = np.linalg.norm(again.landmarks + np.array([left, top]) - face.landmarks, axis=1)
    assert distance.max() < 0.1 * face.width


def test_an_ordinary_picture_is_found_at_first_sight(settings: Settings, hopper: Picture) -> None:
    patient = PatientDetector(path_of("yunet", settings.cache))
    found = patient.find(hopper)
    assert (found.step, len(found.faces)) == (0, 1)


def test_noise_has_no_face_however_often_one_looks(settings: Settings, noise: list[Picture]) -> None:
    patient = PatientDetector(path_of("yunet", settings.cache))
    assert [patient.find(picture).faces for picture in noise] == [[]] * len(noise)


def test_a_face_in_the_border_is_none(settings: Settings, collins: Picture) -> None:
    detector = FaceDetector(path_of("yunet", settings.cache))
    before = detector.detect(collins)[0]
    after = detect_with_border(detector, collins, 0.3)[0]
    assert np.abs(after.landmarks - before.landmarks).max() < 0.1 * before.width


def test_the_main_face_is_large_and_in_the_middle() -> None:
    def face(x: float, y: float, side: float) -> Detection:
        return Detection(x, y, side, side, 0.9, np.zeros((5, 2), np.float32))

    middle, corner, small = face(60, 60, 80), face(0, 0, 85), face(95, 95, 10)
    assert main_face([corner, middle, small], 200, 200) is middle
    assert main_face([small, face(100, 60, 80)], 200, 200) is not small
    assert main_face([], 200, 200) is None
