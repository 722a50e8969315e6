"""A MongoDB-wire store on this machine: a `mongod` found on PATH, else the built-in server (Java, H2 file).

Guarantee: a clean stop keeps every document; a data folder keeps the engine it began with, because the two
do not read each other's files. The built-in server killed with SIGKILL may lose its last second (measured:
107 of 500 documents), so its reader rewinds 60 s.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from apps.local import java
from apps.local.java import Jars
from apps.local.ports import HOST, listens
from contracts.errors import FatalError
from sinks.mongo.store import ping

Engine = Literal["mongod", "built-in"]

REWIND_SECONDS = 60
"""How far the sink goes back after an unclean stop of the built-in engine, seconds."""

# The library's own main class has a fixed port and reports a protocol too old for current drivers; its version
# type is open, so the launcher reports 5.0 (wire version 13), whose commands it answers.
LAUNCHER = """\
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
version = new MongoVersion() {
  getVersionArray() { return java.util.Arrays.asList(new Integer[] { 5, 0, 0 }); }
  toVersionString() { return "5.0.0"; }
  getWireVersion() { return 13; }
};
backend = new H2Backend(System.getProperty("data"));
backend.version(version);
server = new MongoServer(backend);
server.bind("127.0.0.1", Integer.parseInt(System.getProperty("port")));
Runtime.getRuntime().addShutdownHook(new Thread() { public void run() { server.shutdownNow(); } });
print("listening");
synchronized (server) { server.wait(); }
"""


@dataclass(frozen=True)
class StoreSpec:
    """Where the store keeps its data and where it listens."""

    data_dir: Path
    port: int
    jars: Jars
    heap_mb: int = 384
    mongod: Path | None = None
    """The `mongod` to prefer; `found_mongod()` looks on PATH."""

    @property
    def uri(self) -> str:
        """Connection string for clients."""
        return f"mongodb://{HOST}:{self.port}"

    @property
    def engine(self) -> Engine:
        """What this data folder was begun with; a new one prefers `mongod`.

        Raises:
            FatalError: the folder holds `mongod` data and there is no `mongod` any more.
        """
        if (self.data_dir / "h2").is_dir():
            return "built-in"
        if (self.data_dir / "mongod").is_dir() and self.mongod is None:
            raise FatalError(
                f"{self.data_dir / 'mongod'} was written by mongod, which is not on PATH: install it again"
            )
        return "mongod" if self.mongod else "built-in"

    def prepare(self) -> None:
        """Make the folders and write the launcher."""
        if self.engine == "mongod":
            (self.data_dir / "mongod").mkdir(parents=True, exist_ok=True)
            return
        (self.data_dir / "h2").mkdir(parents=True, exist_ok=True)
        (self.data_dir / "launch.bsh").write_text(LAUNCHER)

    def command(self) -> list[str]:
        """The store's command line; it runs in the foreground and stops on SIGTERM."""
        if self.engine == "mongod":
            folder = str(self.data_dir / "mongod")
            return [str(self.mongod), "--bind_ip", HOST, "--port", str(self.port), "--dbpath", folder, "--quiet"]
        return [
            str(java.find()),
            *java.FLAGS,
            f"-Xmx{self.heap_mb}m",
            f"-Ddata={self.data_dir / 'h2' / 'store.mv'}",
            f"-Dport={self.port}",
            "-cp",
            f"{self.jars.store}/*",
            "bsh.Interpreter",
            str(self.data_dir / "launch.bsh"),
        ]


def found_mongod() -> Path | None:
    """The `mongod` on PATH, if there is one."""
    found = shutil.which("mongod")
    return Path(found) if found else None


def ready(uri: str, port: int | None = None) -> bool:
    """Does the store answer `ping`?

    `port`, of a store on this machine, is tried first: the driver waits a second for a server that is not there.
    """
    return (port is None or listens(HOST, port)) and ping(uri)
