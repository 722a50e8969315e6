"""Every check tells ok from a problem, and a problem names its remedy."""

import stat
from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from apps.local import doctor
from apps.local.folder import MARKER
from contracts.errors import FatalError
from contracts.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data", cache=tmp_path / "cache")


def _one(settings: Settings, name: str) -> doctor.Check:
    [check] = [check for check in doctor.run(settings) if check.name == name]
    return check


def test_this_machine_is_fit_and_looking_changes_nothing(settings: Settings) -> None:
    assert [check for check in doctor.run(settings) if not check.ok] == []
    assert not settings.data.exists()
    doctor.require(settings)


def test_missing_setpriv_is_named_with_its_package(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    check = _one(settings, "setpriv")
    assert not check.ok
    assert "util-linux" in check.mend
    with pytest.raises(FatalError, match=r"setpriv: not found\. sudo apt-get install -y util-linux"):
        doctor.require(settings)


def test_missing_library_is_named_with_its_package(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LIBRARIES", ("libGL.so.1", "libnothere.so.7"))
    check = _one(settings, "libraries")
    assert not check.ok
    assert check.detail.startswith("libnothere.so.7 missing")
    assert "libgl1" in check.mend


def test_little_memory_is_a_problem(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = namedtuple("memory", "available")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory(2_500_000_000))
    check = _one(settings, "memory")
    assert not check.ok
    assert check.detail == "2.5 GB available, 3 GB needed"


def test_a_container_s_limit_counts_and_its_page_cache_is_free(tmp_path: Path) -> None:
    for name, text in {
        "memory.max": "4000",
        "memory.current": "3000",
        "memory.stat": "anon 1\ninactive_file 500",
    }.items():
        (tmp_path / name).write_text(text)
    assert doctor.container_room(tmp_path) == 1500
    (tmp_path / "memory.max").write_text("max")
    assert doctor.container_room(tmp_path) == float("inf")


def test_a_folder_with_other_things_in_it_is_refused(settings: Settings) -> None:
    settings.data.mkdir()
    (settings.data / "letter.txt").write_text("mine")
    assert not _one(settings, "data folder").ok
    (settings.data / MARKER).touch()
    assert _one(settings, "data folder").ok


def test_a_full_data_folder_is_told_and_does_not_stop_the_start(settings: Settings) -> None:
    settings.data.mkdir()
    (settings.data / MARKER).touch()
    (settings.data / "frames").write_bytes(b"x" * 20_000_000)
    small = settings.model_copy(update={"data_cap_gb": 0.015})
    check = _one(small, "data size")
    assert not check.ok
    assert check.detail == "0.02 GB of 0.015 GB"
    assert not check.essential
    doctor.require(small)


def test_the_data_folder_is_private(settings: Settings) -> None:
    from apps.local.folder import Folder

    folder = Folder(settings.data)
    folder.claim()
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    folder.release()
