"""`processors.answering`: gender and ethnicity are in an answer only where they are switched on and there is an age."""

import json

import numpy as np

from contracts.answers import encode
from model.faces import Abstention, AbstentionReason, AgeEstimate, Detection, Quality
from processors.answering import face_of
from processors.pipeline import Looked

LOOKED = Looked(
    width=640,
    height=480,
    detections=[Detection(100, 100, 80, 100, 0.9, np.full((5, 2), 120, dtype=np.float32))],
    qualities=[Quality(80, 0.8, 0.5, 0, 0)],
    chips=np.zeros((1, 64, 64, 3), dtype=np.uint8),
    decode_ms=1.0,
    detect_ms=1.0,
)
PLAIN = AgeEstimate(34, 29, 40, 0.8, 4)
WITH_HEADS = AgeEstimate(34, 29, 40, 0.8, 4, gender=0.2504, ethnicity=(0.1, 0.2, 0.6, 0.05, 0.05))


def test_nothing_but_the_age_is_named_unless_switched_on() -> None:
    body = json.loads(encode(face_of(LOOKED, 0, PLAIN, None, None)))
    assert "gender" not in body
    assert "ethnicity" not in body


def test_switched_on_the_answer_carries_probabilities() -> None:
    body = json.loads(encode(face_of(LOOKED, 0, WITH_HEADS, None, None)))
    assert body["gender"] == {"female": 0.75, "male": 0.25}
    assert body["ethnicity"] == {"white": 0.1, "black": 0.2, "asian": 0.6, "indian": 0.05, "other": 0.05}


def test_a_face_that_cannot_be_judged_gets_neither() -> None:
    blurred = Abstention(AbstentionReason.TOO_BLURRED, "sharpness 0.02, needs 0.10")
    body = json.loads(encode(face_of(LOOKED, 0, WITH_HEADS, blurred, None)))
    assert body["age"] is None
    assert "gender" not in body
