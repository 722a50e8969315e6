"""Finds near-twins: pictures that show the same shot, cropped or encoded in another way, under another name.

Every chip becomes a grey thumbnail of mean 0 and length 1, so that the product of two is their correlation; all pairs
are compared, in blocks. Aligned first, different crops of one shot agree: that is why the chips are compared and not
the files. A look at coarse thumbnails picks the candidates, one at finer ones decides.
"""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Pairs = npt.NDArray[np.int64]
Thumbnails = npt.NDArray[np.float32]

COARSE: Final = 12
"""Side of the thumbnails that pick the candidates, pixels."""

FINE: Final = 32

CANDIDATE: Final = 0.95
"""Least correlation of coarse thumbnails."""

SAME_SHOT: Final = 0.97
"""Least correlation of fine thumbnails of one shot (docs/training.md shows how it was chosen)."""

CHUNK: Final = 2048


def thumbnails(chips: Picture, margin: int, side: int) -> Thumbnails:
    """Grey thumbnails of chips [n, s, s, 3], `margin` pixels at the border left out: [n, side * side]."""
    found = np.empty((len(chips), side * side), dtype=np.float32)
    for index, chip in enumerate(chips):
        inner = np.ascontiguousarray(chip[margin : len(chip) - margin, margin : len(chip) - margin])
        small = cv2.resize(cv2.cvtColor(inner, cv2.COLOR_RGB2GRAY), (side, side), interpolation=cv2.INTER_AREA)
        row = small.astype(np.float32).ravel()
        row -= row.mean()
        found[index] = row / max(float(np.linalg.norm(row)), 1.0)
    return found


def mirrored(rows: Thumbnails) -> Thumbnails:
    """The thumbnails of the mirrored chips."""
    side = round(rows.shape[1] ** 0.5)
    return np.ascontiguousarray(rows.reshape(-1, side, side)[:, :, ::-1]).reshape(len(rows), -1)


def near_twins(chips: Picture, margin: int, same_shot: float = SAME_SHOT) -> Pairs:
    """Pairs [k, 2] of indices of chips that show the same shot, mirrored ones included; the smaller index first."""
    coarse, fine = (thumbnails(chips, margin, side) for side in (COARSE, FINE))
    found: list[Pairs] = []
    for turned in (lambda rows: rows, mirrored):
        pairs = _alike(coarse, turned(coarse), CANDIDATE)
        likeness = np.einsum("kd,kd->k", fine[pairs[:, 0]], turned(fine)[pairs[:, 1]])
        found.append(pairs[likeness >= same_shot])
    return np.unique(np.concatenate(found), axis=0)


def groups(count: int, pairs: Pairs) -> npt.NDArray[np.int64]:
    """[count]: a group number for each index; twins, and twins of twins, share one."""
    parent = np.arange(count)

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = int(parent[index])
        return index

    for a, b in pairs:
        one, other = root(int(a)), root(int(b))
        parent[max(one, other)] = min(one, other)
    return np.array([root(index) for index in range(count)], dtype=np.int64)


def _alike(one: Thumbnails, other: Thumbnails, least: float) -> Pairs:
    """Pairs (i, j), i < j, whose product of `one[i]` and `other[j]` is at least `least`."""
    found = [np.empty((0, 2), dtype=np.int64)]
    for start in range(0, len(one), CHUNK):
        a, b = np.nonzero(one[start : start + CHUNK] @ other.T >= least)
        pairs = np.stack([a + start, b], axis=1)
        found.append(pairs[pairs[:, 0] < pairs[:, 1]])
    return np.concatenate(found)
