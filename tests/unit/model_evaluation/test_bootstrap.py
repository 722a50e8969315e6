"""Bootstrap intervals against what is known about them."""

import numpy as np
import pytest

from model.evaluation import bootstrap
from model.evaluation.bootstrap import draws_of_means, mean_interval


def test_constant_values_have_an_interval_of_no_width() -> None:
    assert mean_interval(np.full(300, 4.25)) == [4.25, 4.25]


def test_a_share_has_the_interval_of_the_binomial_distribution() -> None:
    values = np.repeat([0.0, 1.0], 200)
    low, high = mean_interval(values, draws=4000)
    expected = 1.96 * (0.25 / 400) ** 0.5
    assert (low, high) == pytest.approx((0.5 - expected, 0.5 + expected), abs=0.005)


def test_the_same_seed_gives_the_same_draws_however_many_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).normal(size=(50, 2))
    whole = draws_of_means(values, 100, seed=3)
    monkeypatch.setattr(bootstrap, "AT_ONCE", 350)
    np.testing.assert_array_equal(draws_of_means(values, 100, seed=3), whole)
    assert not np.array_equal(draws_of_means(values, 100, seed=4), whole)
