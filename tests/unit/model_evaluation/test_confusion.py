"""Confusion tables of heads that a preset may have."""

from model.evaluation.confusion import confusions
from tests.unit.model_evaluation.making import face


def test_answers_are_counted_by_label() -> None:
    woman, man, girl = (
        {"gender": "F", "ethnicity": "Black"},
        {"gender": "M", "ethnicity": "Asian"},
        {"gender": "F"},
    )
    faces = [
        face(30, 0, groups=woman, gender=0.1, ethnicity=(0.1, 0.9, 0.0, 0.0, 0.0)),
        face(30, 0, groups=woman, gender=0.8, ethnicity=(0.6, 0.4, 0.0, 0.0, 0.0)),
        face(30, 0, groups=man, gender=0.9, ethnicity=(0.0, 0.0, 1.0, 0.0, 0.0)),
        face(9, 0, groups=girl, gender=0.9),
        face(30, 0, groups={"gender": "not given"}, gender=0.9),
    ]
    found = confusions(faces)
    assert found["gender"]["labels"] == ["F", "M"]
    assert found["gender"]["table"] == [[1, 1], [0, 1]]  # nobody under 16, nobody without a label
    assert (found["gender"]["n"], found["gender"]["right"]) == (3, 0.6667)
    assert found["ethnicity"]["table"][1] == [1, 1, 0, 0, 0]
    assert found["ethnicity"]["right"] == 0.6667


def test_a_preset_without_heads_has_no_tables() -> None:
    assert confusions([face(30, 0)]) == {}
