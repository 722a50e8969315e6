"""`model.quality` measures what it says, `model.abstention` refuses for the right reason."""

import math
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from contracts.settings import ModelSettings
from model.abstention import decide
from model.detector import FaceDetector
from model.faces import AbstentionReason, AgeEstimate, Quality
from model.quality import measure, pose

Picture = npt.NDArray[np.uint8]
GOOD = Quality(size_px=120, sharpness=0.5, brightness=0.5, yaw=0, roll=0)
SURE = AgeEstimate(years=34, low=29, high=40, coverage=0.8, spread=4)
SETTINGS = ModelSettings()


def test_real_faces_are_good_enough(detector: FaceDetector, collins: Picture, hopper: Picture) -> None:
    for picture in (collins, hopper):
        face = detector.detect(picture)[0]
        quality = measure(picture, face)
        assert quality.size_px == min(face.width, face.height)
        assert 0.2 < quality.sharpness < 0.95
        assert 0.2 < quality.brightness < 0.9
        assert abs(quality.yaw) < 35
        assert decide(quality, SURE, SETTINGS) is None


def test_sharpness_falls_with_blur_and_light_does_not_move_it(detector: FaceDetector, collins: Picture) -> None:
    face = detector.detect(collins)[0]
    seen = [measure(collins, face).sharpness]
    for share in (0.01, 0.02, 0.04, 0.08):
        blurred = np.asarray(cv2.GaussianBlur(collins, (0, 0), share * face.width), dtype=np.uint8)
        seen.append(measure(blurred, face).sharpness)
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] < SETTINGS.min_sharpness < seen[1]
    dim = measure((collins // 2).astype(np.uint8), face)
    assert dim.sharpness == pytest.approx(seen[0], abs=0.03)
    assert dim.brightness == pytest.approx(measure(collins, face).brightness / 2, abs=0.01)
    assert measure(np.full_like(collins, 77), face).sharpness == 0


@pytest.mark.parametrize("turn", [-50, -20, 0, 20, 50])
def test_yaw_of_a_turned_head(turn: float) -> None:
    """Points of a head in space (eye distances), turned about the vertical axis and seen from far away."""
    head = np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0.55, 0.45], [-0.4, 1.1, 0], [0.4, 1.1, 0]])
    angle = math.radians(turn)
    seen = np.column_stack([head[:, 0] * math.cos(angle) + head[:, 2] * math.sin(angle), head[:, 1]])
    yaw, roll = pose((seen * 80 + 200).astype(np.float32))
    assert yaw == pytest.approx(turn, abs=1)
    assert roll == pytest.approx(0, abs=1)


@pytest.mark.parametrize("lean", [-30, 12])
def test_roll_turns_with_the_picture_and_leaves_yaw(lean: float) -> None:
    face = np.array([[-0.5, 0], [0.5, 0], [0.1, 0.55], [-0.4, 1.1], [0.4, 1.1]])
    angle = math.radians(lean)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    upright, rolled = (pose((points * 80).astype(np.float32)) for points in (face, face @ turn.T))
    assert rolled[1] == pytest.approx(lean, abs=0.1)
    assert rolled[0] == pytest.approx(upright[0], abs=0.1)


@pytest.mark.parametrize(
    ("quality", "estimate", "reason", "detail"),
    [
        (replace(GOOD, size_px=18.2), SURE, AbstentionReason.TOO_SMALL, "face 18 px, needs 28"),
        (replace(GOOD, sharpness=0.03), SURE, AbstentionReason.TOO_BLURRED, "sharpness 0.03, needs 0.08"),
        (replace(GOOD, yaw=-71.0), SURE, AbstentionReason.TURNED_AWAY, "turned 71 degrees, at most 60"),
        (GOOD, replace(SURE, spread=21.3), AbstentionReason.SPREAD_TOO_WIDE, "spread 21 years, at most 18"),
        (replace(GOOD, size_px=10, sharpness=0), SURE, AbstentionReason.TOO_SMALL, "face 10 px, needs 28"),
    ],
)
def test_each_rule_refuses_with_value_and_limit(
    quality: Quality, estimate: AgeEstimate, reason: AbstentionReason, detail: str
) -> None:
    settings = ModelSettings(min_face_px=28, min_sharpness=0.08, max_yaw=60, max_spread=18)
    refused = decide(quality, estimate, settings)
    assert refused is not None
    assert (refused.reason, refused.detail) == (reason, detail)


def test_limits_themselves_are_accepted() -> None:
    settings = ModelSettings(min_face_px=28, min_sharpness=0.08, max_yaw=60, max_spread=18)
    edge = Quality(size_px=28, sharpness=0.08, brightness=0.5, yaw=60, roll=0)
    assert decide(edge, replace(SURE, spread=18), settings) is None
