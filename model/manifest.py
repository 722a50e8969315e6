"""Reads the manifest of an age preset: `model/presets/<name>/manifest.json`.

Guarantee: a manifest with an unknown, missing or impossible value is refused, never half understood.
"""

import hashlib
from importlib import resources
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from contracts.errors import FatalError
from model.two_scale import HEADS

PACKAGE: Final = "model.presets"
MANIFEST: Final = "manifest.json"


class WeightsRef(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which weights a preset runs, and the sha256 of their file.

    Fetched ones have a `name` in `model.weights.WEIGHTS`; those that come with Mairror a `file` beside the manifest.
    """

    name: str
    sha256: str
    file: str = ""


class Normalisation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """(channel - mean) / divisor, channels in RGB order, pixel values 0..255. Part of the network's graph."""

    mean: tuple[float, float, float]
    divisor: float


class Interval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the interval is made: the way from the estimate to a quantile, plus `margin` years, times `widen`.

    `margin` keeps very certain distributions from claiming months. `widen` makes the share of true ages inside equal
    `coverage` on the calibration data (`model/training/calibrate_interval.py`). `widen_by_age` has that factor by
    estimated age instead, pairs of (years, factor) with straight lines between them, so that it holds for young and
    old alike; empty: `widen` everywhere.
    """

    coverage: float
    lower_quantile: float
    upper_quantile: float
    margin: float
    widen: float
    calibrated_on: str
    widen_by_age: tuple[tuple[float, float], ...] = ()

    def factors(self, years: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The factor for each estimate [n]."""
        if not self.widen_by_age:
            return np.full(len(years), self.widen)
        ages, factors = np.array(self.widen_by_age).T
        return np.asarray(np.interp(years, ages, factors), dtype=np.float64)


class Licences(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Terms of each part, SPDX where there is an identifier."""

    code: str
    weights: str
    training_data: str


class Measurement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One measured figure set: mean absolute error and bias in years, coverage of the interval 0..1."""

    data: str
    faces: int
    mae: float
    bias: float
    coverage: float
    mean_width: float


class PresetManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that serving and readers need to know about a preset.

    Attributes:
        architecture: the network's name in `model.network.BUILDERS`.
        input_size: side of the square chip, pixels.
        padding: margin around the mean face, as a share of its size (dlib's meaning).
        bins: age of each output of the network, years, ascending.
        terms: one sentence people see about what the estimate is and is not.
        heads: answers it can give besides the age, of `model.two_scale.HEADS`; each must be switched on.
        sha256: digest of the manifest file; names this exact preset in answers. The weights' digest, the version and
            the interval are inside, so any change of the preset changes it.
    """

    name: str
    version: str
    architecture: str
    input_size: int
    padding: float
    normalisation: Normalisation
    bins: tuple[float, ...]
    weights: WeightsRef
    interval: Interval
    licences: Licences
    origin: str
    measured: tuple[Measurement, ...]
    terms: str
    heads: tuple[str, ...] = ()
    sha256: str = ""

    def __post_init__(self) -> None:
        if list(self.bins) != sorted(set(self.bins)) or len(self.bins) < 2:
            raise ValueError("bins must be ascending ages, at least two")
        if set(self.heads) - set(HEADS):
            raise ValueError(f"heads must be of {', '.join(sorted(HEADS))}, got {', '.join(self.heads)}")
        if Path(self.weights.file).name != self.weights.file:
            raise ValueError(f"weights.file must be a file beside the manifest, got {self.weights.file!r}")
        if not 16 <= self.input_size <= 512:
            raise ValueError(f"input_size must be 16..512 pixels, got {self.input_size}")
        if (
            not 0 < self.interval.lower_quantile < 0.5 < self.interval.upper_quantile < 1
            or self.interval.widen <= 0
            or any(factor <= 0 for _, factor in self.interval.widen_by_age)
            or [age for age, _ in self.interval.widen_by_age] != sorted({age for age, _ in self.interval.widen_by_age})
            or self.interval.margin < 0
        ):
            raise ValueError("interval needs 0 < lower_quantile < 0.5 < upper_quantile < 1, widen > 0, margin >= 0")


def preset_names() -> list[str]:
    """Names of the presets that come with Mairror, sorted."""
    folders = resources.files(PACKAGE).iterdir()
    return sorted(folder.name for folder in folders if folder.is_dir() and folder.joinpath(MANIFEST).is_file())


def load_preset(name: str) -> PresetManifest:
    """Read the preset called `name`.

    Raises:
        FatalError: there is none of that name (the message lists those there are), or its manifest is refused.
    """
    if name not in preset_names():
        raise FatalError(f"no preset {name!r}: choose one of {', '.join(preset_names())}")
    return parse_manifest(resources.files(PACKAGE).joinpath(name, MANIFEST).read_bytes(), name)


def parse_manifest(data: bytes, name: str) -> PresetManifest:
    """Check the bytes of a manifest that must describe the preset `name`.

    Raises:
        FatalError: not JSON, unknown or missing keys, a value out of range, or another name inside.
    """
    try:
        manifest = msgspec.json.decode(data, type=PresetManifest)
    except (msgspec.DecodeError, ValueError) as error:
        raise FatalError(f"manifest of preset {name!r} refused: {error}") from error
    if manifest.name != name or manifest.sha256:
        raise FatalError(f"manifest of preset {name!r} refused: it names {manifest.name!r}, or states its own sha256")
    return msgspec.structs.replace(manifest, sha256=hashlib.sha256(data).hexdigest())
