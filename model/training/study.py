"""The study of architectures: same faces, same budget, same stopping rule, three seeds each.

    FACES=/folder/of/labels.csv python -m model.training.study CONFIG FOLDER > study.json

Compares one trunk for age, gender and ethnicity with a trunk for each and with a published trunk (`study_networks`),
sizes of the first, and small ensembles of the seeds. Every finished run is written at once: a study that was ended goes
on with the next. Measured on the validation split, which decides only when a run ends (its error has not fallen for
`PATIENCE` epochs); its last epoch counts, whichever was best.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from contracts.errors import InvalidInput, Reason
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
FACES: Final = 4096
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


def study(path: Path, cache: Path, folder: Path, watcher: Watcher, only: Sequence[str] = ()) -> dict[str, Any]:
    """Run what `folder` does not hold yet, of the arms in `only` or of all.

    Every run is a file of its own, so several processes can share a folder where each has its own arms.

    Returns:
        `settings`, `runs` by arm and seed, and, of every arm whose seeds are all there, `ensembles`.

    Raises:
        InvalidInput: a run in the folder was made with other settings, or there is no such arm.
    """
    config = msgspec.structs.replace(load_config(path), shrunk=Shrunk(SIDE, COARSE_PADDING))
    configure_backend(config.threads)
    compared = arms(cache)
    if set(only) - set(compared):
        raise InvalidInput(Reason.BAD_BODY, f"no arm {set(only) - set(compared)}, there are {', '.join(compared)}")
    material = gather(config, path, cache, watcher)
    settings = {"config": config.sha256, "side": SIDE, "epochs": EPOCHS, "faces": FACES, "batch": BATCH}
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {"settings": settings, "runs": {}, "ensembles": {}}
    for name, (begin, rate) in compared.items():
        answers: list[Distributions] = []
        for seed in SEEDS:
            told, kept = (folder / f"{name.replace(' ', '-')}-{seed}.{kind}" for kind in ("json", "npy"))
            if not told.is_file() and (not only or name in only):
                figures, ages = one_run(begin, rate, seed, config, material, cache, watcher)
                np.save(kept, ages.astype(np.float16))
                told.write_text(json.dumps({"settings": settings, "arm": name, "seed": seed, **figures}) + "\n")
                watcher.say(f"{name} {seed}: {figures}")
            if told.is_file():
                found["runs"][f"{name} {seed}"] = _kept(told, settings)
                answers.append(np.load(kept).astype(np.float32))
        if len(answers) == len(SEEDS):
            found["ensembles"][name] = ensembles(answers, material)
    return found


def _kept(path: Path, settings: dict[str, Any]) -> dict[str, Any]:
    run: dict[str, Any] = json.loads(path.read_text())
    if run.pop("settings") != settings:
        raise InvalidInput(Reason.BAD_BODY, f"{path} was made with other settings: take another folder, or delete it")
    return run


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
    """Read the arguments, run the study, print it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("folder", type=Path, help="where finished runs are kept")
    parser.add_argument("--only", action="append", default=[], metavar="ARM", help="may be given several times")
    parser.add_argument("--cache", type=Path)
    arguments = parser.parse_args()
    cache = arguments.cache or load_settings().cache
    found = study(arguments.config, cache, arguments.folder, PlainWatcher(), arguments.only)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
