"""`model.training.targets` and `losses`: what the network is asked to answer."""

import numpy as np
import pytest

from model.training.losses import AgeLoss, age_truth, other_truths
from model.training.samples import Sample
from model.training.targets import TEACHERS, Softening, implausible_labels, label_distributions, rebinned, targets
from model.training.teachers import Seen

BINS = 101


def test_label_distributions_lie_on_the_label_and_widen_with_age() -> None:
    ages = np.array([0.0, 7.0, 30.5, 60.0, 100.0])
    rows = label_distributions(ages, BINS, Softening(spread_young=1.0, spread_old=4.0))
    assert rows.sum(axis=1) == pytest.approx(1)
    means = rows @ np.arange(BINS)
    assert means[1:4] == pytest.approx(ages[1:4], abs=0.05)
    spread = np.sqrt(rows @ np.arange(BINS) ** 2 - means**2)
    assert spread[2] < spread[3] == pytest.approx(4.0, abs=0.05)
    assert rows[0].argmax() == 0
    assert rows[4].argmax() == 100


def test_a_teachers_bins_are_moved_to_ours_without_moving_its_mean() -> None:
    theirs = np.random.default_rng(0).dirichlet(np.ones(81), 5).astype(np.float32)
    ages = np.array([0.25, *range(1, 81)])
    ours = rebinned(theirs, ages, BINS)
    assert ours.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert ours @ np.arange(BINS) == pytest.approx(theirs @ ages, abs=1e-3)


def test_teachers_count_for_children_and_not_for_the_old() -> None:
    teachers = np.tile(np.eye(BINS, dtype=np.float32)[20], (3, 1))
    ages = np.array([10.0, 32.5, 70.0])
    rows = targets(ages, teachers, Softening(teacher_young=0.4, teacher_old=0.0, young=20, old=45))
    assert rows[0, 20] == pytest.approx(0.4, abs=0.01)
    assert rows[1, 20] == pytest.approx(0.2, abs=0.01)
    assert rows[2, 20] < 1e-6


def test_one_teacher_can_count_alone() -> None:
    ages = np.zeros((2, 2, 2, BINS), dtype=np.float16)
    ages[:, :, 0, 10], ages[:, :, 1, 30] = 1, 1
    seen = Seen(np.zeros((2, 2, 1), np.float16), ages, np.ones(2, np.uint8))
    assert seen.distributions()[0, [10, 30]] == pytest.approx([0.5, 0.5])
    assert seen.distributions(["cydral"])[1, [10, 30]] == pytest.approx([0, 1])
    assert TEACHERS == ("faceres-deep", "cydral")


def test_only_labels_all_teachers_agree_against_are_doubted() -> None:
    ages = np.array([1.0, 30.0, 30.0, 70.0])
    estimates = np.array([[40.0, 42.0], [28.0, 45.0], [60.0, 31.0], [66.0, 60.0]])
    assert implausible_labels(ages, estimates, 20).tolist() == [True, False, False, False]
    assert not implausible_labels(ages, estimates, 0).any()


def test_the_loss_is_least_at_the_target_and_minds_the_mean() -> None:
    ages = np.array([30.0, 30.0, 30.0])
    target = label_distributions(ages, BINS, Softening())
    predicted = np.stack([target[0], np.roll(target[0], 3), np.roll(target[0], 10)])
    loss = np.asarray(AgeLoss(years=0.5)(age_truth(target, ages), predicted))
    assert loss[0] < loss[1] < loss[2]
    without = np.asarray(AgeLoss(years=0.0)(age_truth(target, ages), predicted))
    assert loss - without == pytest.approx([0.0, 1.5, 5.0], abs=0.05)


def test_labels_a_data_set_does_not_have_weigh_nothing() -> None:
    from pathlib import Path

    place = Path("/nowhere")
    samples = [Sample("a", place, "1", 30, "M", "Asian"), Sample("a", place, "2", 30, None, None)]
    truths, weights = other_truths(samples, ("gender", "ethnicity"))
    assert truths["gender"].tolist() == [[1.0], [0.0]]
    assert truths["ethnicity"].tolist() == [[0, 0, 1, 0, 0], [0] * 5]
    assert weights["gender"].tolist() == weights["ethnicity"].tolist() == [1.0, 0.0]
