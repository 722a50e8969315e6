"""`cameras.toml`: every rule is told with file and entry, a wrong entry harms no other, no password is shown."""

import re
from pathlib import Path

import pytest

from contracts.errors import FatalError
from contracts.settings import Settings
from producers.cameras import MOST, Camera, file_of, one, read, shown

PASSWORD = "s3cr@t/w:rd"


def written(folder: Path, text: str) -> Path:
    file = folder / "cameras.toml"
    file.write_text(text)
    return file


def entry(**options: object) -> str:
    lines = {"name": '"door"', "source": '"a.mp4"', "consent": '"c-1"'} | options
    return "[[camera]]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items() if value is not None)


def test_every_kind_of_source_is_read(tmp_path: Path) -> None:
    found = read(
        written(
            tmp_path,
            entry(name='"desk"', source="0", fps="5")
            + entry(name='"gate"', source='"rtsp://viewer:x@192.0.2.1/1"')
            + entry(name='"film"', source='"films/a.mp4"', loop="true", fps="0.5")
            + entry(name='"away"', source='"/srv/pictures"'),
        )
    )
    assert found.problems == ()
    desk, gate, film, away = found.found.values()
    assert (desk.address(), desk.is_live, desk.fps, desk.consent) == ("0", True, 5.0, "c-1")
    assert (gate.address(), gate.is_live, gate.fps) == ("rtsp://viewer:x@192.0.2.1/1", True, None)
    assert (film.address(), film.is_live, film.loop, film.fps) == (str(tmp_path / "films/a.mp4"), False, True, 0.5)
    assert away.address() == "/srv/pictures"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"name": None}, "name is missing"),
        ({"name": '"Front Door"'}, "stream id 'Front Door'"),
        ({"name": '"sample"'}, "the sample stream"),
        ({"name": '"good"'}, "taken by an entry above"),
        ({"source": None}, "source is missing"),
        ({"source": "-1"}, "source is missing"),
        ({"source": "true"}, "source is missing"),
        ({"source": '"ftp://u:hidden@host/a"'}, r"ftp://u:\*\*\*@host/a: rtsp, rtmp and http"),
        ({"source": r'"a\nb"'}, "line break"),
        ({"consent": None}, "consent is missing"),
        ({"consent": '"  "'}, "consent is missing"),
        ({"consent": '"' + "c" * 201 + '"'}, "at most 200"),
        ({"fps": '"fast"'}, "fps is a number from 0.01 to 120, got 'fast'"),
        ({"fps": "0"}, "fps is a number"),
        ({"fps": "nan"}, "fps is a number"),
        ({"loop": "1"}, "loop is true or false"),
        ({"source": "0", "loop": "true"}, "loop is for files"),
        ({"password": '"hidden"'}, "'password' is not known; there are name, source, consent, fps, loop"),
        ({"source": '"rtsp://u:${NOT_THERE}@host/"'}, r"\$\{NOT_THERE\} is not known: set it in the environment"),
    ],
)
def test_a_wrong_entry_is_told_and_the_others_play(tmp_path: Path, options: dict[str, object], says: str) -> None:
    file = written(tmp_path, entry(name='"good"') + entry(**options) + entry(name='"other"'))
    found = read(file)
    assert list(found.found) == ["good", "other"]
    [problem] = found.problems
    assert problem.startswith(f"{file}: camera 2")
    assert re.search(says, problem), problem
    assert "hidden" not in problem


def test_a_file_that_is_no_toml_tells_the_place_and_not_the_line(tmp_path: Path) -> None:
    found = read(written(tmp_path, 'source = "rtsp://u:hidden@h/\n'))
    assert not found.found
    [problem] = found.problems
    assert "is not TOML" in problem
    assert "line 1" in problem
    assert "hidden" not in problem


@pytest.mark.parametrize("text", ["camera = 1", '[camera]\nname = "x"', "[[cameras]]"])
def test_another_shape_is_told(tmp_path: Path, text: str) -> None:
    found = read(written(tmp_path, text))
    assert not found.found
    assert "[[camera]]" in found.problems[0]


