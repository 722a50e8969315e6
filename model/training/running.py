"""One training run from its configuration to weights: what `mairror train CONFIG` and `python -m model.training` do.

Steps: read the data sets, find and align every face (kept), fix the splits, let the teachers look (kept), train the
head, train the upper blocks (checkpoint after every epoch), measure, export. Every step goes on where an earlier run
of the same configuration stopped. Nothing is written into the repository.
"""

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from model.arrays import load_arrays
from model.backend import configure_backend
from model.manifest import load_preset
from model.mobilenet import Weights, fill
from model.network import cydral_kernels
from model.one_scale import build_one_scale, of_two_scale
from model.preset_weights import preset_arrays
from model.training import checkpoint
from model.training.batches import FaceSource
from model.training.config import ONE_SCALE, TWO_SCALE, TrainingConfig, load_config
from model.training.distilling import larger_answers
from model.training.export import export
from model.training.fitting import Lesson, fit_epoch, fit_head, prepare_fine
from model.training.judging import judge, measured, summary_line
from model.training.losses import age_truth, other_truths
from model.training.material import Material, Watcher, gather
from model.training.recording import Recorder
from model.training.targets import implausible_labels, targets
from model.training.teacher_weights import faceres_deep
from model.two_scale import AGES, build_two_scale, of_heads
from model.weights import path_of, weights_folder

NETWORKS: Final = {TWO_SCALE: build_two_scale, ONE_SCALE: build_one_scale}
"""What `architecture` in a configuration names."""

TELL_EVERY: Final = 20
"""Steps between two records of the loss."""


def train(path: Path, cache: Path, watcher: Watcher) -> dict[str, Any]:
    """Run a configuration to its end.

    Returns:
        The report: weights (path), figures of the validation split, problems by kind, seconds.

    Raises:
        InvalidInput: the configuration or a data set is refused.
        FatalError, RetryableError: weights to begin from are not there.
    """
    started = time.monotonic()
    config = load_config(path)
    configure_backend(config.threads)
    material = gather(config, path, cache, watcher)
    folder = run_folder(config, path, cache)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(path.read_text())
    network, history = learn(config, material, cache, folder, watcher)
    found = measured(network, material, config)
    report = {
        "figures": found,
        "history": history,
        "problems": dict(Counter(one.kind.value for one in material.problems)),
        "faces": {name: len(material.indices(name, config.data.leave_out)) for name in ("train", "validation")},
        "seconds": round(time.monotonic() - started),
    }
    weights = export(network, folder, config.name, config.sha256, report)
    watcher.say(f"{config.name}: {summary_line(found)}; {weights}")
    return {"weights": str(weights), **report}


def run_folder(config: TrainingConfig, path: Path, cache: Path) -> Path:
    """Where a configuration's run is kept."""
    return cache / "training" / "runs" / f"{path.stem}-{config.sha256[:12]}"


