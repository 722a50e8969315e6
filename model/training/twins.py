"""Finds near-twins: pictures that show the same shot, cropped or encoded in another way, under another name.

The middle of every chip (the face without its surroundings: crops differ there) becomes a small grey picture without
its slow shades (two faces in the same light are alike in those), of mean 0 and length 1. The product of two is then
their correlation; all pairs are compared, in blocks. Aligned first, different crops of one shot agree: that is why the
chips are compared and not the files.
"""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Pairs = npt.NDArray[np.int64]
Details = npt.NDArray[np.float32]

SIDE: Final = 24
"""Side of the compared pictures, pixels."""

SHADES: Final = 3.0
"""Standard deviation of the blur that is taken away, pixels of a picture of twice that side."""

SAME_SHOT: Final = 0.85
"""Least correlation of one shot. Of 18,003 faces of the development data 232 pairs reach it, whose labels differ by 2.1
years; among pairs of 0.75 to 0.8 most show two people."""

CHUNK: Final = 2048


def details(chips: Picture) -> Details:
    """What is compared of chips [n, s, s, 3]: [n, SIDE * SIDE]."""
    found = np.empty((len(chips), SIDE * SIDE), dtype=np.float32)
    for index, chip in enumerate(chips):
        edge = len(chip) // 4
        inner = np.ascontiguousarray(chip[edge : len(chip) - edge, edge : len(chip) - edge])
        grey = cv2.resize(
            cv2.cvtColor(inner, cv2.COLOR_RGB2GRAY), (2 * SIDE, 2 * SIDE), interpolation=cv2.INTER_AREA
        ).astype(np.float32)
        sharp = cv2.resize(grey - cv2.GaussianBlur(grey, (0, 0), SHADES), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        row = np.asarray(sharp, dtype=np.float32).ravel()
        row -= row.mean()
        found[index] = row / max(float(np.linalg.norm(row)), 1.0)
    return found


def near_twins(chips: Picture, same_shot: float = SAME_SHOT) -> Pairs:
    """Pairs [k, 2] of indices of chips that show the same shot, mirrored ones included; the smaller index first."""
    rows = details(chips)
    turned = np.ascontiguousarray(rows.reshape(-1, SIDE, SIDE)[:, :, ::-1]).reshape(len(rows), -1)
    return np.unique(np.concatenate([_alike(rows, rows, same_shot), _alike(rows, turned, same_shot)]), axis=0)


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


def _alike(one: Details, other: Details, least: float) -> Pairs:
    """Pairs (i, j), i < j, whose product of `one[i]` and `other[j]` is at least `least`."""
    found: list[Pairs] = [np.empty((0, 2), dtype=np.int64)]
    for start in range(0, len(one), CHUNK):
        a, b = np.nonzero(one[start : start + CHUNK] @ other.T >= least)
        pairs = np.stack([a + start, b], axis=1)
        found.append(pairs[pairs[:, 0] < pairs[:, 1]])
    return np.concatenate(found)
