"""Makes a finished run a preset: weights, calibrated interval, figures, learning curve and ages of its training data.

    FACES=/folder/of/labels.csv python -m model.training.publishing CONFIG [PRESET_FOLDER]

The folder holds a hand-written `manifest.json` and `README.md`. Written there: `weights.npz`, `curves.json`,
`data.json`, and in the manifest the weights' digest, the interval's factor and `measured`. The interval is calibrated
on the calibration split, which training never reads; `measured` is the validation split.
"""

import argparse
import dataclasses
import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from contracts.errors import InvalidInput, Reason
from contracts.settings import load_settings
from model.arrays import load_arrays, save_arrays
from model.distribution import estimates
from model.evaluation.figures import Judged, figures
from model.manifest import MANIFEST, PresetManifest
from model.network import BUILDERS
from model.training.__main__ import PlainWatcher
from model.training.calibrate_interval import Answers, balanced, widen, widen_by_age
from model.training.config import TrainingConfig, load_config
from model.training.material import Material, Watcher, gather
from model.training.measuring import outputs_of
from model.training.preparation import State
from model.training.running import run_folder
from model.training.tilting import find_slope, tilt_weights

PRESETS: Final = Path(__file__).parent.parent / "presets"
WEIGHTS: Final = "weights.npz"
LARGEST: Final = 16_000_000
"""Most bytes of a preset's weights file."""


def publish(path: Path, cache: Path, folder: Path, watcher: Watcher) -> dict[str, Any]:
    """Write the preset of a configuration's finished run; returns the new manifest.

    Raises:
        InvalidInput: the run is not finished, its weights are too large, or the manifest is another network's.
    """
    config = load_config(path)
    run = run_folder(config, path, cache)
    weights = run / f"{config.name}.npz"
    if not weights.is_file():
        raise InvalidInput(Reason.EMPTY, f"{weights} is not there: run `mairror train {path}` first")
    if weights.stat().st_size > LARGEST:
        raise InvalidInput(Reason.TOO_MANY_BYTES, f"{weights} has {weights.stat().st_size} bytes, at most {LARGEST}")
    manifest = json.loads((folder / MANIFEST).read_text())
    preset = msgspec.convert(manifest, PresetManifest)
    stated = (preset.architecture, preset.input_size, preset.padding)
    learned = (config.architecture, config.seen_size, config.seen_padding)
    if stated != learned:
        raise InvalidInput(
            Reason.BAD_BODY,
            f"{folder / MANIFEST} states architecture, input_size, padding {stated}, {path} learned with {learned}: "
            "make them equal",
        )
    material = gather(config, path, cache, watcher)
    slope = find_slope(answers_of(preset, weights, material, config, "calibration"))
    arrays, source = load_arrays(weights)
    (folder / WEIGHTS).write_bytes(save_arrays(tilt_weights(arrays, slope), source))
    watcher.say(f"slope for old age: {slope} logits a decade")
    manifest["weights"] = {"name": config.name, "sha256": _digest(folder / WEIGHTS), "file": WEIGHTS}
    preset = msgspec.convert(manifest, PresetManifest)
    held = answers_of(preset, folder / WEIGHTS, material, config, "calibration")
    manifest["interval"] |= {
        "widen": round(widen(held, preset), 4),
        "widen_by_age": widen_by_age(held, preset),
        "calibrated_on": f"{len(held.ages):,} faces: the calibration split of UTKFace and All-Age-Faces crops",
    }
    preset = msgspec.convert(manifest, PresetManifest)
    seen = answers_of(preset, folder / WEIGHTS, material, config, "validation")
    manifest["measured"] = measured(preset, seen)
    (folder / MANIFEST).write_text(_compact(manifest))
    history = json.loads((run / "report.json").read_text())["history"]
    curve = folder / "curves.json"
    found = curves(history)
    if found["epochs"][:1] == [1]:
        curve.write_text(json.dumps(found) + "\n")
    else:  # a run begun before errors were kept: no curve is better than the end of one
        curve.unlink(missing_ok=True)
    (folder / "data.json").write_text(json.dumps({"sets": learned_from(material, config)}, indent=1) + "\n")
    return dict(manifest)


