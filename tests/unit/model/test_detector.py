"""`model.detector` on pictures with one face, several and none."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from contracts.errors import FatalError
from model.detector import FaceDetector

Picture = npt.NDArray[np.uint8]


@pytest.mark.parametrize("name", ["collins", "hopper"])
def test_one_face_with_landmarks_inside_its_box(
    name: str, detector: FaceDetector, request: pytest.FixtureRequest
) -> None:
    (face,) = detector.detect(request.getfixturevalue(name))
    assert face.score > 0.7
    assert face.landmarks.dtype == np.float32
    x, y = face.landmarks.T
    assert ((x > face.x) & (x < face.x + face.width) & (y > face.y) & (y < face.y + face.height)).all()
    right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks
    assert right_eye[0] < nose[0] < left_eye[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])


@pytest.mark.parametrize("picture", ["coffee", "rocket"])
def test_no_face_where_there_is_none(picture: str, detector: FaceDetector) -> None:
    assert detector.detect(np.ascontiguousarray(getattr(skimage.data, picture)()[:, :, ::-1])) == []


def test_largest_first_and_coordinates_of_the_original_picture(
    detector: FaceDetector, collins: Picture, hopper: Picture
) -> None:
    wide = np.zeros((600, 1324, 3), dtype=np.uint8)
    wide[:512, :512] = collins
    wide[:, 812:] = hopper
    faces = detector.detect(wide)
    alone = {"collins": detector.detect(collins)[0], "hopper": detector.detect(hopper)[0]}
    assert [face.x > 812 for face in faces] == [True, False]
    assert faces[0].width * faces[0].height > faces[1].width * faces[1].height
    assert abs(faces[0].landmarks - alone["hopper"].landmarks - (812, 0)).max() < 0.12 * alone["hopper"].width
    assert abs(faces[1].landmarks - alone["collins"].landmarks).max() < 0.12 * alone["collins"].width


@pytest.mark.parametrize("shape", [(480, 640), (640, 480), (333, 517), (120, 160), (1080, 1920)])
def test_a_face_is_found_at_its_place_in_any_shape(
    shape: tuple[int, int], detector: FaceDetector, collins: Picture
) -> None:
    height, width = shape
    side = min(shape)
    picture = np.full((height, width, 3), 90, dtype=np.uint8)
    picture[:side, width - side :] = cv2.resize(collins, (side, side), interpolation=cv2.INTER_AREA)
    (face,) = detector.detect(picture)
    (known,) = detector.detect(collins)
    expected = known.landmarks * (side / 512) + (width - side, 0)
    assert abs(face.landmarks - expected).max() < 0.12 * known.width * side / 512


def test_boxes_are_clipped_to_the_picture(detector: FaceDetector, collins: Picture) -> None:
    (known,) = detector.detect(collins)
    cropped = np.ascontiguousarray(collins[int(known.y + known.height * 0.2) :, int(known.x + known.width * 0.1) :])
    faces = detector.detect(cropped)
    assert faces
    for face in faces:
        assert face.x >= 0
        assert face.y >= 0
        assert face.x + face.width <= cropped.shape[1]
        assert face.y + face.height <= cropped.shape[0]


def test_threads_get_the_answers_of_one_thread(detector: FaceDetector, collins: Picture, hopper: Picture) -> None:
    pictures = [collins, hopper, collins[:300], hopper[:, 100:]] * 6
    alone = [[face.landmarks for face in detector.detect(picture)] for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(detector.detect, pictures))
    for expected, faces in zip(alone, together, strict=True):
        assert np.array_equal(np.array(expected), np.array([face.landmarks for face in faces]))


def test_missing_weights_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="mairror weights"):
        FaceDetector(tmp_path / "none.onnx")


def test_opencv_does_not_write_to_the_terminal(
    weights_dir: Path, collins: Picture, capfd: pytest.CaptureFixture[str]
) -> None:
    from model.weights import checked_path

    FaceDetector(checked_path("yunet", weights_dir)).detect(collins)
    assert capfd.readouterr().err == ""
