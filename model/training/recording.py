"""Writes what a run measures: a CSV for people and programs, and event files that TensorBoard reads.

TensorBoard itself is not installed with Mairror; the event files are written by TensorFlow's own writer, and
`pip install tensorboard && tensorboard --logdir RUN/tensorboard` shows them anywhere. Without TensorFlow (another Keras
backend) there is the CSV alone.
"""

import csv
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Recorder:
    """Appends one row of numbers a step or epoch. A continued run appends to what is there."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._table = folder / "history.csv"
        self._writer = _event_writer(folder / "tensorboard")

    def record(self, step: int, values: Mapping[str, float]) -> None:
        """Write the values measured at `step`."""
        new = not self._table.is_file()
        with self._table.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["step", "name", "value"])
            writer.writerows([step, name, f"{value:.6g}"] for name, value in values.items())
        if self._writer is not None:
            raw = importlib.import_module("tensorflow").raw_ops
            for name, value in values.items():
                raw.WriteScalarSummary(writer=self._writer, step=step, tag=name, value=float(value))
            raw.FlushSummaryWriter(writer=self._writer)


def _event_writer(folder: Path) -> Any:
    import keras

    if keras.backend.backend() != "tensorflow":
        return None
    raw = importlib.import_module("tensorflow").raw_ops
    writer = raw.SummaryWriter(shared_name=str(folder), container="")
    raw.CreateSummaryFileWriter(
        writer=writer, logdir=str(folder), max_queue=100, flush_millis=10_000, filename_suffix=""
    )
    return writer
