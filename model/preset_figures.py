"""Figures a preset brings along for people: errors by decade, training curves, ages of its training data.

Optional files beside the manifest; none of them changes what the preset is (its sha256 is that of the manifest):

- `decades.json`: `{"data": "what it was measured on", "result": "file of docs/results", "decades": {"30": {"n": 351,
  "mae": 7.35, "bias": -2.8, "within5": 0.43, "coverage": 0.72, "width": 29.0}}}`, by decade of true age.
- `curves.json`: `{"epochs": [1, 2], "train_mae": [9.1, 8.0], "validation_mae": [9.4, 8.6]}`, a value an epoch, years.
- `data.json`: `{"sets": {"name of a data set": {"0": 1200, "10": 800}}}`, faces it was trained on by decade of age.

Guarantee: a file with an unknown, missing or impossible value is refused, never half understood.
"""

from importlib import resources
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from contracts.errors import FatalError
from model.manifest import PACKAGE

T = TypeVar("T", bound=Struct)
Count = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Error = Annotated[float, Meta(ge=0)]


class Decade(Struct, frozen=True, forbid_unknown_fields=True):
    """Measured on the faces whose true age is in one decade. `within5` and `coverage` are shares, the rest years."""

    n: Count
    mae: Error
    bias: float
    within5: Share
    coverage: Share
    width: Error


class Decades(Struct, frozen=True, forbid_unknown_fields=True):
    """Errors by decade; `result` is the measured file below docs/results."""

    data: str
    result: str
    decades: dict[int, Decade]


class Curves(Struct, frozen=True, forbid_unknown_fields=True):
    """How the error fell while the preset was trained."""

    epochs: list[float]
    train_mae: list[Error]
    validation_mae: list[Error]

    def __post_init__(self) -> None:
        if not self.epochs or not len(self.epochs) == len(self.train_mae) == len(self.validation_mae):
            raise ValueError("epochs, train_mae and validation_mae must be equally long and not empty")


class TrainingData(Struct, frozen=True, forbid_unknown_fields=True):
    """Faces by decade of age, for every data set the preset was trained on."""

    sets: dict[str, dict[int, Count]]


def decades(preset: str) -> Decades | None:
    """Errors by decade, None when the preset brings none.

    Raises:
        FatalError: the file is refused.
    """
    return _read(preset, "decades.json", Decades)


def curves(preset: str) -> Curves | None:
    """Training curves, None when the preset brings none.

    Raises:
        FatalError: the file is refused.
    """
    return _read(preset, "curves.json", Curves)


def training_data(preset: str) -> TrainingData | None:
    """What it was trained on by decade, None when the preset brings none.

    Raises:
        FatalError: the file is refused.
    """
    return _read(preset, "data.json", TrainingData)


def _read(preset: str, file: str, kind: type[T]) -> T | None:
    place = resources.files(PACKAGE).joinpath(preset, file)
    return parse(place.read_bytes(), kind, f"{file} of preset {preset!r}") if place.is_file() else None


def parse(body: bytes, kind: type[T], name: str) -> T:
    """Check a file of this kind.

    Raises:
        FatalError: not JSON, or not of this kind; the message names the file and what is wrong.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, ValueError) as error:
        raise FatalError(f"{name} refused: {error}") from error
