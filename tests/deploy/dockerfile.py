"""docker/: hadolint, what the Dockerfile promises, and locks that agree with the project's own."""

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.deploy.image_python import normal
from tests.deploy.tools import Tools

TARGETS = ("producer", "processor", "processor-gpu", "sinks", "gateway", "dashboard")
USER = "10001:10001"
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", re.M)


@dataclass
class Stage:
    """One FROM of the Dockerfile and what the stages below it left."""

    base: str
    environment: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    copied: list[str] = field(default_factory=list)
    user: str = ""
    command: str = ""
    health: bool = False


def check(root: Path, tools: Tools) -> list[str]:
    """What is wrong."""
    file = root / "docker" / "Dockerfile"
    linted = subprocess.run(
        [tools.path("hadolint"), "--no-color", str(file)], capture_output=True, text=True, check=False
    )
    found = [f"hadolint: {line}" for line in (linted.stdout + linted.stderr).splitlines()]
    if linted.returncode and not found:
        found = [f"hadolint ended with {linted.returncode}"]
    return found + _promises(root, stages(file)) + _locks(root)


def stages(file: Path) -> dict[str, Stage]:
    """Name -> stage, with what it inherits."""
    text = re.sub(r"^\s*#.*\n", "", file.read_text(), flags=re.M)
    text = re.sub(r"\\\n\s*", " ", text)
    found: dict[str, Stage] = {}
    now = Stage("")
    for line in filter(None, text.splitlines()):
        word, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        if word == "FROM":
            base, name = re.fullmatch(r"(\S+) AS (\S+)", rest).groups()  # type: ignore[union-attr]
            above = found.get(base)
            now = Stage(base)
            if above:
                now = Stage(base, dict(above.environment), {}, [], above.user, above.command, above.health)
            found[name] = now
        elif word == "ARG":
            now.arguments |= dict([rest.split("=", 1)])
        elif word == "ENV":
            now.environment |= {
                key: _filled(value, now) for key, value in (pair.split("=", 1) for pair in rest.split())
            }
        elif word == "COPY":
            now.copied.append(rest)
        elif word == "USER":
            now.user = rest
        elif word == "CMD":
            now.command = rest
        elif word == "HEALTHCHECK":
            now.health = True
    return found


def _filled(value: str, stage: Stage) -> str:
    for name, default in stage.arguments.items():
        value = value.replace(f"${{{name}}}", default)
    return value


def _promises(root: Path, found: dict[str, Stage]) -> list[str]:
    problems = [f"docker/Dockerfile has no target {name}" for name in TARGETS if name not in found]
    for name, stage in found.items():
        if stage.base not in found and not re.search(r":\d+\.\d+\.\d+|@sha256:", stage.base):
            problems.append(f"docker/Dockerfile: base {stage.base} of {name} is not pinned to an exact version")
    for name in TARGETS:
        stage = found.get(name)
        if stage is None:
            continue
        where = f"docker/Dockerfile target {name}"
        if stage.user != USER:
            problems.append(f"{where} runs as {stage.user or 'root'}, not as {USER}")
        if not stage.health:
            problems.append(f"{where} has no HEALTHCHECK")
        if stage.environment.get("HOME") != "/tmp":
            problems.append(f"{where}: HOME is not /tmp, the only place a read-only container can write to")
        if name.startswith("processor") and not any("--from=weights" in copied for copied in stage.copied):
            problems.append(f"{where} has no weights")
        if not (root / "docker" / "requirements" / f"{name}.lock").is_file():
            problems.append(f"docker/requirements/{name}.lock is missing")
    return problems


def _locks(root: Path) -> list[str]:
    """Images run what the tests ran: the same versions, except what only a GPU needs."""
    main: dict[str, set[str]] = {}  # several versions of one package: each for some versions of Python
    for name, version in PIN.findall((root / "requirements.lock").read_text()):
        main.setdefault(normal(name), set()).add(version)
    problems = []
    for lock in sorted((root / "docker" / "requirements").glob("*.lock")):
        text = lock.read_text()
        for name, version in PIN.findall(text):
            tested = main.get(normal(name), set())
            only_gpu = lock.stem == "processor-gpu" and not tested
            if version not in tested and not only_gpu:
                problems.append(
                    f"docker/requirements/{lock.name}: {name}=={version}, tests ran with {sorted(tested)}: `make lock`"
                )
        entries = len(PIN.findall(text))
        hashed = len(re.findall(r"^[A-Za-z0-9._\[\],-]+==[^\n]*\\\n +--hash=sha256:[0-9a-f]{64}", text, re.M))
        if entries != hashed or not entries:
            problems.append(f"docker/requirements/{lock.name}: {entries - hashed} of {entries} entries have no hash")
    return problems
