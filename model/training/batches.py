"""Draws faces for training, balanced over ages, and prepares them in threads ahead of the network.

Guarantee: an epoch's faces and their augmentation depend on the seed and the epoch alone, not on threads or on where a
run was interrupted.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from model.training.augmentation import Augmentation, Shrunk, augmented

Picture = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

AHEAD: Final = 4
"""Batches prepared ahead."""

NEIGHBOURS: Final = 3
"""Years on either side that count for how rare an age is: single years are too few to tell."""


@dataclass(frozen=True)
class FaceSource:
    """The training faces: cached chips, which of them are for training, and what to do to them."""

    chips: Picture
    chosen: Indices
    ages: Values
    size: int
    augmentation: Augmentation
    seed: int
    padding: float
    shrunk: Shrunk | None = None
    """What the network sees, where it is smaller than the prepared chips of `size` and `padding`."""

    def draw(self, index: int, rng: np.random.Generator) -> Picture:
        """One entry's chip, augmented, as the network sees it."""
        chip = augmented(self.chips[index], self.size, self.augmentation, rng)
        return self.shrunk.of(chip, self.padding) if self.shrunk else chip


def sampling_shares(ages: Values, power: float) -> Values:
    """[n], sums to one: each face's share of the draws.

    Args:
        power: 0 draws every face alike, 1 every age alike; between them, rare ages are drawn more often but not so
            often that their few faces are learned by heart.
    """
    years = np.clip(ages, 0, None).astype(int)
    counts = np.bincount(years)
    wide = np.convolve(counts, np.ones(2 * NEIGHBOURS + 1), mode="same")
    shares = 1.0 / np.maximum(wide, 1.0)[years] ** power
    return np.asarray(shares / shares.sum(), dtype=np.float64)


def drawn(source: FaceSource, epoch: int, count: int, power: float) -> Indices:
    """The positions in `chosen` of one epoch's faces, in order.

    Every face is drawn as often as its share says, rounded down; what is missing is drawn at random. So an epoch of
    many faces shows nearly all of them, which drawing each at random would not.
    """
    rng = np.random.default_rng([source.seed, epoch, 0])
    wanted = sampling_shares(source.ages[source.chosen], power) * count
    sure = np.floor(wanted).astype(int)
    positions = np.repeat(np.arange(len(wanted)), sure)
    rest = wanted - sure
    missing = count - len(positions)
    if missing > 0:
        more = rng.choice(len(wanted), missing, replace=bool(missing > np.count_nonzero(rest)), p=rest / rest.sum())
        positions = np.concatenate([positions, more])
    return rng.permutation(positions)


def batches(
    source: FaceSource, epoch: int, positions: Indices, batch: int, threads: int
) -> Iterator[tuple[Indices, Picture]]:
    """(indices into the manifest [batch], augmented chips uint8 [batch, size, size, 3]) for one epoch.

    The faces that do not fill the last batch are left out: every batch has the size the network was traced for.
    """
    starts = range(0, len(positions) - batch + 1, batch)

    def make(start: int) -> tuple[Indices, Picture]:
        indices = source.chosen[positions[start : start + batch]]
        chips = np.stack(
            [
                source.draw(index, np.random.default_rng([source.seed, epoch, 1, start + offset]))
                for offset, index in enumerate(indices)
            ]
        )
        return indices, chips

    with ThreadPoolExecutor(max(threads, 1), "augment") as pool:
        waiting: deque[Future[tuple[Indices, Picture]]] = deque()
        for start in starts:
            waiting.append(pool.submit(make, start))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
