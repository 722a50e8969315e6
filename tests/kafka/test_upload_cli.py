"""`mairror upload`: one line a file, in order; one bad file does not spoil the others."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services import Service


@pytest.fixture
def photos(tmp_path: Path, hopper: bytes, collins: bytes, no_face: bytes) -> list[str]:
    for name, data in (("hopper.jpg", hopper), ("collins.jpg", collins), ("noface.jpg", no_face)):
        (tmp_path / name).write_bytes(data)
    return [str(tmp_path / name) for name in ("hopper.jpg", "collins.jpg", "noface.jpg")]


def upload(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "apps.cli", "upload", *arguments]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=120)


def test_three_photos_give_one_face_one_face_and_none(
    processor: Service, environment: dict[str, str], photos: list[str]
) -> None:
    done = upload(environment, *photos, "--json")
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result["file"] for result in results] == photos
    assert [len(result["answer"]["faces"]) for result in results] == [1, 1, 0]
    assert results[0]["answer"]["faces"][0]["age"]["years"] >= 55
    assert 25 <= results[1]["answer"]["faces"][0]["age"]["years"] <= 50
    assert results[0]["answer"]["faces"][0]["track"] is None
    assert results[0]["answer"]["frame"]["origin"] == "upload"


def test_a_bad_file_is_refused_by_name_and_the_others_are_answered(
    processor: Service, environment: dict[str, str], photos: list[str], tmp_path: Path
) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    done = upload(environment, photos[0], str(tmp_path / "bad.jpg"), str(tmp_path / "missing.jpg"), "--json")
    assert done.returncode == 1
    first, bad, missing = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(first["answer"]["faces"]) == 1
    assert bad["error"]["reason"] == "not_an_image"
    assert "cannot be read" in missing["error"]["detail"]
    assert "Traceback" not in done.stderr
