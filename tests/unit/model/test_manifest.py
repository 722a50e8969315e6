"""`model.manifest` refuses what it does not know, `model.distribution` reads it right."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from contracts.errors import FatalError
from model.distribution import estimates
from model.manifest import PresetManifest, load_preset, parse_manifest, preset_names
from model.network import BUILDERS, CYDRAL_DIVISOR, CYDRAL_MEAN, CYDRAL_SIZE
from model.weights import WEIGHTS, file_digest

PRESETS = Path(str(resources.files("model.presets")))


def raw() -> dict[str, Any]:
    """The manifest of `cydral` as JSON."""
    text = resources.files("model.presets").joinpath("cydral", "manifest.json").read_text()
    return dict(json.loads(text))


def test_every_preset_loads_and_fits_the_code() -> None:
    assert "cydral" in preset_names()
    for name in preset_names():
        preset = load_preset(name)
        assert preset.architecture in BUILDERS
        if preset.weights.file:
            assert file_digest(PRESETS / name / preset.weights.file) == preset.weights.sha256
            assert (PRESETS / name / preset.weights.file).stat().st_size <= 16_000_000
        else:
            assert WEIGHTS[preset.weights.name].sha256 == preset.weights.sha256
        assert len(preset.sha256) == 64
        assert preset.measured
        card = resources.files("model.presets").joinpath(name, "README.md").read_text()
        for measured in preset.measured:
            assert f"{measured.mae:.2f}" in card
            assert any(f"{measured.coverage * 100:.1f}{sign}" in card for sign in (" %", "%"))
        assert preset.terms in card.replace("\n", " ")


def test_the_networks_constants_are_the_manifests() -> None:
    preset = load_preset("cydral")
    assert preset.input_size == CYDRAL_SIZE
    assert preset.normalisation.mean == CYDRAL_MEAN
    assert preset.normalisation.divisor == CYDRAL_DIVISOR


def test_an_unknown_preset_lists_those_there_are() -> None:
    with pytest.raises(FatalError, match=r"'cidral'.*cydral"):
        load_preset("cidral")


@pytest.mark.parametrize(
    "change",
    [
        {"inputsize": 64},
        {"input_size": "64"},
        {"input_size": 8},
        {"bins": [3, 2, 1]},
        {"name": "other"},
        {"sha256": "0" * 64},
        {"weights": {"name": "cydral", "sha256": "x", "url": "http://example.org"}},
        {"interval": {**raw()["interval"], "widen": 0}},
    ],
)
def test_typing_errors_and_impossible_values_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(FatalError, match="refused"):
        parse_manifest(json.dumps({**raw(), **change}).encode(), "cydral")


def test_a_missing_key_is_named() -> None:
    content = raw()
    del content["bins"]
    with pytest.raises(FatalError, match="bins"):
        parse_manifest(json.dumps(content).encode(), "cydral")


@pytest.fixture
def plain() -> PresetManifest:
    """Bins 0.25, 1..80; the interval exactly the 10 % and 90 % quantiles."""
    preset = load_preset("cydral")
    return msgspec.structs.replace(preset, interval=msgspec.structs.replace(preset.interval, margin=0.0, widen=1.0))


def test_estimate_of_a_known_distribution(plain: PresetManifest) -> None:
    row = np.zeros((1, 81), dtype=np.float32)
    row[0, 20:41] = 1 / 21
    (estimate,) = estimates(row, plain)
    assert estimate.years == pytest.approx(30)
    assert estimate.spread == pytest.approx(np.sqrt((21**2 - 1) / 12), abs=1e-3)
    assert estimate.low == pytest.approx(19.5 + 0.1 * 21, abs=1e-3)
    assert estimate.high == pytest.approx(19.5 + 0.9 * 21, abs=1e-3)


def test_the_interval_holds_the_estimate_and_never_starts_before_birth() -> None:
    rng = np.random.default_rng(3)
    rows = rng.dirichlet(np.full(81, 0.05), size=200).astype(np.float32)
    rows[0] = np.eye(81)[0]
    for estimate in estimates(rows, load_preset("cydral")):
        assert 0 <= estimate.low <= estimate.years <= estimate.high
