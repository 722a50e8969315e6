"""`model.training.config`: a configuration is understood whole or refused with the key that is wrong."""

from pathlib import Path

import pytest

from contracts.errors import InvalidInput
from model.training.config import load_config, place_of

CONFIGS = Path(__file__).parents[3] / "model" / "training" / "configs"
GOOD = 'name = "x"\n[data]\n[[data.sets]]\nname = "faces"\nformat = "csv"\npath = "${FACES_OF_A_TEST}/labels.csv"\n'


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_committed_configurations_are_read(path: Path) -> None:
    config = load_config(path)
    assert len(config.sha256) == 64
    assert config.name.startswith("mairror-age-1")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("speed = 3\n", "speed"),
        ('precision = "int4"\n', "int4"),
        ('heads = ["mood"]\n', "mood"),
        ('seed = "one"\n', "seed"),
        ("[augmentation]\nflop = 0.5\n", "flop"),
        ("[softening]\nspread = 1\n", "spread"),
        ("[softening]\nteachers = []\n", "softening.teachers"),
        ('[softening]\nteachers = ["nobody"]\n', "nobody"),
        ("[shrunk]\nsize = 1\npadding = 0.45\n", "within size 224"),
        ("[shrunk]\nsize = 112\npadding = 0.2\n", "coarse chip out of padding 0.45, not 0.2"),
    ],
)
def test_what_is_not_understood_is_named(change: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(change + GOOD if not change.startswith("[") else GOOD + change)
    with pytest.raises(InvalidInput, match=words):
        load_config(path)


def test_places_are_relative_to_the_file_or_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.toml"
    path.write_text(GOOD)
    entry = load_config(path).data.sets[0]
    with pytest.raises(InvalidInput, match="set FACES_OF_A_TEST"):
        place_of(entry, path)
    monkeypatch.setenv("FACES_OF_A_TEST", "/data/faces")
    assert place_of(entry, path) == Path("/data/faces/labels.csv")
