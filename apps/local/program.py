"""What a supervised process is, and how supervisord is told: the text of its configuration.

Guarantee: a value that the format cannot carry is refused, never carried wrongly.
"""

import re
import shlex
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from contracts.errors import FatalError

SETTLED_SECONDS = 5
"""A service that lives this long is running; one that dies sooner is started again after a growing pause."""
RETRIES = 20
LOG_BYTES = "5MB"


@dataclass(frozen=True)
class Service:
    """One process to keep running."""

    name: str
    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the environment of whoever starts the stack."""
    after: tuple[str, ...] = ()
    """What must be ready before it is started; the stack sees to it."""
    stop_seconds: int = 4
    """Time between SIGTERM and SIGKILL, seconds."""
    autostart: bool = True
    """Start together with supervisord?"""


def bound_to_parent(command: list[str]) -> list[str]:
    """The same command, told to stop (SIGTERM) when the thread that starts it ends.

    Raises:
        FatalError: `setpriv` is missing.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise FatalError("setpriv is missing: sudo apt-get install -y util-linux")
    return [setpriv, "--pdeathsig", "TERM", "--", *command]


def render(services: Iterable[Service], directory: Path, socket: Path) -> str:
    """The text of `supervisord.conf`, for a supervisord whose working directory is the data folder.

    Log files are named from there: the format expands `%` in them twice, so no escape works for both.

    Raises:
        FatalError: a value has characters the format cannot carry.
    """
    main = {
        "logfile": "logs/supervisord.log",
        "logfile_maxbytes": "1MB",
        "logfile_backups": "1",
        "pidfile": socket.with_name("supervisord.pid"),
        "childlogdir": "logs",
        "nodaemon": "true",
        "silent": "true",
    }
    rpc = {"supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"}
    sections = [
        _section("unix_http_server", {"file": socket, "chmod": "0700"}),
        _section("supervisord", main),
        _section("rpcinterface:supervisor", rpc),
    ]
    return "\n".join(sections + [_program(service, directory) for service in services])


def _program(service: Service, directory: Path) -> str:
    values: dict[str, object] = {
        "directory": directory,
        "autostart": str(service.autostart).lower(),
        "autorestart": "true",
        "startsecs": SETTLED_SECONDS,
        "startretries": RETRIES,
        "stopsignal": "TERM",
        "stopwaitsecs": service.stop_seconds,
        "stopasgroup": "false",
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": f"logs/{service.name}.log",
        "stdout_logfile_maxbytes": LOG_BYTES,
        "stdout_logfile_backups": "1",
    }
    text = _section(f"program:{service.name}", values)
    command = _line("command", shlex.join(bound_to_parent(service.command)))
    environment = _line(
        "environment", ",".join(f"{key}={_quoted(value)}" for key, value in service.environment.items())
    )
    return text + command + environment


def _section(name: str, values: Mapping[str, object]) -> str:
    return f"[{name}]\n" + "".join(_line(key, str(value)) for key, value in values.items())


def _line(key: str, value: str) -> str:
    # The format has no escapes for these: a comment would begin, or the line would end.
    if re.search(r"[\n\r]|\s[;#]", value):
        raise FatalError(f"supervisord cannot carry {value!r}: a path or value holds a line break, ' ;' or ' #'")
    return f"{key} = {value.replace('%', '%%')}\n"


def _quoted(value: str) -> str:
    # Quotes cannot be escaped either, and quotes at the ends are stripped.
    if '"' in value or value[:1] == "'" or value[-1:] == "'":
        raise FatalError(f"supervisord cannot carry the value {value!r}: it has quotes")
    return f'"{value}"'
