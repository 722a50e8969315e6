"""What a sweep does to a picture is what its label says."""

import numpy as np
import pytest

from model.evaluation.changes import (
    MASK,
    SWEEPS,
    Picture,
    accompanied,
    aged,
    blurred,
    drained,
    lit,
    masked,
    packed,
    padded,
    resized,
    smoothed,
    turned,
)
from model.evaluation.finding import PatientDetector, main_face
from model.faces import Detection
from model.weights import path_of


@pytest.fixture
def face() -> Detection:
    return Detection(60, 50, 80, 100, 0.9, np.zeros((5, 2), np.float32))


@pytest.fixture
def picture() -> Picture:
    return np.random.default_rng(0).integers(0, 256, (200, 160, 3), dtype=np.uint8)


@pytest.mark.parametrize("pixels", [32, 160])
def test_the_face_gets_so_many_pixels(picture: Picture, face: Detection, pixels: int) -> None:
    assert resized(picture, face, pixels).shape[:2] == (200 * pixels // 80, 160 * pixels // 80)


@pytest.mark.parametrize("percent", [25, 10])
def test_the_face_has_that_share_of_the_picture(picture: Picture, face: Detection, percent: float) -> None:
    changed = padded(picture, face, percent)
    assert face.width / changed.shape[1] == pytest.approx(percent / 100, abs=0.01)
    assert padded(picture, face, 60).shape == picture.shape  # it has less already


def test_light_blur_and_jpeg_change_what_they_should(picture: Picture, face: Detection) -> None:
    assert lit(picture, face, 0.5).mean() == pytest.approx(picture.mean() / 2, abs=1)
    assert lit(picture, face, 3).max() == 255
    assert blurred(picture, face, 5).std() < blurred(picture, face, 1).std() < picture.std()
    losses = [np.abs(packed(picture, face, quality).astype(int) - picture).mean() for quality in (90, 30, 5)]
    assert losses == sorted(losses)


def test_filters_change_colours_or_skin_and_nothing_else(picture: Picture, face: Detection) -> None:
    assert np.ptp(drained(picture, face, 0).astype(int), axis=2).max() == 0
    assert (drained(picture, face, 100) == picture).all()
    assert (aged(picture, face, 0) == picture).all()
    blue, _, red = aged(picture, face, 100).reshape(-1, 3).mean(axis=0)
    assert red > blue + 20
    edge = np.where(np.arange(200)[:, None, None] < 100, 40, 220) + np.zeros((200, 160, 3), int)
    noisy = np.clip(edge + np.random.default_rng(1).integers(-8, 9, edge.shape), 0, 255).astype(np.uint8)
    smooth = smoothed(noisy, face, 30).astype(int)
    assert smooth[20:80].std() < 0.5 * noisy[20:80].std()
    assert (smooth[101].mean() - smooth[98].mean()) > 150


def test_a_mask_hides_the_lower_face_and_a_second_face_stands_beside(picture: Picture, face: Detection) -> None:
    hidden = masked(picture, face, 50)
    assert (hidden[100:150, 60:140] == MASK).all()
    assert (hidden[:100] == picture[:100]).all()
    both = accompanied(picture, face, 50)
    assert both.shape == (200, 240, 3)
    assert (both[:, :160] == picture).all()
    assert not both[:50, 160:].any()
    assert both[50:150, 160:].std() > 10


def test_it_turns_clockwise_and_loses_no_corner(face: Detection) -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[:20, :20] = 255  # top left
    changed = turned(picture, face, 90)
    assert changed.shape == (200, 100, 3)
    assert changed[:19, 81:].min() > 200  # top right
    assert turned(picture, face, 45).mean() * 212**2 == pytest.approx(picture.mean() * 200 * 100, rel=0.05)


def test_a_portrait_shrunk_for_real_shows_a_face_of_that_size(collins: Picture, settings) -> None:  # type: ignore[no-untyped-def]
    detector = PatientDetector(path_of("yunet", settings.cache))
    before = main_face(detector.find(collins).faces, 512, 512)
    assert before is not None
    changed = resized(collins, before, 64)
    after = main_face(detector.find(changed).faces, changed.shape[1], changed.shape[0])
    assert after is not None
    assert min(after.width, after.height) == pytest.approx(64, rel=0.12)


def test_every_sweep_has_its_levels_in_order() -> None:
    for sweep in SWEEPS:
        assert list(sweep.levels) in (sorted(sweep.levels), sorted(sweep.levels, reverse=True))
