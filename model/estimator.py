"""Estimates ages of aligned faces in batches of a few fixed sizes.

Guarantee: the network is traced and compiled in `warm_up`, for a few sizes; `predict` only ever runs those. A face's
estimate does not depend on what else is in its batch. Not thread-safe: one thread predicts at a time.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from contracts.errors import FatalError
from model.backend import Predict, compile_predict
from model.distribution import estimates, with_heads
from model.faces import AgeEstimate
from model.manifest import PresetManifest
from model.network import BUILDERS
from model.preset_weights import preset_arrays

WARM_RUNS: Final = 5
"""Most timed runs of every size in the warm-up; their median is the first answer of `batch_ms`."""

WARM_SECONDS: Final = 0.2
"""No further run of a size is timed when this time is over: nobody waits for the fifth run of a slow network."""

SMOOTHING: Final = 0.2
"""Weight of the newest run in the running mean of a size's time."""

Chips = npt.NDArray[np.uint8]


class AgeEstimator:
    """One preset, ready to predict.

    Args:
        manifest: the preset, from `model.manifest.load_preset`.
        weights_dir: folder of the weight files, `model.weights.weights_folder(cache)`.
        batch_sizes: fixed sizes, ascending, each >= 1.
        heads: answers wanted besides the age, of the manifest's `heads`.

    Raises:
        FatalError: weights missing or not the manifest's, no such architecture or head, or sizes not ascending.
    """

    def __init__(
        self, manifest: PresetManifest, weights_dir: Path, batch_sizes: tuple[int, ...], heads: Sequence[str] = ()
    ) -> None:
        if not batch_sizes or list(batch_sizes) != sorted(set(batch_sizes)) or batch_sizes[0] < 1:
            raise FatalError(f"batch sizes must be ascending positive numbers, got {batch_sizes}")
        if manifest.architecture not in BUILDERS:
            raise FatalError(
                f"preset {manifest.name!r} wants architecture {manifest.architecture!r}, known: {', '.join(BUILDERS)}"
            )
        unknown = set(heads) - set(manifest.heads)
        if unknown:
            raise FatalError(
                f"preset {manifest.name!r} cannot answer {', '.join(sorted(unknown))}: it knows "
                f"{', '.join(manifest.heads) or 'nothing but ages'}; change model.heads or model.preset"
            )
        self.manifest = manifest
        self._heads = tuple(head for head in manifest.heads if head in heads)
        self.batch_sizes = batch_sizes
        arrays = preset_arrays(manifest, weights_dir)
        self._network = BUILDERS[manifest.architecture](arrays, manifest.input_size, self._heads)
        self._predict: dict[int, Predict] = {}
        self._ms: dict[int, float] = {}

    @property
    def parameters(self) -> int:
        """Numbers the network has learned, without the optional heads that are switched off."""
        return int(self._network.count_params())

    def warm_up(self) -> None:
        """Trace, compile and time every fixed size. Takes a second or a few; later calls do nothing."""
        if self._predict:
            return
        side = self.manifest.input_size
        compiled = compile_predict(self._network, self.batch_sizes, side)
        for size, run in compiled.items():
            noise = np.random.default_rng(0).integers(0, 256, (size, side, side, 3), dtype=np.uint8)
            run(noise)  # memory and primitives of this size are made now and not counted
            times: list[float] = []
            while len(times) < WARM_RUNS and sum(times) < WARM_SECONDS * 1e3:
                start = time.perf_counter()
                run(noise)
                times.append((time.perf_counter() - start) * 1e3)
            self._ms[size] = float(np.median(times))
        self._predict = compiled

    def predict(self, chips: Chips) -> list[AgeEstimate]:
        """Estimate the age of every face.

        Args:
            chips: RGB uint8 [n, s, s, 3] from `model.alignment.chip` with the preset's size and padding; n may be 0.

        Returns:
            n estimates in the order of the chips.

        Raises:
            ValueError: another shape or type.
            FatalError: not warmed up.
        """
        answers = self.probabilities(chips)
        bins = len(self.manifest.bins)
        found = estimates(answers[:, :bins], self.manifest)
        return with_heads(found, answers[:, bins:], self._heads) if self._heads else found

    def probabilities(self, chips: Chips) -> npt.NDArray[np.float32]:
        """The network's output float32 [n, bins and the heads' outputs] for `predict`'s input; same errors."""
        side = self.manifest.input_size
        if chips.ndim != 4 or chips.shape[1:] != (side, side, 3) or chips.dtype != np.uint8:
            raise ValueError(f"chips must be uint8 [n, {side}, {side}, 3], got {chips.dtype} {list(chips.shape)}")
        largest = self.batch_sizes[-1]
        parts = [self._run(chips[start : start + largest]) for start in range(0, len(chips), largest)]
        return np.concatenate(parts) if parts else np.empty((0, self._network.output_shape[-1]), dtype=np.float32)

    def batch_ms(self, size: int) -> float:
        """How long one batch of the fixed size `size` takes now, ms (running mean, first the warm-up's median).

        Raises:
            FatalError: not a warmed-up size.
        """
        if size not in self._ms:
            raise FatalError(f"batch size {size} is not warmed up: call warm_up(), sizes are {self.batch_sizes}")
        return self._ms[size]

    def _run(self, chips: Chips) -> npt.NDArray[np.float32]:
        """One batch of at most the largest fixed size, padded with black chips to the next fixed size."""
        count = len(chips)
        size = next(fixed for fixed in self.batch_sizes if fixed >= count)
        known = self.batch_ms(size)
        padding = np.zeros((size - count, *chips.shape[1:]), dtype=np.uint8)
        batch = np.concatenate([chips, padding]) if count < size else np.ascontiguousarray(chips)
        start = time.perf_counter()
        output = self._predict[size](batch)
        self._ms[size] = known + SMOOTHING * ((time.perf_counter() - start) * 1e3 - known)
        return np.asarray(output[:count], dtype=np.float32)