def learn(
    config: TrainingConfig, material: Material, cache: Path, folder: Path, watcher: Watcher
) -> tuple[Any, list[dict[str, Any]]]:
    """Both stages; returns the network with its best weights, and the figures of every epoch."""
    import keras

    keras.utils.set_random_seed(config.seed)
    network = begin(config, cache)
    lesson, source = lesson_of(config, material, cache, watcher)
    recorder, progress = Recorder(folder), checkpoint.load(folder)
    if progress is None:
        progress = checkpoint.Progress()
        if config.distilled is None:
            steps = config.head.epochs * max(1, len(source.chosen) // config.head.batch)
            fit_head(network, material.seen.features, source, lesson, config, _teller(recorder, watcher, "head", steps))
        prepare_fine(network, config)
        progress.weights = network.get_weights()
        judge(network, material, config, progress, recorder, watcher, {"epoch": 0, "step": 0})
        checkpoint.save(folder, progress)
    else:
        prepare_fine(network, config)
        network.set_weights(progress.weights)
        if progress.optimizer:
            for variable, value in zip(network.optimizer.variables, progress.optimizer, strict=True):
                variable.assign(value)
        watcher.say(f"continued after epoch {progress.epoch} of {config.fine.epochs}")
    steps = config.fine.epochs * (config.fine.faces // config.fine.batch)
    tell = _teller(recorder, watcher, "fine", steps)
    while progress.epoch < config.fine.epochs and progress.epoch - progress.best_epoch < config.fine.patience:
        row = fit_epoch(network, source, lesson, config, progress, tell)
        progress.weights = network.get_weights()
        progress.optimizer = [np.asarray(one) for one in network.optimizer.variables]
        judge(network, material, config, progress, recorder, watcher, row)
        checkpoint.save(folder, progress)
    keras.config.set_dtype_policy("float32")
    final = NETWORKS[config.architecture](None, ("age", *config.heads), config.seen_size)
    final.set_weights(progress.best_weights)
    final.set_weights([array.astype(np.float16).astype(np.float32) for array in final.get_weights()])
    return final, progress.history


def begin(config: TrainingConfig, cache: Path) -> Any:
    """The network with the published trunks and a new head; a distilled one with all that its teacher knows."""
    network = NETWORKS[config.architecture](None, ("age", *config.heads), config.seen_size)
    if config.distilled is not None:
        larger: Weights = preset_arrays(load_preset(config.distilled.preset), weights_folder(cache))
        larger = of_heads(larger, config.heads)
        fill(network, of_two_scale(larger) if config.architecture == ONE_SCALE else larger)
        return network
    arrays = faceres_deep(cache)
    coarse = cydral_kernels(load_arrays(path_of("cydral", cache))[0])
    for layer in network.layers:
        if f"{layer.name}/kernel" in arrays and not layer.name.startswith(("age", "gender")):
            layer.set_weights([arrays[f"{layer.name}/kernel"], arrays[f"{layer.name}/bias"]])
    convolutions = [one for one in network.layers if one.name.startswith("coarse_") and one.weights]
    for layer, values in zip(convolutions, coarse, strict=True):
        layer.set_weights(list(values))
    return network


def lesson_of(config: TrainingConfig, material: Material, cache: Path, watcher: Watcher) -> tuple[Lesson, FaceSource]:
    """What is to be answered for every entry, and the faces to learn from: of the split `train`, with labels that
    are not implausible."""
    samples = material.manifest.samples
    ages = np.array([sample.age for sample in samples])
    teachers = _filled(material.seen.distributions(config.softening.teachers))
    target = targets(np.minimum(ages, AGES - 1), teachers, config.softening)
    years = np.asarray(target @ np.arange(AGES), dtype=np.float64) if config.softening.means else ages
    others, weights = other_truths(samples, config.heads)
    every = {"age": np.ones(len(samples), dtype=np.float32), **weights}
    chosen = material.indices("train", config.data.leave_out)
    doubted = implausible_labels(ages[chosen], material.seen.estimates()[chosen], config.softening.implausible)
    source = FaceSource(
        material.prepared.chips,
        chosen[~doubted],
        ages,
        config.size,
        config.augmentation,
        config.seed,
        config.padding,
        config.shrunk,
    )
    if config.distilled is not None:
        answers = larger_answers(config.distilled.preset, material, cache, watcher)
        share = config.distilled.share
        target = (1 - share) * target + share * answers
        years = np.asarray((1 - share) * years + share * (answers @ np.arange(AGES)), dtype=np.float64)
    return Lesson({"age": age_truth(target, years), **others}, every), source


def _filled(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Rows no teacher has seen (unreadable pictures) made even, so that nothing divides by zero."""
    return np.where(rows.sum(axis=1, keepdims=True) > 0, rows, np.float32(1 / rows.shape[1]))


def _teller(recorder: Recorder, watcher: Watcher, name: str, total: int) -> Any:
    def tell(step: int, values: Mapping[str, float]) -> None:
        watcher.step(name, step, total)
        if step % TELL_EVERY == 0:
            recorder.record(step, values)

    return tell