def test_an_entry_that_is_no_table_is_told(tmp_path: Path) -> None:
    assert "it is no table" in read(written(tmp_path, "camera = [1]")).problems[0]


def test_too_many_are_told(tmp_path: Path) -> None:
    found = read(written(tmp_path, "".join(entry(name=f'"c{number}"') for number in range(MOST + 2))))
    assert len(found.found) == MOST
    assert len(found.problems) == 2


def test_no_file_is_no_camera_and_an_unreadable_one_is_told(tmp_path: Path) -> None:
    assert read(tmp_path / "cameras.toml") == read(tmp_path / "nowhere" / "cameras.toml")
    assert not read(tmp_path / "cameras.toml").problems
    (tmp_path / "cameras.toml").mkdir()
    assert "cannot be read" in read(tmp_path / "cameras.toml").problems[0]
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    assert "not UTF-8" in read(tmp_path / "latin.toml").problems[0]


def test_secrets_come_from_the_environment_or_a_file_and_are_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOOR_PASSWORD", PASSWORD)
    monkeypatch.setenv("MAIRROR_SECRETS_DIR", str(tmp_path))
    (tmp_path / "GATE_PASSWORD").write_text("geheim\n")
    (tmp_path / "WHOLE").write_text("http://viewer:geheim@gate/video")
    file = written(
        tmp_path,
        entry(name='"door"', source='"rtsp://viewer:${DOOR_PASSWORD}@door/1"')
        + entry(name='"gate"', source='"http://viewer:${GATE_PASSWORD}@gate/video?key=abc"')
        + entry(name='"whole"', source='"${WHOLE}"'),
    )
    found = read(file)
    assert found.problems == ()
    door, gate, whole = found.found.values()
    assert door.address() == "rtsp://viewer:s3cr%40t%2Fw%3Ard@door/1"
    assert gate.address() == "http://viewer:geheim@gate/video?key=abc"
    assert (whole.address(), whole.is_live) == ("http://viewer:geheim@gate/video", True)
    assert [camera.shown for camera in (door, gate, whole)] == [
        "rtsp://viewer:***@door/1",
        "http://viewer:***@gate/video",
        "${WHOLE}",
    ]
    assert PASSWORD not in repr(found)
    assert "geheim" not in repr(found)


@pytest.mark.parametrize(
    ("source", "is_shown_as"),
    [
        (f"rtsp://viewer:{PASSWORD}@door:554/1", "rtsp://viewer:***@door:554/1"),
        ("http://token@door/", "http://***@door/"),
        ("http://door/video?user=a&pwd=b#c", "http://door/video"),
        ("/srv/films/a.mp4", "/srv/films/a.mp4"),
        ("0", "0"),
    ],
)
def test_what_may_be_secret_is_not_shown(source: str, is_shown_as: str) -> None:
    assert shown(source) == is_shown_as


def test_one_camera_is_found_by_name_or_the_reason_is_told(tmp_path: Path) -> None:
    file = written(tmp_path, entry() + entry(name='"bad"', fps="-1"))
    assert one(file, "door") == Camera("door", "a.mp4", "c-1", None, False, tmp_path)
    with pytest.raises(FatalError, match=r"no camera 'bad' that can be played: .*fps is a number"):
        one(file, "bad")


def test_the_file_lies_in_the_data_folder_unless_a_setting_says_otherwise(tmp_path: Path) -> None:
    assert file_of(Settings(data=tmp_path)) == tmp_path / "cameras.toml"
    assert file_of(Settings(data=tmp_path, cameras=tmp_path / "other.toml")) == tmp_path / "other.toml"


def test_the_example_of_the_documents_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOOR_PASSWORD", "x")
    found = read(Path(__file__).parents[3] / "docs" / "cameras.example.toml")
    assert found.problems == ()
    assert {camera.is_live for camera in found.found.values()} == {True, False}
