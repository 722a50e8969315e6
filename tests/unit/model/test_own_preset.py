"""The presets of our own: their weights come with Mairror, their heads are off until they are asked for."""

from collections.abc import Callable
from importlib import resources
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from contracts.errors import FatalError
from model import one_scale, two_scale
from model.alignment import chip
from model.backend import configure_backend
from model.detector import FaceDetector
from model.estimator import AgeEstimator
from model.faces import ETHNICITIES
from model.manifest import PresetManifest, load_preset
from model.mobilenet import MEAN
from model.preset_weights import preset_arrays
from model.two_scale import AGES

Picture = npt.NDArray[np.uint8]


CHIPS = {
    "mairror-age-1": (two_scale.SIZE, two_scale.PADDING),
    "mairror-age-1-fast": (one_scale.SIZE, one_scale.PADDING),
}
FURTHEST = {"mairror-age-1": 8, "mairror-age-1-fast": 15}
"""How far off the two portraits may be guessed, years: they are not from the data sets the presets learned from."""


@pytest.fixture(scope="module", params=CHIPS)
def own(request: pytest.FixtureRequest) -> PresetManifest:
    configure_backend(threads=2)
    return load_preset(request.param)


@pytest.fixture(scope="module")
def portraits(own: PresetManifest, detector: FaceDetector, collins: Picture, hopper: Picture) -> Picture:
    """RGB [2, size, size, 3]: a woman of 42 and one of 77."""
    faces = [(picture, detector.detect(picture)[0]) for picture in (collins, hopper)]
    return np.stack([chip(picture, face.landmarks, own.input_size, own.padding) for picture, face in faces])


def test_the_manifest_says_what_the_network_is(own: PresetManifest) -> None:
    assert (own.input_size, own.padding) == CHIPS[own.name]
    assert own.bins == tuple(range(AGES))
    assert own.normalisation.mean == MEAN


def test_portraits_get_about_their_age_and_nothing_else(
    own: PresetManifest, tmp_path: Path, portraits: Picture
) -> None:
    estimator = AgeEstimator(own, tmp_path, (2,))
    estimator.warm_up()
    found = estimator.predict(portraits)
    for estimate, age in zip(found, (42, 77), strict=True):
        assert abs(estimate.years - age) <= FURTHEST[own.name]
        assert estimate.low < estimate.years < estimate.high
        assert estimate.gender is None
        assert estimate.ethnicity is None
        if own.name == "mairror-age-1":
            assert estimate.low <= age <= estimate.high


def test_heads_that_are_switched_on_change_no_age(own: PresetManifest, tmp_path: Path, portraits: Picture) -> None:
    plain, all_heads = AgeEstimator(own, tmp_path, (2,)), AgeEstimator(own, tmp_path, (2,), ("ethnicity", "gender"))
    for one in (plain, all_heads):
        one.warm_up()
    alone, together = plain.predict(portraits), all_heads.predict(portraits)
    for without, estimate in zip(alone, together, strict=True):
        assert estimate.years == pytest.approx(without.years, abs=1e-3)
        assert estimate.gender is not None
        assert 0 <= estimate.gender <= 1
        assert estimate.ethnicity is not None
        assert sum(estimate.ethnicity) == pytest.approx(1, abs=1e-4)
        assert ETHNICITIES[int(np.argmax(estimate.ethnicity))] == "White"


def test_a_head_the_preset_does_not_have_is_refused_by_name(weights_dir: Path) -> None:
    with pytest.raises(FatalError, match="'cydral' cannot answer gender: it knows nothing but ages"):
        AgeEstimator(load_preset("cydral"), weights_dir, (1,), ("gender",))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda ref: msgspec.structs.replace(ref, sha256="0" * 64), r"have sha256 [0-9a-f]{64}, not 0{64}"),
        (lambda ref: msgspec.structs.replace(ref, file="gone.npz"), r"are not at .*gone\.npz: install Mairror again"),
    ],
)
def test_other_weights_than_the_manifests_are_not_run(
    own: PresetManifest, tmp_path: Path, change: Callable[[object], object], words: str
) -> None:
    with pytest.raises(FatalError, match=words):
        preset_arrays(msgspec.structs.replace(own, weights=change(own.weights)), tmp_path)


def test_the_card_carries_the_terms_of_the_training_data(own: PresetManifest) -> None:
    card = resources.files("model.presets").joinpath(own.name, "README.md").read_text()
    assert "non-commercial research only" in own.terms
    assert "UTKFace: non-commercial research only; All-Age-Faces: research only" in card
