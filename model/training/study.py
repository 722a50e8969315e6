"""The study of architectures: same faces, same budget, same stopping rule, three seeds each.

    FACES=/folder/of/labels.csv python -m model.training.study model/training/configs/mairror-age-1.toml RESULT.json

Compares one trunk for age, gender and ethnicity with a trunk for each and with a published trunk (`study_networks`),
sizes of the first, and small ensembles of the seeds. Every finished run is written at once: a study that was ended goes
on with the next. Measured on the validation split; nothing is chosen by it, since every arm ends at its last epoch or
when its error has not fallen for `PATIENCE` epochs.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from contracts.settings import load_settings
from model.arrays import load_arrays
from model.backend import compile_predict, configure_backend
from model.training import study_networks
from model.training.__main__ import PlainWatcher
from model.training.augmentation import Shrunk
from model.training.batches import batches, drawn
from model.training.config import TrainingConfig, load_config
from model.training.fitting import rate_at, years_off_in
from model.training.losses import compile_losses
from model.training.material import Material, Watcher, gather
from model.training.measuring import figures_of, outputs_of
from model.training.running import lesson_of
from model.training.study_networks import SIDE
from model.two_scale import COARSE_PADDING, in_one_row
from model.weights import path_of

SEEDS: Final = (1, 2, 3)
EPOCHS: Final = 10
FACES: Final = 6400
"""Faces drawn for an epoch."""

BATCH: Final = 64
RATE: Final = 2e-3
TRANSFER_RATE: Final = 5e-4
"""A published trunk would forget at the rate that a new one needs."""

PATIENCE: Final = 3
TIMED: Final = 16
"""Faces of a batch when speed is measured."""

Distributions = npt.NDArray[np.float32]


def arms(cache: Path) -> dict[str, tuple[Callable[[], Any], float]]:
    """What is compared: how each network is begun, and its highest learning rate."""
    published = load_arrays(path_of("cydral", cache))[0]
    return {
        "one trunk": (lambda: study_networks.shared(1.0), RATE),
        "a trunk each": (lambda: study_networks.separate(1.0), RATE),
        "published trunk": (lambda: study_networks.transferred(published), TRANSFER_RATE),
        "one trunk, half as wide": (lambda: study_networks.shared(0.5), RATE),
        "one trunk, a quarter as wide": (lambda: study_networks.shared(0.25), RATE),
    }


def study(path: Path, cache: Path, result: Path, watcher: Watcher) -> dict[str, Any]:
    """Run what `result` does not hold yet; returns all of it."""
    config = msgspec.structs.replace(load_config(path), shrunk=Shrunk(SIDE, COARSE_PADDING))
    configure_backend(config.threads)
    material = gather(config, path, cache, watcher)
    found: dict[str, Any] = json.loads(result.read_text()) if result.is_file() else {"runs": {}, "ensembles": {}}
    answers: dict[str, list[Distributions]] = {}
    for name, (begin, rate) in arms(cache).items():
        for seed in SEEDS:
            key, kept = f"{name} {seed}", result.parent / f"{result.stem}-{name.replace(' ', '-')}-{seed}.npy"
            if key not in found["runs"] or not kept.is_file():
                figures, ages = one_run(begin, rate, seed, config, material, cache, watcher)
                np.save(kept, ages.astype(np.float16))
                found["runs"][key] = {"arm": name, "seed": seed, **figures}
                result.write_text(json.dumps(found, indent=1) + "\n")
                watcher.say(f"{key}: {figures}")
            answers.setdefault(name, []).append(np.load(kept).astype(np.float32))
        found["ensembles"][name] = ensembles(answers[name], material)
    result.write_text(json.dumps(found, indent=1) + "\n")
    return found


def one_run(
    begin: Callable[[], Any],
    rate: float,
    seed: int,
    config: TrainingConfig,
    material: Material,
    cache: Path,
    watcher: Watcher,
) -> tuple[dict[str, Any], Distributions]:
    """Train one network; returns its figures and its age distributions of the validation split."""
    import keras

    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(config.precision)
    own = msgspec.structs.replace(config, seed=seed)
    lesson, source = lesson_of(own, material, cache, watcher)
    network = begin()
    shares = {"gender": config.losses.gender, "ethnicity": config.losses.ethnicity}
    network.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=1e-3, global_clipnorm=1.0),
        **compile_losses(config.heads, config.losses.years, shares),
    )
    validation, started = material.indices("validation"), time.monotonic()
    samples = [material.manifest.samples[index] for index in validation]
    curve: list[dict[str, float]] = []
    outputs, figures = {}, {}
    steps, step = EPOCHS * (FACES // BATCH), 0
    for epoch in range(EPOCHS):
        positions = drawn(source, epoch, FACES, config.data.power)
        errors: list[float] = []
        for indices, chips in batches(source, epoch, positions, BATCH, config.prepare_threads):
            network.optimizer.learning_rate = rate_at(step, steps, rate, 0.05)
            truths, weights = lesson.of(indices)
            seen = network.train_on_batch(chips.astype(np.float32), truths, sample_weight=weights, return_dict=True)
            errors.append(years_off_in(seen))
            step += 1
            watcher.step(f"{network.name}, seed {seed}", step, steps)
        outputs = outputs_of(network, material.prepared, validation, config)
        figures = figures_of(outputs, samples, material.prepared.state[validation])
        curve.append({"train_mae": round(float(np.mean(errors)), 3), "validation_mae": figures["mae"]})
        if len(curve) - 1 - int(np.argmin([one["validation_mae"] for one in curve])) >= PATIENCE:
            break
    told = {key: figures[key] for key in ("mae", "mae_balanced", "old", "gender", "ethnicity")}
    size = {"parameters": int(network.count_params()), "cpu_ms_per_face": speed(begin)}
    return {**told, **size, "seconds": round(time.monotonic() - started), "curve": curve}, outputs["age"]


def speed(begin: Callable[[], Any]) -> float:
    """Milliseconds of processor time a face, all heads, batches of `TIMED`, single precision."""
    import keras

    keras.config.set_dtype_policy("float32")
    network = begin()
    run = compile_predict(in_one_row(network, ("gender", "ethnicity")), (TIMED,), SIDE)[TIMED]
    chips = np.random.default_rng(0).integers(0, 256, (TIMED, SIDE, SIDE, 3), dtype=np.uint8)
    times = []
    for _ in range(15):
        before = time.process_time()
        run(chips)
        times.append((time.process_time() - before) * 1000 / TIMED)
    return round(median(times), 2)


def ensembles(answers: Sequence[Distributions], material: Material) -> dict[str, float]:
    """Errors of the mean of the first one, two, three seeds' distributions."""
    indices = material.indices("validation")
    ages = np.array([material.manifest.samples[index].age for index in indices])
    bins = np.arange(answers[0].shape[1])
    means = {count: np.mean(answers[:count], axis=0) @ bins for count in range(1, len(answers) + 1)}
    return {str(count): round(float(np.abs(years - ages).mean()), 3) for count, years in means.items()}


def main() -> None:
    """Read the arguments, run the study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--cache", type=Path)
    arguments = parser.parse_args()
    study(arguments.config, arguments.cache or load_settings().cache, arguments.result, PlainWatcher())


if __name__ == "__main__":
    main()
