"""Reads data sets into manifests: UTKFace and All-Age-Faces by their file names, IMDB-WIKI's .mat, or a CSV.

Every reader takes the data set's name and place and gives a `Manifest`: samples, and the entries it could not use.
"""

import datetime as dt
import importlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from contracts.errors import FatalError, InvalidInput, Reason
from model.evaluation.labels import records
from model.faces import ETHNICITIES
from model.training.archives import PictureStore
from model.training.samples import (
    GENDERS,
    SPLITS,
    Manifest,
    Problem,
    ProblemKind,
    Sample,
    checked_age,
)

PICTURES: Final = (".jpg", ".jpeg", ".png")

UTK_NAME: Final = re.compile(r"(-?\d*)_(\d*)_(\d*)_[^/]*$")
"""[age]_[gender]_[race]_[date&time]: gender 0 male, 1 female; race 0 to 4 in the order of `ETHNICITIES`."""

AAF_NAME: Final = re.compile(r"(\d{5})A(-?\d+)\.[^/]*$")
"""All-Age-Faces: a running number and the age; the numbers up to 07380 are women and girls."""

AAF_LAST_FEMALE: Final = 7380

LEAST_FACE_SCORE: Final = 1.0
"""IMDB-WIKI's own detector score below which a picture likely shows no face of the person named."""


def read_utkface(name: str, place: Path) -> Manifest:
    """UTKFace: a folder or a zip of pictures whose names state age, gender and race."""

    def sample(path: str) -> Sample | Problem:
        found = UTK_NAME.search(path)
        if not found:
            return Problem(name, path, ProblemKind.MISSING_LABEL, "the name is not [age]_[gender]_[race]_[date]")
        age = checked_age(name, path, found[1])
        if isinstance(age, Problem):
            return age
        gender = {"0": "M", "1": "F"}.get(found[2])
        ethnicity = ETHNICITIES[int(found[3])] if found[3] in set("01234") else None
        return Sample(name, place, path, age, gender, ethnicity)

    return _by_name(place, sample)


def read_all_age_faces(name: str, place: Path) -> Manifest:
    """All-Age-Faces: a folder or a zip of pictures called 00000A02.jpg."""

    def sample(path: str) -> Sample | Problem:
        found = AAF_NAME.search(path)
        if not found:
            return Problem(name, path, ProblemKind.MISSING_LABEL, "the name is not [number]A[age]")
        age = checked_age(name, path, found[2])
        if isinstance(age, Problem):
            return age
        return Sample(name, place, path, age, "F" if int(found[1]) <= AAF_LAST_FEMALE else "M")

    return _by_name(place, sample)


def _by_name(place: Path, sample: Callable[[str], Sample | Problem]) -> Manifest:
    manifest = Manifest()
    with PictureStore() as store:
        for path in store.names(place):
            if path.lower().endswith(PICTURES):
                manifest.add(sample(path))
    return manifest


def read_csv(name: str, place: Path) -> Manifest:
    """A CSV with columns path (relative to it) and age, and, where known, gender, ethnicity and split.

    A column `archive` names the source of each row (without .zip); else every row belongs to `name`.
    """
    manifest = Manifest()
    for line, record in records(place, {"path", "age"}):
        manifest.add(_csv_row(name, place, record, line))
    return manifest


def _csv_row(name: str, place: Path, record: dict[str, str], line: int) -> Sample | Problem:
    path = record["path"].strip()
    source = record.get("archive", "").removesuffix(".zip") or name
    if not path:
        return Problem(source, f"{place.name}, line {line}", ProblemKind.MISSING_LABEL, "no path")
    age = checked_age(source, path, record["age"])
    if isinstance(age, Problem):
        return age
    split = record.get("split", "").strip() or None
    if split is not None and split not in SPLITS:
        return Problem(source, path, ProblemKind.MISSING_LABEL, f"split {split!r} is none of {', '.join(SPLITS)}")
    return Sample(
        source,
        place.parent,
        path,
        age,
        _one_of(record.get("gender", ""), GENDERS),
        _one_of(record.get("ethnicity", ""), ETHNICITIES),
        split,
    )


def _one_of(value: str, known: tuple[str, ...]) -> str | None:
    return value.strip() if value.strip() in known else None


def read_imdb_wiki(name: str, place: Path) -> Manifest:
    """IMDB-WIKI: `imdb.mat` or `wiki.mat` beside the pictures; the age is the middle of the photo's year less birth."""
    try:
        loadmat = importlib.import_module("scipy.io").loadmat
    except ImportError as error:
        raise FatalError(f"{place.name} needs the package scipy to be read: install mairror[local]") from error
    try:
        content: dict[str, Any] = loadmat(place, squeeze_me=True, struct_as_record=False)
    except (OSError, ValueError, TypeError) as error:
        raise InvalidInput(Reason.BAD_BODY, f"{place} is no MATLAB 5 file that can be read: {error}") from error
    tables = [value for key, value in content.items() if not key.startswith("__")]
    if not tables or not hasattr(tables[0], "full_path"):
        raise InvalidInput(Reason.BAD_BODY, f"{place} holds no table with full_path: it is not IMDB-WIKI's")
    table, manifest = tables[0], Manifest()
    columns = [np.atleast_1d(getattr(table, key)) for key in ("full_path", "dob", "photo_taken", "gender")]
    scores = np.atleast_1d(table.face_score) if hasattr(table, "face_score") else np.full(len(columns[0]), np.inf)
    for path, born, taken, gender, score in zip(*columns, scores, strict=True):
        manifest.add(_imdb_row(name, place, str(path), (float(born), float(taken)), float(gender), float(score)))
    return manifest


def _imdb_row(
    name: str, place: Path, path: str, years: tuple[float, float], gender: float, score: float
) -> Sample | Problem:
    # MATLAB counts days from the year 0; datetime.toordinal from the year 1.
    ordinal = int(years[0]) - 366
    if not 1 <= ordinal <= dt.date.max.toordinal():
        return Problem(name, path, ProblemKind.MISSING_LABEL, f"birth {years[0]:.0f} is no date")
    if not score >= LEAST_FACE_SCORE:
        return Problem(name, path, ProblemKind.NO_FACE, f"its own face score is {score:.1f}")
    born = dt.date.fromordinal(ordinal)
    age = checked_age(name, path, f"{years[1] + 0.5 - (born.year + (born.timetuple().tm_yday - 1) / 365.25):.2f}")
    if isinstance(age, Problem):
        return age
    return Sample(name, place.parent, path, age, {0.0: "F", 1.0: "M"}.get(gender))


READERS: Final[Mapping[str, Callable[[str, Path], Manifest]]] = MappingProxyType(
    {
        "utkface": read_utkface,
        "all-age-faces": read_all_age_faces,
        "imdb-wiki": read_imdb_wiki,
        "csv": read_csv,
    }
)
"""How a configuration's `format` is read."""
