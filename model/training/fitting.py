"""The two stages of training: the head on features of the published trunks, then the upper blocks on pictures.

The head first: a random head would send random gradients into trunks that know far more than our faces could teach
them. Each stage is a plain loop over Keras's `train_on_batch`, so it runs on every Keras backend.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from model.mobilenet import BLOCKS
from model.training.batches import FaceSource, batches, drawn, sampling_shares
from model.training.checkpoint import Progress
from model.training.config import FineStage, HeadStage, TrainingConfig
from model.training.losses import Truths, compile_losses
from model.two_scale import FEATURES

LAST_RATE: Final = 0.01
"""The learning rate ends at this share of its highest."""

AVERAGE_EVERY: Final = 10
"""Steps between two samples of the running mean of the weights."""

Features = npt.NDArray[np.float16]
Tell = Callable[[int, Mapping[str, float]], None]
"""Called with steps done and the newest values."""


@dataclass(frozen=True)
class Lesson:
    """Truths of every entry of the manifest and how much each counts: age [n, bins + 1], the other heads by name."""

    truths: Truths
    weights: Truths

    def of(self, indices: npt.NDArray[np.int64]) -> tuple[Truths, Truths]:
        """Rows of the given entries."""
        return {name: rows[indices] for name, rows in self.truths.items()}, {
            name: rows[indices] for name, rows in self.weights.items()
        }


def rate_at(step: int, steps: int, highest: float, warm_up: float) -> float:
    """Learning rate of a step: up on a line, then down as a cosine."""
    rising = max(1, round(steps * warm_up))
    if step < rising:
        return highest * (step + 1) / rising
    along = (step - rising) / max(1, steps - rising)
    return highest * (LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * along)))


def head_alone(network: Any, heads: tuple[str, ...]) -> Any:
    """The network's own head layers as a model of the features [n, FEATURES]; training it trains the network's head."""
    import keras

    inputs = keras.Input((FEATURES,))
    outputs = {
        head: network.get_layer(head)(network.get_layer(f"{head}_dropout")(network.get_layer(f"{head}_hidden")(inputs)))
        for head in ("age", *heads)
    }
    return keras.Model(inputs, outputs)


def fit_head(
    network: Any,
    features: npt.NDArray[np.float16],
    source: FaceSource,
    lesson: Lesson,
    config: TrainingConfig,
    tell: Tell,
) -> None:
    """Train the head on features float16 [n, views, FEATURES]; every draw takes one of a face's views at random."""
    stage: HeadStage = config.head
    model = head_alone(network, config.heads)
    _compile(model, config, stage.rate, stage.decay)
    rng = np.random.default_rng([config.seed, 7])
    shares = sampling_shares(source.ages[source.chosen], config.data.power)
    steps = stage.epochs * max(1, len(source.chosen) // stage.batch)
    for step in range(steps):
        model.optimizer.learning_rate = rate_at(step, steps, stage.rate, 0.02)
        indices = source.chosen[rng.choice(len(shares), stage.batch, p=shares)]
        views = rng.integers(0, features.shape[1], stage.batch)
        rows = np.asarray(features[indices, views], dtype=np.float32)
        truths, weights = lesson.of(indices)
        loss = model.train_on_batch(rows, truths, sample_weight=weights, return_dict=True)["loss"]
        tell(step + 1, {"head/loss": float(loss)})


def freeze(network: Any, stage: FineStage) -> None:
    """Let only the head and the blocks from `from_block` and `coarse_from_block` on learn."""
    low = {"conv1"} | {f"{kind}{n}" for n in range(1, min(stage.from_block, len(BLOCKS) + 1)) for kind in ("dw", "pw")}
    if stage.from_block <= 0:
        low = set()
    for layer in network.layers:
        name = layer.name
        if name.startswith("coarse_"):
            number = 0 if name.startswith("coarse_stem") else _block_number(name)
            layer.trainable = number >= stage.coarse_from_block
        else:
            layer.trainable = name not in low


def _block_number(name: str) -> int:
    digits = name.removeprefix("coarse_block").split("_")[0]
    return int(digits) if digits.isdigit() else 99


def fit_epoch(
    network: Any, source: FaceSource, lesson: Lesson, config: TrainingConfig, progress: Progress, tell: Tell
) -> dict[str, Any]:
    """One epoch of the second stage; `progress` carries step and running mean, and is moved on by it.

    Returns:
        The row of the history: epoch, step, mean loss and mean error on the augmented faces, years.
    """
    stage = config.fine
    positions = drawn(source, progress.epoch, stage.faces, config.data.power)
    per_epoch = stage.faces // stage.batch
    losses, errors = [], []
    for indices, chips in batches(source, progress.epoch, positions, stage.batch, config.prepare_threads):
        network.optimizer.learning_rate = rate_at(progress.step, stage.epochs * per_epoch, stage.rate, stage.warm_up)
        truths, weights = lesson.of(indices)
        found = network.train_on_batch(chips.astype(np.float32), truths, sample_weight=weights, return_dict=True)
        progress.step += 1
        if progress.step % AVERAGE_EVERY == 0:
            _average(progress, network.get_weights(), stage.average)
        losses.append(float(found["loss"]))  # of this batch: Keras forgets the ones before
        errors.append(years_off_in(found))
        tell(progress.step, {"fine/loss": losses[-1], "fine/mae": errors[-1]})
    progress.epoch += 1
    return {
        "epoch": progress.epoch,
        "step": progress.step,
        "loss": float(np.mean(losses)),
        "train_mae": float(np.mean(errors)),
    }


def years_off_in(found: Mapping[str, Any]) -> float:
    """The metric `losses.years_off`; Keras puts the output's name before it where there are several."""
    return float(found.get("age_years_off", found.get("years_off", math.nan)))


def _average(progress: Progress, weights: list[npt.NDArray[Any]], steps: int) -> None:
    """Move the running mean; while it is young it is the plain mean of what it has seen."""
    if not progress.averaged:
        progress.averaged = [np.array(array) for array in weights]
        return
    seen = progress.step // AVERAGE_EVERY
    share = max(1 / seen, AVERAGE_EVERY / max(steps, AVERAGE_EVERY))
    for mean, array in zip(progress.averaged, weights, strict=True):
        mean += share * (array - mean)


def prepare_fine(network: Any, config: TrainingConfig) -> None:
    """Freeze, and give the network a fresh optimizer."""
    freeze(network, config.fine)
    _compile(network, config, config.fine.rate, config.fine.decay)
    network.optimizer.build(network.trainable_variables)


def _compile(model: Any, config: TrainingConfig, rate: float, decay: float) -> None:
    import keras

    shares = {"gender": config.losses.gender, "ethnicity": config.losses.ethnicity}
    model.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=decay, global_clipnorm=1.0),
        jit_compile=False,  # XLA's depthwise convolutions on a processor take twenty times as long
        **compile_losses(config.heads, config.losses.years, shares),
    )
