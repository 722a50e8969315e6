"""Measures a network while it learns, and keeps its best weights."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from contracts.errors import InvalidInput, Reason
from model.training import checkpoint
from model.training.config import TrainingConfig
from model.training.material import Material, Watcher
from model.training.measuring import figures_of, outputs_of, score
from model.training.recording import Recorder


def judge(
    network: Any,
    material: Material,
    config: TrainingConfig,
    progress: checkpoint.Progress,
    recorder: Recorder,
    watcher: Watcher,
    row: dict[str, Any],
) -> None:
    """Measure the running mean of the weights (the weights themselves before there is one); keep the best."""
    judged = progress.averaged or progress.weights
    network.set_weights(judged)
    found = measured(network, material, config)
    network.set_weights(progress.weights)
    value = found["score"]
    progress.history.append({**row, "score": value, "figures": found})
    recorder.record(progress.step, {f"validation/{key}": v for key, v in flat(found).items()})
    if value < progress.best:
        progress.best, progress.best_epoch = value, progress.epoch
        progress.best_weights = [np.array(array) for array in judged]
    watcher.say(f"epoch {progress.epoch}: {summary_line(found)}")


def measured(network: Any, material: Material, config: TrainingConfig) -> dict[str, Any]:
    """Figures of the validation split; `score`, which the best weights are kept by, of the sources learned from alone.

    A data set that is left out to be measured on must not choose the weights either.
    """
    indices = material.indices("validation")
    if not len(indices):
        raise InvalidInput(Reason.EMPTY, "no face in the validation split: nothing to measure on")
    outputs = outputs_of(network, material.prepared, indices, config)
    samples, states = [material.manifest.samples[index] for index in indices], material.prepared.state[indices]
    found = figures_of(outputs, samples, states)
    known = [place for place, sample in enumerate(samples) if sample.source not in config.data.leave_out]
    if not known:
        raise InvalidInput(
            Reason.EMPTY,
            f"no validation face of a source learned from, data.leave_out names {', '.join(config.data.leave_out)}: "
            "nothing to choose the weights by",
        )
    part = {name: rows[known] for name, rows in outputs.items()}
    found["score"] = score(figures_of(part, [samples[place] for place in known], states[known]))
    return found


def flat(found: Mapping[str, Any]) -> dict[str, float]:
    """The figures a curve is drawn of."""
    plain = {key: found[key] for key in ("mae", "mae_balanced", "bias", "old", "gender", "ethnicity")}
    decades = {f"mae_{decade}": figures["mae"] for decade, figures in found["decades"].items()}
    return {key: float(value) for key, value in {**plain, **decades}.items() if value is not None}


def summary_line(found: Mapping[str, Any]) -> str:
    """One line for people."""
    decades = " ".join(f"{key}:{value['mae']:.1f}({value['bias']:+.1f})" for key, value in found["decades"].items())
    rest = " ".join(f"{key} {found[key]}" for key in ("old", "gender", "ethnicity") if found[key] is not None)
    return f"mae {found['mae']:.2f} balanced {found['mae_balanced']:.2f} bias {found['bias']:+.2f} | {decades} | {rest}"
