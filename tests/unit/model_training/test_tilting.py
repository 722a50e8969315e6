"""`model.training.tilting`: the smallest slope that lifts old people's ages enough, and none where it is not needed."""

import numpy as np
import pytest

from model.training.calibrate_interval import Answers
from model.training.tilting import BIAS, SLOPES, find_slope, slope_logits, tilt, tilt_weights

BINS = 101


def answers(ages: list[float], seen: list[float], spread: float = 6.0) -> Answers:
    """Faces of `ages` years taken for `seen`, each with a normal distribution."""
    rows = np.exp(-0.5 * ((np.arange(BINS)[None] - np.array(seen)[:, None]) / spread) ** 2)
    return Answers(rows / rows.sum(axis=1, keepdims=True), np.array(ages), 0)


def old_bias(held: Answers) -> float:
    years = held.probabilities @ np.arange(BINS)
    return float((years - held.ages)[held.ages >= 60].mean())


def test_old_people_seen_too_young_are_lifted_and_no_further() -> None:
    held = answers([20, 65, 70, 75], [20, 62, 68, 72])
    slope = find_slope(held)
    assert old_bias(held) == pytest.approx(-2.67, abs=0.01)
    assert old_bias(tilt(held, slope)) >= -BIAS
    assert old_bias(tilt(held, SLOPES[SLOPES.index(slope) - 1])) < -BIAS, "the next smaller one is not enough"
    young = tilt(held, slope).probabilities[0] @ np.arange(BINS)
    assert young == pytest.approx(20, abs=0.01)


def test_nothing_is_done_where_nothing_is_wrong_or_nobody_is_old() -> None:
    assert find_slope(answers([65, 70], [65, 69])) == 0
    assert find_slope(answers([20, 30], [10, 15])) == 0
    assert find_slope(answers([80, 90], [20, 20])) == SLOPES[-1]


def test_the_weights_answer_like_the_tilted_answers() -> None:
    rng = np.random.default_rng(0)
    kernel, bias, features = rng.normal(size=(5, BINS)), rng.normal(size=BINS), rng.normal(size=(3, 5))

    def softmax(logits: np.ndarray) -> np.ndarray:
        rows = np.exp(logits)
        return np.asarray(rows / rows.sum(axis=1, keepdims=True))

    tilted = tilt_weights({"age/kernel": kernel, "age/bias": bias}, 0.3)
    plain = Answers(softmax(features @ kernel + bias), np.zeros(3), 0)
    assert np.allclose(softmax(features @ tilted["age/kernel"] + tilted["age/bias"]), tilt(plain, 0.3).probabilities)
    assert slope_logits(0.3, BINS)[:46].max() == 0
