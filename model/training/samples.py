"""What a data set is to training: labelled pictures, and the entries that cannot be used, each with its reason.

Guarantee: no entry of a data set disappears. It becomes a `Sample` or a `Problem`; a configuration that says "refuse"
ends the run at the first kind of problem it does not accept.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from contracts.errors import InvalidInput, Reason

OLDEST: Final = 116.0
"""Largest age a label may state, years: that of the oldest people whose age was ever proven, rounded down."""

GENDERS: Final = ("F", "M")
"""The two values the public data sets label; the network's gender output is the probability of the second."""

SPLITS: Final = ("train", "validation", "calibration")


class ProblemKind(StrEnum):
    """Why an entry cannot be used. Configurations name these."""

    UNREADABLE = "unreadable"
    MISSING_LABEL = "missing_label"
    IMPOSSIBLE_AGE = "impossible_age"
    DUPLICATE = "duplicate"
    NEAR_TWIN = "near_twin"
    NO_FACE = "no_face"


@dataclass(frozen=True, slots=True)
class Problem:
    """One entry that is not used: which file of which data set, the kind, and the sentence people read."""

    source: str
    file: str
    kind: ProblemKind
    detail: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled picture.

    Attributes:
        source: the data set's name in the configuration; groups of the report, and what cross-data runs leave out.
        folder: where the data set lies; `path` is looked up in it or in a zip beside it (`archives.PictureStore`).
        age: years, as labelled. Most public labels are estimates themselves.
        gender: of `GENDERS`, or None. ethnicity: of `ETHNICITIES`, or None.
        split: of `SPLITS` when the data set states one, else None.
    """

    source: str
    folder: Path
    path: str
    age: float
    gender: str | None = None
    ethnicity: str | None = None
    split: str | None = None


@dataclass
class Manifest:
    """The samples of one or more data sets, in order, and what could not be used."""

    samples: list[Sample] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def add(self, found: "Sample | Problem") -> None:
        """Take one entry."""
        if isinstance(found, Sample):
            self.samples.append(found)
        else:
            self.problems.append(found)

    def extend(self, other: "Manifest") -> None:
        """Take everything of another manifest."""
        self.samples += other.samples
        self.problems += other.problems


def checked_age(source: str, file: str, stated: str) -> float | Problem:
    """The age a label states, or why it is none."""
    stated = stated.strip()
    if not stated:
        return Problem(source, file, ProblemKind.MISSING_LABEL, "no age")
    try:
        age = float(stated)
    except ValueError:
        return Problem(source, file, ProblemKind.MISSING_LABEL, f"age {stated!r} is not a number")
    if not 0 <= age <= OLDEST:
        return Problem(source, file, ProblemKind.IMPOSSIBLE_AGE, f"age {stated} is not within 0 to {OLDEST:.0f}")
    return age


def refuse(problems: Iterable[Problem], refused: Sequence[ProblemKind]) -> None:
    """End the run when there is a problem of a kind the configuration does not accept.

    Raises:
        InvalidInput: naming the first files of the refused kinds, and how many there are.
    """
    found = [problem for problem in problems if problem.kind in refused]
    if not found:
        return
    shown = "; ".join(f"{one.source}: {one.file}: {one.detail}" for one in found[:5])
    counts = ", ".join(f"{kind}: {n}" for kind, n in sorted(Counter(one.kind.value for one in found).items()))
    raise InvalidInput(
        Reason.BAD_BODY, f"{len(found)} entries refused ({counts}): {shown}. Mend them, or list the kind under `skip`"
    )
