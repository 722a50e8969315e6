"""What supervisord is told, read back by supervisord's own parser."""

import dataclasses
import shlex
import sys
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from apps.local.program import Service, render
from contracts.errors import FatalError

SERVICE = Service("one", [sys.executable, "-c", "pass"])


def _parsed(service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    (folder / "logs").mkdir()
    (folder / "supervisord.conf").write_text(render([service], folder, folder / "s.sock"))
    monkeypatch.chdir(folder)
    options = ServerOptions()
    options.realize(["-n", "-c", str(folder / "supervisord.conf")])
    [group] = options.process_group_configs
    [process] = group.process_configs
    return process


def test_every_value_arrives_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "50% of it's; (ours)#1"
    folder.mkdir()
    environment = {"PLAIN": "1", "ODD": "100%, a=b;c#d (x) 'y' ä %(here)s", "EMPTY": ""}
    command = ["/bin/echo", "a b", "100%", 'say "it\'s"']
    service = dataclasses.replace(SERVICE, command=command, environment=environment, stop_seconds=3, autostart=False)
    process = _parsed(service, folder, monkeypatch)
    assert process.environment == environment
    assert shlex.split(process.command)[-4:] == command
    assert Path(process.stdout_logfile).resolve() == folder / "logs" / "one.log"
    assert process.directory == str(folder)
    assert (process.stopwaitsecs, process.autostart, process.killasgroup) == (3, False, True)


@pytest.mark.parametrize("value", ["two\nlines", "a ;comment", "a #comment", 'a "quoted" word', "ends with '"])
def test_what_the_format_cannot_carry_is_refused(value: str, tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="cannot carry"):
        render([dataclasses.replace(SERVICE, environment={"KEY": value})], tmp_path, tmp_path / "s.sock")
