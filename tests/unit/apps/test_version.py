"""`mairror --version` is answered, and `mairror` alone shows its help."""

from typer.testing import CliRunner

from apps.cli.__main__ import app
from contracts.version import VERSION


def test_the_version_is_printed() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert (done.exit_code, done.stdout) == (0, f"{VERSION}\n")


def test_no_command_shows_the_help() -> None:
    assert "Commands" in CliRunner().invoke(app, []).output
