"""`model.training.batches` and `augmentation`: balanced draws, and one seed gives one set of pictures."""

import numpy as np
import numpy.typing as npt
import pytest

from model.training.augmentation import Augmentation, augmented, plain
from model.training.batches import FaceSource, batches, drawn, sampling_shares
from model.two_scale import PADDING

Picture = npt.NDArray[np.uint8]
SIDE, SIZE = 80, 64
STILL = Augmentation(
    **dict.fromkeys(("flip", "frame", "fill", "turn", "scale", "shift", "light", "colour", "grey", "tint"), 0.0),
    **dict.fromkeys(("blur", "jpeg", "small", "noise", "occlusion"), 0.0),
)


def source(augmentation: Augmentation = STILL, seed: int = 3) -> FaceSource:
    rng = np.random.default_rng(0)
    chips = rng.integers(0, 256, (60, SIDE, SIDE, 3), dtype=np.uint8)
    ages = np.array([30.0] * 50 + [80.0] * 10)
    return FaceSource(chips, np.arange(0, 60, 2), ages, SIZE, augmentation, seed, PADDING)


def test_rare_ages_are_drawn_more_often_but_not_without_limit() -> None:
    ages = np.array([30.0] * 900 + [80.0] * 100)
    for power, wanted in ((0.0, 0.1), (0.5, 0.25), (1.0, 0.5)):
        shares = sampling_shares(ages, power)
        assert shares.sum() == pytest.approx(1)
        assert shares[900:].sum() == pytest.approx(wanted, abs=0.01)


def test_an_epoch_shows_nearly_every_face_and_only_training_faces() -> None:
    faces = source()
    positions = drawn(faces, epoch=0, count=90, power=0.0)
    assert len(positions) == 90
    assert np.bincount(positions, minlength=30).min() >= 3
    seen = {int(index) for indices, _ in batches(faces, 0, positions, 16, 1) for index in indices}
    assert seen <= set(range(0, 60, 2))
    assert (drawn(faces, 1, 90, 0.0) != positions).any()


def test_threads_do_not_change_what_is_drawn() -> None:
    faces = source(Augmentation())
    positions = drawn(faces, 2, 48, 0.5)
    one, three = ([*batches(faces, 2, positions, 16, threads)] for threads in (1, 3))
    assert len(one) == len(three) == 3
    for (first, chips), (second, others) in zip(one, three, strict=True):
        assert (first == second).all()
        assert (chips == others).all()
    other = [*batches(source(Augmentation(), seed=4), 2, positions, 16, 1)]
    assert (other[0][1] != one[0][1]).any()


def test_no_augmentation_gives_what_serving_sees() -> None:
    faces = source()
    indices, chips = next(iter(batches(faces, 0, np.arange(16), 16, 1)))
    assert (chips == plain(faces.chips[indices], SIZE)).all()


@pytest.mark.parametrize(
    "name",
    [
        "flip",
        "frame",
        "turn",
        "scale",
        "shift",
        "light",
        "colour",
        "grey",
        "tint",
        "blur",
        "jpeg",
        "small",
        "noise",
        "occlusion",
    ],
)
def test_every_change_changes_the_picture_and_keeps_its_shape(name: str) -> None:
    import msgspec

    chip = source().chips[0]
    how = msgspec.structs.replace(
        STILL, **{name: 20.0 if name == "turn" else 0.3 if name in ("scale", "shift") else 1.0}
    )
    found = augmented(chip, SIZE, how, np.random.default_rng(1))
    assert found.shape == (SIZE, SIZE, 3)
    assert found.dtype == np.uint8
    assert (found != plain(chip, SIZE)).any()
    assert (found == augmented(chip, SIZE, how, np.random.default_rng(1))).all()


def test_a_flip_is_the_mirrored_face() -> None:
    import msgspec

    chip = source().chips[0]
    found = augmented(chip, SIZE, msgspec.structs.replace(STILL, flip=1.0), np.random.default_rng(0))
    assert (found == plain(chip, SIZE)[:, ::-1]).all()


def test_black_around_a_crop_is_given_a_colour_and_the_face_is_not() -> None:
    import msgspec

    chip = np.maximum(source().chips[0], 40)
    chip[:20] = 0
    found = augmented(chip, SIZE, msgspec.structs.replace(STILL, fill=1.0), np.random.default_rng(0))
    assert (found[:12] != 0).any()
    assert (found[:12] == found[0, 0]).all()
    assert (found[12:] == plain(chip, SIZE)[12:]).all()
