"""`model.training.preparation`: faces cut as serving cuts them, once, and bad pictures reported by file."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from model.alignment import chip
from model.evaluation.finding import PatientDetector, main_face
from model.training.augmentation import plain
from model.training.datasets import read_csv
from model.training.preparation import Geometry, State, found_problems, prepare, prepared_folder, usable
from model.training.samples import ProblemKind
from model.weights import path_of

Picture = npt.NDArray[np.uint8]
GEOMETRY = Geometry(64, 0.45, margin=8)


def test_the_middle_of_a_cached_chip_is_what_serving_cuts(collins: Picture, cache: Path) -> None:
    face = main_face(PatientDetector(path_of("yunet", cache)).find(collins).faces, *collins.shape[1::-1])
    assert face is not None
    for size, padding, margin in ((224, 0.45, 16), (64, 0.2, 8)):
        geometry = Geometry(size, padding, margin)
        wide = chip(collins, face.landmarks, geometry.side, geometry.wide_padding)
        served = chip(collins, face.landmarks, size, padding)
        difference = np.abs(plain(wide, size).astype(int) - served)
        assert difference.max() <= 3
        assert difference.mean() < 0.05


def test_bad_pictures_are_reported_by_file_and_the_rest_is_kept(faces: Path, cache: Path, tmp_path: Path) -> None:
    manifest = read_csv("faces", faces / "labels.csv")
    assert [(one.file, one.kind) for one in manifest.problems] == [("p/01.jpg", ProblemKind.IMPOSSIBLE_AGE)]
    prepared = prepare(manifest, tmp_path, GEOMETRY, path_of("yunet", cache))
    problems = found_problems(manifest, prepared)
    assert {one.file: one.kind for one in problems} == {
        "p/broken.jpg": ProblemKind.UNREADABLE,
        "p/gone.jpg": ProblemKind.UNREADABLE,
        "p/nobody.jpg": ProblemKind.NO_FACE,
        "p/again.jpg": ProblemKind.DUPLICATE,
    }
    twin = next(one for one in problems if one.kind is ProblemKind.DUPLICATE)
    assert "p/00.jpg" in twin.detail
    assert "labelled 42 there and 90 here" in twin.detail
    assert len(usable(manifest, problems)) == 18


def test_a_run_that_was_killed_goes_on_where_it_stopped(faces: Path, cache: Path, tmp_path: Path) -> None:
    manifest, detector = read_csv("faces", faces / "labels.csv"), path_of("yunet", cache)
    first = prepare(manifest, tmp_path, GEOMETRY, detector)
    kept = first.chips.copy()
    first.state[5:] = State.NOT_YET
    first.chips[3] = 7  # done before: must not be cut again
    first.chips[6] = 7  # was being cut: must be
    again = prepare(manifest, tmp_path, GEOMETRY, detector)
    assert (again.chips[3] == 7).all()
    assert (again.chips[4:] == kept[4:]).all()


@pytest.mark.parametrize("other", [Geometry(64, 0.3, 8), Geometry(64, 0.45, 4), Geometry(96, 0.45, 8)])
def test_another_geometry_or_manifest_never_meets_old_chips(
    other: Geometry, faces: Path, cache: Path, tmp_path: Path
) -> None:
    manifest, detector = read_csv("faces", faces / "labels.csv"), path_of("yunet", cache)
    mine = prepared_folder(tmp_path, manifest, GEOMETRY, detector)
    assert prepared_folder(tmp_path, manifest, other, detector) != mine
    manifest.samples.pop()
    assert prepared_folder(tmp_path, manifest, GEOMETRY, detector) != mine
