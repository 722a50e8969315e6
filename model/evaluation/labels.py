"""Reads the list of labelled faces: a CSV file with columns `path` and `age`, and any others to group by.

Guarantee: no row disappears; one that cannot be used is a `Problem` with its line and the reason.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from contracts.errors import InvalidInput, Reason

OLDEST: Final = 120.0
"""Largest age a label may state, years."""

MOST_VALUES: Final = 20
"""A column with more distinct values than this is no grouping (a file name, an id)."""

NOT_GIVEN: Final = "not given"
"""The group of rows that leave a grouping column empty."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One labelled face: line of the list, picture, true age in years, and its value of every grouping column."""

    line: int
    path: Path
    age: float
    groups: dict[str, str]


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that was skipped: where in which list, which picture, why."""

    line: int
    path: str
    reason: str


@dataclass(frozen=True)
class Labels:
    """The rows to evaluate and those that cannot be."""

    source: Path
    rows: list[Labelled]
    problems: list[Problem] = field(default_factory=list)


def read_labels(source: Path, split: str | None = None, limit: int | None = None) -> Labels:
    """Read a list.

    Args:
        source: the CSV file; `path` in it is relative to its folder.
        split: keep only rows whose column `split` has this value.
        limit: keep at most this many usable rows, evenly spaced over the list (lists are often sorted by age).

    Raises:
        InvalidInput: no such file, a column is missing, or no row is left.
    """
    rows: list[Labelled] = []
    problems: list[Problem] = []
    for line, record in records(source, {"path", "age"} | ({"split"} if split else set())):
        if split is not None and record["split"] != split:
            continue
        found = _row(source.parent, line, record)
        (rows if isinstance(found, Labelled) else problems).append(found)  # type: ignore[arg-type]
    if limit is not None and len(rows) > limit:
        rows = [rows[index * len(rows) // limit] for index in range(limit)]
    if not rows:
        raise InvalidInput(Reason.EMPTY, _nothing(source, split, problems))
    return Labels(source, _with_groups(rows), problems)


def _nothing(source: Path, split: str | None, problems: list[Problem]) -> str:
    wanted = f" with split {split!r}" if split else ""
    first = f"; line {problems[0].line}: {problems[0].reason}" if problems else ""
    return f"{source} has no usable row{wanted}{first}"


def records(source: Path, required: AbstractSet[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and cells of every row of a CSV with these columns; a missing cell is empty.

    Raises:
        InvalidInput: no such file, a column is missing, or a row is no CSV; the message names file and place.
    """
    try:
        file = source.open(newline="", encoding="utf-8-sig")
    except OSError as error:
        raise InvalidInput(Reason.NOT_AN_IMAGE, f"{source}: {error.strerror}") from error
    with file:
        reader = csv.DictReader(file, restval="")
        missing = required - set(reader.fieldnames or ())
        if missing:
            raise InvalidInput(Reason.BAD_BODY, f"{source} has no column {', '.join(sorted(missing))}")
        try:
            for record in reader:
                record.pop(None, None)  # cells beyond the last column
                yield reader.line_num, record
        except (csv.Error, UnicodeDecodeError) as error:
            raise InvalidInput(Reason.BAD_BODY, f"{source}, after line {reader.line_num}: {error}") from error


def _row(folder: Path, line: int, record: dict[str, str]) -> Labelled | Problem:
    path, stated = record["path"].strip(), record["age"].strip()
    if not path:
        return Problem(line, path, "no path")
    if not stated:
        return Problem(line, path, "no age")
    try:
        age = float(stated)
    except ValueError:
        return Problem(line, path, f"age {stated!r} is not a number")
    if not 0 <= age <= OLDEST:
        return Problem(line, path, f"age {stated} is not within 0 to {OLDEST:.0f}")
    groups = {name: value.strip() or NOT_GIVEN for name, value in record.items() if name not in ("path", "age")}
    return Labelled(line, folder / path, age, groups)


def _with_groups(rows: list[Labelled]) -> list[Labelled]:
    """Keep the columns that group: at least two distinct values, at most `MOST_VALUES`, each on two rows on average."""
    columns = []
    for name in rows[0].groups:
        counts = Counter(row.groups[name] for row in rows)
        if 2 <= len(counts) <= min(MOST_VALUES, len(rows) // 2):
            columns.append(name)
    return [Labelled(row.line, row.path, row.age, {name: row.groups[name] for name in columns}) for row in rows]
