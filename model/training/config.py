"""Reads a training configuration: one TOML file says everything a run depends on.

Guarantee: an unknown, missing or impossible value is refused, never half understood. Paths are relative to the file;
`${FACES}` and the like are taken from the environment, so that a committed configuration names no one's folders.
"""

import hashlib
import os
import re
from pathlib import Path
from typing import Final

import msgspec

from contracts.errors import InvalidInput, Reason
from model.training.augmentation import Augmentation, Shrunk
from model.training.datasets import READERS
from model.training.samples import ProblemKind
from model.training.targets import TEACHERS, Softening
from model.two_scale import HEADS, PADDING, SIZE

TWO_SCALE: Final = "mairror-two-scale"
ONE_SCALE: Final = "mairror-one-scale"

VARIABLE: Final = re.compile(r"\$\{(\w+)\}")


class DataSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One data set: its name in reports, how it is read (`datasets.READERS`) and where it lies."""

    name: str
    format: str
    path: str


class Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is learned from.

    Attributes:
        skip: kinds of problems that only leave the entry out; all others end the run.
        leave_out: sources not learned from (cross-data runs). They are measured on, but do not choose the weights.
        power: how much rarer ages are drawn more often, 0..1 (`batches.sampling_shares`).
    """

    sets: tuple[DataSet, ...]
    skip: tuple[ProblemKind, ...] = (ProblemKind.DUPLICATE, ProblemKind.NEAR_TWIN, ProblemKind.NO_FACE)
    leave_out: tuple[str, ...] = ()
    power: float = 0.6


class HeadStage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """First: only the head learns, on features of the published trunks, computed once. Seconds."""

    epochs: int = 25
    batch: int = 256
    rate: float = 1e-3
    decay: float = 1e-2


class FineStage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Then: the upper blocks learn too, on augmented chips.

    Attributes:
        epochs: most epochs; `faces` are drawn for each. 0 leaves this stage out.
        rate: highest learning rate, reached after `warm_up` of all steps, falling as a cosine to a hundredth.
        from_block, coarse_from_block: first block of each trunk that learns, 1 the lowest, 0 the stem too. A block
            number beyond the last keeps the whole trunk as published.
        average: weights measured and kept are the running mean over about this many steps.
        patience: epochs without a better validation error before the run ends early.
    """

    epochs: int = 12
    faces: int = 8192
    batch: int = 32
    rate: float = 2e-4
    warm_up: float = 0.05
    decay: float = 1e-2
    from_block: int = 7
    coarse_from_block: int = 1
    average: int = 200
    patience: int = 4


class Losses(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Weights of the loss's parts: the age distribution, the distance of its mean from the label, the other heads."""

    years: float = 0.1
    gender: float = 0.2
    ethnicity: float = 0.2


class Distilled(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a smaller network learns from a larger one of ours.

    Attributes:
        preset: the larger one; the run begins from its weights.
        share: its part in the targets, 0..1; the labels have the rest.
    """

    preset: str
    share: float = 0.7


class TrainingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All a run depends on.

    Attributes:
        name: the preset the weights are for.
        threads: threads of the network; `prepare_threads` of the augmentation.
        precision: `mixed_bfloat16` (processors with AMX or AVX512-BF16, and GPUs), `mixed_float16` or `float32`.
        heads: optional outputs besides the age.
        size, padding: side of the prepared chips, pixels, and dlib's padding.
        shrunk: the chip the network sees, where it is a smaller one.
        architecture: `mairror-two-scale`, or `mairror-one-scale`, which is only learned from a larger preset.
        distilled: learn from a larger network of ours; the stage of the head falls away.
        sha256: of the file; part of the run's folder, so that another configuration never continues a run.
    """

    name: str
    data: Data
    seed: int = 1
    size: int = SIZE
    padding: float = PADDING
    heads: tuple[str, ...] = tuple(HEADS)
    precision: str = "mixed_bfloat16"
    threads: int = 2
    prepare_threads: int = 1
    softening: Softening = Softening()
    augmentation: Augmentation = Augmentation()
    head: HeadStage = HeadStage()
    fine: FineStage = FineStage()
    losses: Losses = Losses()
    shrunk: Shrunk | None = None
    architecture: str = TWO_SCALE
    distilled: Distilled | None = None
    sha256: str = ""

    @property
    def seen_size(self) -> int:
        """Side of what the network sees, pixels."""
        return self.shrunk.size if self.shrunk else self.size

    @property
    def seen_padding(self) -> float:
        """dlib's padding of what the network sees."""
        return self.shrunk.padding if self.shrunk else self.padding

    def __post_init__(self) -> None:
        unknown = [one.format for one in self.data.sets if one.format not in READERS]
        if unknown:
            raise ValueError(f"format {unknown[0]!r} is none of {', '.join(READERS)}")
        if not self.data.sets:
            raise ValueError("data.sets is empty")
        if not 0 <= self.data.power <= 1:
            raise ValueError(f"data.power must be 0 to 1, got {self.data.power}")
        if self.shrunk and not (1 < self.shrunk.size <= self.size and 0 <= self.shrunk.padding <= self.padding):
            raise ValueError(f"shrunk must lie within size {self.size} and padding {self.padding}, got {self.shrunk}")
        if self.architecture not in (TWO_SCALE, ONE_SCALE):
            raise ValueError(f"architecture {self.architecture!r} is none of {TWO_SCALE}, {ONE_SCALE}")
        if self.architecture == ONE_SCALE and self.distilled is None:
            raise ValueError(f"architecture {ONE_SCALE} is only learned from a larger preset: [distilled] is missing")
        if not self.softening.teachers or set(self.softening.teachers) - set(TEACHERS):
            raise ValueError(
                f"softening.teachers must be of {', '.join(TEACHERS)}, got {', '.join(self.softening.teachers)}"
            )
        if set(self.heads) - set(HEADS):
            raise ValueError(f"heads must be of {', '.join(HEADS)}, got {', '.join(self.heads)}")
        if self.precision not in ("float32", "mixed_bfloat16", "mixed_float16"):
            raise ValueError(f"precision {self.precision!r} is none of float32, mixed_bfloat16, mixed_float16")


def load_config(path: Path) -> TrainingConfig:
    """Read and check a configuration.

    Raises:
        InvalidInput: not there, not TOML, or a key or value that is not understood; the message names it.
    """
    try:
        text = path.read_text()
    except OSError as error:
        raise InvalidInput(Reason.EMPTY, f"{path}: {error.strerror}") from error
    try:
        config = msgspec.toml.decode(text, type=TrainingConfig)
    except (msgspec.DecodeError, ValueError) as error:
        raise InvalidInput(Reason.BAD_BODY, f"{path} refused: {error}") from error
    if config.architecture == TWO_SCALE and config.seen_padding != PADDING:
        raise InvalidInput(
            Reason.BAD_BODY,
            f"{path} refused: {TWO_SCALE} cuts its coarse chip out of padding {PADDING}, not {config.seen_padding}",
        )
    return msgspec.structs.replace(config, sha256=hashlib.sha256(text.encode()).hexdigest())


def place_of(entry: DataSet, config: Path) -> Path:
    """Where a data set lies.

    Raises:
        InvalidInput: the path names an environment variable that is not set.
    """

    def value(found: re.Match[str]) -> str:
        if found[1] not in os.environ:
            raise InvalidInput(
                Reason.EMPTY, f"{config}: data set {entry.name!r} lies in {entry.path}: set {found[1]} to its folder"
            )
        return os.environ[found[1]]

    return (config.parent / VARIABLE.sub(value, entry.path)).resolve()
