"""Photos: small faces of a group, a portrait that fills the frame, and no face where there is none."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from model.detector import FaceDetector
from model.thorough import ThoroughDetector, joined
from model.weights import fetch
from producers.sample import public_domain_pictures
from producers.sources import read_picture


@pytest.fixture(scope="module")
def yunet() -> Path:
    from contracts.settings import Settings

    return fetch(Settings().cache)["yunet"]


def portraits() -> list[np.ndarray]:
    pictures = public_domain_pictures()
    return [read_picture(pictures["collins"])[0:300, 90:360], read_picture(pictures["hopper"])[20:420, 60:460]]


def test_a_group_of_small_faces_is_found_whole(yunet: Path) -> None:
    canvas = np.full((1500, 2000, 3), 120, np.uint8)
    for number in range(20):
        portrait = cv2.resize(portraits()[number % 2], (117, 130))
        top, left = 60 + number // 5 * 360, 80 + number % 5 * 390
        canvas[top : top + 130, left : left + 117] = portrait
    quick = FaceDetector(yunet).detect(canvas)
    thorough = ThoroughDetector(yunet).detect(canvas)
    assert len(thorough) >= 19
    assert len(quick) < 10, "the larger look is what finds them"


def test_a_portrait_is_one_face_at_both_looks_and_without_any_margin(yunet: Path) -> None:
    detector = ThoroughDetector(yunet)
    for portrait in portraits():
        large = cv2.resize(portrait, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
        assert len(detector.detect(large)) == 1
    hopper = read_picture(public_domain_pictures()["hopper"])
    face = FaceDetector(yunet).detect(hopper)[0]
    x, y, width, height = (round(value) for value in (face.x, face.y, face.width, face.height))
    assert len(detector.detect(np.ascontiguousarray(hopper[y : y + height, x : x + width]))) == 1


def test_no_face_where_there_is_none(yunet: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (900, 1200, 3), dtype=np.uint8)
    assert ThoroughDetector(yunet).detect(noise) == []


def test_joining_keeps_the_first_look(yunet: Path) -> None:
    faces = FaceDetector(yunet).detect(read_picture(public_domain_pictures()["hopper"]))
    assert joined(faces, faces) == faces
    assert joined([], faces) == faces
