"""Which services `mairror up` runs, in one table. Adding one is one line; its command is `mairror serve NAME`."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from apps.local.program import Service

BROKER = "broker"
STORE = "store"
TOPICS = "topics"
"""Not a process: true once the topics are applied."""


@dataclass(frozen=True)
class Row:
    """One service of ours. It serves `/readyz` on its port and stops within `stop_seconds` of SIGTERM."""

    name: str
    port: int
    """Wanted port; a busy one moves to the next free one."""
    after: tuple[str, ...] = ()
    """What must be ready before it is started. Empty: at once (it waits for what it needs by itself)."""
    address: Literal["url", "gateway_url"] | None = None
    """Under which name its address is announced."""
    stop_seconds: int = 4
    needs_weights: bool = False
    """Does it run the model?"""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Settings of this service alone."""
    arguments: tuple[str, ...] = ()
    """Arguments of the Python interpreter, when it is not `-m apps.cli serve NAME`."""

    def service(self, environment: Mapping[str, str]) -> Service:
        """What supervision runs."""
        command = [sys.executable, *(self.arguments or ("-m", "apps.cli", "serve", self.name))]
        return Service(self.name, command, environment, self.after, self.stop_seconds, autostart=not self.after)


# The processor needs seconds to import and warm its model: it starts first and waits for its topics by itself.
SERVICES = (
    # a static member gets its partitions back at once after kill -9, instead of after the session timeout
    Row("processor", 8610, needs_weights=True, environment={"MAIRROR_PROCESSOR__INSTANCE": "local"}),
    Row("sink-mongo", 8611, after=(STORE, TOPICS)),
    Row("gateway", 8600, after=(TOPICS,), address="gateway_url"),
    Row("dashboard", 8501, after=(TOPICS,), address="url"),
    Row("sample", 8612, after=(TOPICS,)),
)

CAMERA = "camera-"
CAMERA_PORT = 8620


def camera_row(name: str, port: int) -> Row:
    """The service of one camera of `cameras.toml`. It reads its entry by name: no password is on a command line."""
    command = ("-m", "apps.cli", "serve", "camera", name)
    return Row(f"{CAMERA}{name}", port, after=(TOPICS,), arguments=command)
