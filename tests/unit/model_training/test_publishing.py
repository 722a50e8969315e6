"""From a finished run to a preset, and from measured figures to its card."""

import json
import shutil
from pathlib import Path

import pytest

from contracts.errors import InvalidInput
from model.manifest import parse_manifest
from model.preset_figures import Curves, Decades, TrainingData, parse
from model.training import card, material
from model.training.publishing import PRESETS, publish
from model.training.running import train
from model.weights import file_digest
from tests.unit.model_training.test_running import Silent, config, own_cache, teacher

__all__ = ["own_cache", "teacher"]


def test_a_finished_run_becomes_a_preset(
    faces: Path, own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # eighteen pictures of two people stand for eighteen people
    monkeypatch.setattr(material, "near_twins", lambda _chips: [])
    own, folder = tmp_path / "faces", tmp_path / "mairror-age-1"
    shutil.copytree(faces, own)
    labels = (own / "labels.csv").read_text()
    assert "p/16.jpg,78,F,White,validation" in labels
    # one of the validation faces calibrates
    (own / "labels.csv").write_text(labels.replace("p/16.jpg,78,F,White,validation", "p/16.jpg,78,F,White,calibration"))
    path = config(tmp_path, own)
    folder.mkdir()
    manifest = json.loads((PRESETS / "mairror-age-1/manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InvalidInput, match=r"run `mairror train .*tiny\.toml` first"):
        publish(path, own_cache, folder, Silent())
    train(path, own_cache, Silent())
    with pytest.raises(InvalidInput, match=r"states .*, 224, 0\.45\), .* learned with .*, 64, 0\.45\)"):
        publish(path, own_cache, folder, Silent())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"input_size": 64}))
    publish(path, own_cache, folder, Silent())
    found = parse_manifest((folder / "manifest.json").read_bytes(), "mairror-age-1")
    assert found.weights.sha256 == file_digest(folder / "weights.npz")
    assert found.interval.widen > 0
    assert "1 faces" in found.interval.calibrated_on
    assert [row.faces for row in found.measured] == [5, 5]
    curves = parse((folder / "curves.json").read_bytes(), Curves, "curves")
    assert curves.epochs == [1, 2]
    assert all(0 < error < 100 for error in curves.train_mae)
    learned = parse((folder / "data.json").read_bytes(), TrainingData, "data")
    assert sum(learned.sets["faces"].values()) == 11


def test_measured_figures_reach_the_card_between_its_marks(tmp_path: Path) -> None:
    result = PRESETS.parent.parent / "docs/results/mairror-age-1-validation.json"
    (tmp_path / "README.md").write_text(f"# Card\n\n{card.MARKS[0]}old\n{card.MARKS[1]}\n\nAfter.\n")
    card.write(result, tmp_path, "faces")
    text = (tmp_path / "README.md").read_text()
    assert "old\n" not in text
    assert text.startswith("# Card\n")
    assert text.endswith("After.\n")
    assert "groups at equal ages" in text
    assert parse((tmp_path / "decades.json").read_bytes(), Decades, "decades").decades[30].n == 351
    with pytest.raises(InvalidInput, match="has not both marks"):
        card.with_figures("# Card", "")


def test_the_committed_card_is_the_measured_one() -> None:
    for folder in PRESETS.glob("mairror-*"):
        name = folder.name
        result = json.loads((PRESETS.parent.parent / f"docs/results/{name}-validation.json").read_text())["figures"]
        text = (folder / "README.md").read_text()
        assert card.with_figures(text, "\n\n".join(card.tables(result)) + "\n") == text
