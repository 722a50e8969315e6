"""`model.training.datasets`: every entry becomes a sample or a problem that names file and reason."""

import csv
import datetime as dt
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from contracts.errors import InvalidInput
from model.training.datasets import read_all_age_faces, read_csv, read_imdb_wiki, read_utkface
from model.training.samples import Manifest, ProblemKind, refuse


def zipped(path: Path, names: list[str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return path


def kinds(manifest: Manifest) -> dict[str, ProblemKind]:
    return {problem.file: problem.kind for problem in manifest.problems}


def test_utkface_labels_come_from_the_names(tmp_path: Path) -> None:
    good = ["a/26_1_2_20170104.jpg", "b/116_0_0_2017.jpg", "1_0_4_x.chip.jpg"]
    bad = ["-1_0_0_x.jpg", "200_1_0_x.jpg", "_1_0_x.jpg", "portrait.jpg"]
    manifest = read_utkface("utk", zipped(tmp_path / "utk.zip", [*good, *bad, "readme.txt"]))
    found = {one.path: (one.age, one.gender, one.ethnicity) for one in manifest.samples}
    assert found == {good[0]: (26, "F", "Asian"), good[1]: (116, "M", "White"), good[2]: (1, "M", "Others")}
    assert kinds(manifest) == {
        "-1_0_0_x.jpg": ProblemKind.IMPOSSIBLE_AGE,
        "200_1_0_x.jpg": ProblemKind.IMPOSSIBLE_AGE,
        "_1_0_x.jpg": ProblemKind.MISSING_LABEL,
        "portrait.jpg": ProblemKind.MISSING_LABEL,
    }


def test_a_missing_race_or_gender_keeps_the_age(tmp_path: Path) -> None:
    manifest = read_utkface("utk", zipped(tmp_path / "utk.zip", ["39_1__20170116.jpg", "44_3_9_x.jpg"]))
    assert [(one.age, one.gender, one.ethnicity) for one in manifest.samples] == [(39, "F", None), (44, None, None)]


def test_all_age_faces_in_a_folder(tmp_path: Path) -> None:
    for name in ("00000A02.jpg", "07380A55.jpg", "07381A33.jpg", "00001A-1.jpg", "other.png"):
        (tmp_path / name).write_bytes(b"x")
    manifest = read_all_age_faces("aaf", tmp_path)
    assert [(one.age, one.gender) for one in manifest.samples] == [(2, "F"), (55, "F"), (33, "M")]
    assert kinds(manifest) == {"00001A-1.jpg": ProblemKind.IMPOSSIBLE_AGE, "other.png": ProblemKind.MISSING_LABEL}


def test_csv_keeps_stated_splits_and_names_bad_rows(tmp_path: Path) -> None:
    rows = [
        ("aaf.zip", "aaf/1.jpg", "3", "F", "", "validation"),
        ("", "p/2.jpg", "44.5", "x", "Black", ""),
        ("", "p/3.jpg", "", "", "", "train"),
        ("", "p/4.jpg", "-1", "", "", "train"),
        ("", "p/5.jpg", "200", "", "", "train"),
        ("", "p/6.jpg", "old", "", "", "train"),
        ("", "p/7.jpg", "7", "", "", "trian"),
        ("", "", "7", "", "", "train"),
    ]
    place = tmp_path / "labels.csv"
    with place.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("archive", "path", "age", "gender", "ethnicity", "split"), *rows])
    manifest = read_csv("mine", place)
    first, second = manifest.samples
    assert (first.source, first.age, first.gender, first.split) == ("aaf", 3, "F", "validation")
    assert (second.source, second.age, second.gender, second.ethnicity, second.split) == (
        "mine",
        44.5,
        None,
        "Black",
        None,
    )
    assert len(manifest.samples) + len(manifest.problems) == len(rows)
    assert kinds(manifest)["p/5.jpg"] is ProblemKind.IMPOSSIBLE_AGE
    assert "line 9" in next(iter(kinds(manifest).keys() - {f"p/{n}.jpg" for n in range(9)}))


def test_imdb_wiki_ages_are_the_middle_of_the_year_less_birth(tmp_path: Path) -> None:
    births = [dt.date(1970, 1, 1), dt.date(1970, 12, 31), dt.date(2010, 6, 1), dt.date(1980, 1, 1)]
    columns = {
        "full_path": ["01/a.jpg", "02/b.jpg", "03/c.jpg", "04/d.jpg", "05/e.jpg"],
        "dob": [*(float(day.toordinal() + 366) for day in births), 0.0],
        "photo_taken": [2000.0, 2000.0, 1990.0, 2010.0, 2010.0],
        "gender": [1.0, 0.0, np.nan, 1.0, 1.0],
        "face_score": [3.5, 2.0, 4.0, -np.inf, 4.0],
    }
    table = {
        name: np.array(values, dtype=object) if name == "full_path" else np.array(values)
        for name, values in columns.items()
    }
    scipy.io.savemat(tmp_path / "wiki.mat", {"wiki": table})
    manifest = read_imdb_wiki("wiki", tmp_path / "wiki.mat")
    assert [(one.path, one.gender) for one in manifest.samples] == [("01/a.jpg", "M"), ("02/b.jpg", "F")]
    assert [one.age for one in manifest.samples] == pytest.approx([30.5, 29.5], abs=0.01)
    assert kinds(manifest) == {
        "03/c.jpg": ProblemKind.IMPOSSIBLE_AGE,
        "04/d.jpg": ProblemKind.NO_FACE,
        "05/e.jpg": ProblemKind.MISSING_LABEL,
    }


def test_what_is_not_skipped_is_refused_with_its_files(tmp_path: Path) -> None:
    manifest = read_utkface("utk", zipped(tmp_path / "utk.zip", ["200_1_0_x.jpg", "30_1_0_x.jpg", "what.jpg"]))
    refuse(manifest.problems, [ProblemKind.UNREADABLE])
    with pytest.raises(InvalidInput, match=r"impossible_age: 1.*200_1_0_x\.jpg: age 200 is not within 0 to 116"):
        refuse(manifest.problems, [ProblemKind.IMPOSSIBLE_AGE])


@pytest.mark.parametrize("name", ["none.csv", "none.zip"])
def test_a_place_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    read = read_csv if name.endswith("csv") else read_utkface
    with pytest.raises(InvalidInput, match=name):
        read("x", tmp_path / name)