def answers_of(
    preset: PresetManifest, weights: Path, material: Material, config: TrainingConfig, split: str
) -> Answers:
    """The published network's answers to one split, in single precision as it serves; faces no detector found are
    answered by the whole picture, and count."""
    import keras

    keras.config.set_dtype_policy("float32")
    network = BUILDERS[preset.architecture](load_arrays(weights)[0], preset.input_size, ())
    indices = material.indices(split)
    wrapped = _Named(network)
    found = outputs_of(wrapped, material.prepared, indices, config)["age"]
    ages = np.array([material.manifest.samples[index].age for index in indices])
    missed = int((material.prepared.state[indices] == State.NO_FACE).sum())
    return Answers(found.astype(np.float64), ages, missed)


@dataclasses.dataclass(frozen=True)
class _Named:
    """A network of one output, answering by name as those of training do."""

    network: Any

    def predict_on_batch(self, chips: npt.NDArray[np.float32]) -> dict[str, Any]:
        return {"age": self.network.predict_on_batch(chips)}


def measured(preset: PresetManifest, answers: Answers) -> list[dict[str, Any]]:
    """The manifest's `measured`: all faces, and at most 150 of each decade."""
    found = estimates(answers.probabilities.astype(np.float32), preset)
    judged = [Judged(age, one, False, None, {}) for age, one in zip(answers.ages.tolist(), found, strict=True)]
    everybody = "validation split of UTKFace and All-Age-Faces crops"
    chosen = balanced(answers.ages)
    rows = [(everybody, judged), ("the same, at most 150 faces of each decade of age", [judged[i] for i in chosen])]
    return [_measurement(name, faces) for name, faces in rows]


def _measurement(name: str, faces: Sequence[Judged]) -> dict[str, Any]:
    found = figures(faces)
    return {
        "data": name,
        "faces": found["n"],
        "mae": round(found["mae"], 2),
        "bias": round(found["bias"], 2),
        "coverage": round(found["coverage"], 3),
        "mean_width": round(found["width"], 1),
    }


def curves(history: Sequence[dict[str, Any]]) -> dict[str, list[float]]:
    """Errors by epoch: of the augmented training faces meanwhile, and of the validation split at its end."""
    rows = [row for row in history if "train_mae" in row]
    return {
        "epochs": [row["epoch"] for row in rows],
        "train_mae": [round(row["train_mae"], 3) for row in rows],
        "validation_mae": [row["figures"]["mae"] for row in rows],
    }


def learned_from(material: Material, config: TrainingConfig) -> dict[str, dict[str, int]]:
    """Training faces by source and decade of age."""
    samples = [material.manifest.samples[index] for index in material.indices("train", config.data.leave_out)]
    counts: dict[str, Counter[int]] = {}
    for sample in samples:
        counts.setdefault(sample.source, Counter())[int(sample.age // 10 * 10)] += 1
    return {name: {str(decade): count[decade] for decade in sorted(count)} for name, count in sorted(counts.items())}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _compact(manifest: dict[str, Any]) -> str:
    """JSON for people: indented, lists of numbers on one line."""
    text = json.dumps(manifest, indent=2)
    flat = re.sub(r"\[\s+([-\d.,\s]+?)\s+\]", lambda found: f"[{' '.join(found[1].split())}]", text)
    return flat + "\n"


def main() -> None:
    """Read the arguments, publish."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("folder", type=Path, nargs="?", help="default: the preset's folder in model/presets")
    parser.add_argument("--cache", type=Path)
    arguments = parser.parse_args()
    folder = arguments.folder or PRESETS / load_config(arguments.config).name
    watcher = PlainWatcher()
    manifest = publish(arguments.config, arguments.cache or load_settings().cache, folder, watcher)
    watcher.say(json.dumps({key: manifest[key] for key in ("weights", "interval", "measured")}))


if __name__ == "__main__":
    main()
