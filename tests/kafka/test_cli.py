"""The command line as people and programs use it: results on stdout, problems in a sentence, exit codes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from apps.cli.__main__ import app
from producers.sample import public_domain_pictures
from tests.kafka.conftest import Results
from tests.kafka.sending import unique
from tests.services import Service

CLI = [sys.executable, "-m", "apps.cli"]
COMMANDS = ["up", "stop", "status", "reset", "doctor", "serve", "replay", "tail", "weights", "topics", "topics apply"]


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path):  # type: ignore[no-untyped-def]
    """Run `mairror ARGS`, with a data folder of its own."""

    def call(*arguments: str, timeout: float = 90) -> subprocess.CompletedProcess[str]:
        variables = os.environ | environment | {"MAIRROR_DATA": str(tmp_path / "data")}
        return subprocess.run([*CLI, *arguments], env=variables, capture_output=True, text=True, timeout=timeout)

    return call


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    done = CliRunner().invoke(app, [*command.split(), "--help"])
    assert done.exit_code == 0
    assert "Usage:" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["replay", "missing.mp4", "--stream", "a", "--consent", "c"], "missing.mp4"),
        (["replay", "x.mp4", "--stream", "Not Allowed", "--consent", "c"], "stream id"),
        (["replay", "x.mp4", "--stream", "a", "--consent", " "], "consent"),
        (["replay", "x.mp4", "--stream", "a"], "--consent"),
        (["tail", "--topic", "nope"], "frames.live"),
        (["serve", "nope"], "processor"),
        (["nope"], "nope"),
    ],
)
def test_wrong_use_is_a_sentence_and_exit_code_two(run, arguments: list[str], says: str) -> None:  # type: ignore[no-untyped-def]
    done = run(*arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_broker_that_is_away_is_a_sentence_and_exit_code_one(run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    variables = os.environ | {"MAIRROR_KAFKA__BOOTSTRAP": "127.0.0.1:1"}
    done = subprocess.run([*CLI, "tail", "--limit", "1"], env=variables, capture_output=True, text=True, timeout=90)
    assert done.returncode == 1
    assert "does not answer" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_setting_stops_every_command(run) -> None:  # type: ignore[no-untyped-def]
    variables = os.environ | {"MAIRROR_KAFKA__BOTSTRAP": "x"}
    done = subprocess.run([*CLI, "status"], env=variables, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "MAIRROR_KAFKA__BOTSTRAP" in done.stderr


def test_topics_apply_twice_changes_nothing(run) -> None:  # type: ignore[no-untyped-def]
    run("topics", "apply", "--json")
    done = run("topics", "apply", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["changes"] == []


def test_replay_of_a_picture_prints_its_ledger_and_tail_shows_the_answer(run, processor: Service) -> None:  # type: ignore[no-untyped-def]
    stream = unique("picture")
    picture = str(public_domain_pictures()["hopper"])
    done = run("replay", picture, "--stream", stream, "--consent", "public-domain", "--every-frame", "--json")
    assert done.returncode == 0, done.stderr
    ledger = json.loads(done.stdout)
    assert (ledger["stream"], ledger["captured"], ledger["answered"], ledger["in_flight"]) == (stream, 1, 1, 0)
    seen = run("tail", "--stream", stream, "--limit", "1", "--since", "60")
    assert seen.returncode == 0
    answer = json.loads(seen.stdout)
    assert len(answer["faces"]) == 1
    assert answer["faces"][0]["age"]["years"] >= 55
    letters = run("tail", "--topic", "frames.live", "--stream", stream, "--limit", "1", "--since", "60")
    assert json.loads(letters.stdout)["headers"]["ce_consentid"] == "public-domain"
    assert len(letters.stdout) < 3000, "a picture is never printed"


def test_ctrl_c_ends_a_replay_with_its_ledger(
    environment: dict[str, str], processor: Service, results: Callable[[str], Results]
) -> None:
    stream = unique("loop")
    found = results(stream)
    picture = str(public_domain_pictures()["collins"])
    arguments = ["replay", picture, "--stream", stream, "--consent", "public-domain", "--loop", "--json"]
    variables = os.environ | environment
    pipe = subprocess.PIPE
    playing = subprocess.Popen([*CLI, *arguments], env=variables, stdout=pipe, stderr=pipe, text=True)
    found.read(lambda r: len(r.answers) >= 1)
    playing.send_signal(signal.SIGINT)
    out, err = playing.communicate(timeout=30)
    assert "Traceback" not in err
    ledger = json.loads(out)
    assert ledger["captured"] >= 1
    assert ledger["unaccounted"] == 0


def test_status_without_a_stack_says_so(run) -> None:  # type: ignore[no-untyped-def]
    done = run("status", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["ready"] is False


def test_reset_refuses_a_folder_that_is_not_ours(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "holiday.txt").write_text("keep me")
    done = run("reset", "--yes")
    assert done.returncode == 1
    assert (tmp_path / "data" / "holiday.txt").exists()
