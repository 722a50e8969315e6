"""docker-compose.yml and its overlays: the compose specification's own loader, and what every service must have."""

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.limits import MAX_REQUEST_BYTES
from tests.deploy import dockerfile, rules
from tests.deploy.tools import Tools

BASE = "docker-compose.yml"
GPU = "docker-compose.gpu.yml"
OBSERVABILITY = "docker-compose.observability.yml"
COMBINATIONS: tuple[tuple[str, ...], ...] = ((), (GPU,), (OBSERVABILITY,), (GPU, OBSERVABILITY))
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?::([-?])([^}]*))?\}")
ENTRYPOINT = "mairror"


@dataclass(frozen=True)
class Container:
    """One service of ours as it would run: target of the Dockerfile, arguments, and its whole environment."""

    name: str
    target: str
    arguments: list[str]
    environment: dict[str, str]


def check(root: Path, tools: Tools) -> list[str]:
    """What is wrong."""
    found: list[str] = []
    for overlays in COMBINATIONS:
        names = [BASE, *overlays]
        try:
            project = load(root, tools, names)
        except ValueError as error:
            found.append(f"{' + '.join(names)}: {error}")
            continue
        found += [f"{' + '.join(names)}: {problem}" for problem in _problems(root, project)]
    return sorted(set(found))


def secrets(root: Path) -> dict[str, str]:
    """What `docker/new-env.sh` would write."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / ".env"
        subprocess.run(["sh", str(root / "docker" / "new-env.sh"), str(file)], check=True, capture_output=True)
        return dict(line.split("=", 1) for line in file.read_text().splitlines())


def load(root: Path, tools: Tools, names: list[str]) -> dict[str, Any]:
    """The merged project, as the specification's loader understands it.

    Raises:
        ValueError: it is refused; the message is the loader's.
    """
    values = secrets(root)
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            # the loader's command line reads no .env: variables are put in here
            (Path(folder) / name).write_text(interpolated((root / name).read_text(), values))
        shutil.copytree(root / "docker", Path(folder) / "docker")
        done = subprocess.run(
            [tools.path("compose"), "-format", "json", *names], cwd=folder, capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise ValueError(done.stderr.strip() or done.stdout.strip())
    project: dict[str, Any] = json.loads(done.stdout)
    return project


def interpolated(text: str, values: Mapping[str, str]) -> str:
    """Variables replaced.

    Raises:
        ValueError: one is required and not there.
    """

    def value(found: re.Match[str]) -> str:
        name, kind, other = found.groups()
        if name in values:
            return values[name]
        if kind != "-":
            raise ValueError(f"${{{name}}} is written by nobody: docker/new-env.sh has {', '.join(values)}")
        return other or ""

    return VARIABLE.sub(value, text)


def containers(root: Path, project: Mapping[str, Any]) -> list[Container]:
    """Our own services, with the environment of their image under their own."""
    stages = dockerfile.stages(root / "docker" / "Dockerfile")
    found = []
    for name, service in project["services"].items():
        image, _, _tag = service["image"].partition(":")
        repository, _, target = image.rpartition("/")
        if repository == "mairror" and target in stages:
            inside = stages[target].environment
            found.append(Container(name, target, list(service["command"]), inside | _environment(service)))
    return found


def _environment(service: Mapping[str, Any]) -> dict[str, str]:
    given = service.get("environment") or {}
    pairs = (entry.split("=", 1) for entry in given) if isinstance(given, list) else given.items()
    return {key: str(value) for key, value in pairs}


def _problems(root: Path, project: Mapping[str, Any]) -> list[str]:
    found = []
    for name, service in project["services"].items():
        found += _everybody(name, service) + _references(name, service, project)
    ours = containers(root, project)
    if not ours:
        found.append("no service runs an image of docker/Dockerfile")
    for container in ours:
        service = project["services"][container.name]
        found += rules.problems(f"service {container.name}", container.arguments, container.environment)
        found += _hardened(container.name, service)
    kafka = _environment(project["services"]["kafka"])
    for key in ("KAFKA_MESSAGE_MAX_BYTES", "KAFKA_REPLICA_FETCH_MAX_BYTES"):
        if kafka.get(key) != str(MAX_REQUEST_BYTES):
            found.append(f"service kafka: {key} is {kafka.get(key)}, contracts/limits.py says {MAX_REQUEST_BYTES}")
    return found


def _everybody(name: str, service: Mapping[str, Any]) -> list[str]:
    found = []
    if not service.get("deploy", {}).get("resources", {}).get("limits", {}).get("memory"):
        found.append(f"service {name} has no memory limit")
    found += [
        f"service {name}: port {port.get('published')} is not on loopback"
        for port in service.get("ports", [])
        if port.get("host_ip") != "127.0.0.1"
    ]
    tag = service["image"].partition(":")[2]
    if not re.search(r"\d+\.\d+\.\d+", tag):
        found.append(f"service {name}: image {service['image']} is not pinned to an exact version")
    return found


def _references(name: str, service: Mapping[str, Any], project: Mapping[str, Any]) -> list[str]:
    """The loader merges files without asking whether what they name is there."""
    found = []
    for other, how in service.get("depends_on", {}).items():
        wanted = project["services"].get(other)
        if wanted is None:
            found.append(f"service {name} waits for {other}, which is no service")
        elif how["condition"] == "service_healthy" and not wanted.get("healthcheck", {}).get("test"):
            found.append(f"service {name} waits for the health of {other}, which has no healthcheck")
    found += [
        f"service {name}: volume {volume['source']} is not declared"
        for volume in service.get("volumes", [])
        if volume["type"] == "volume" and volume["source"] not in project.get("volumes", {})
    ]
    return found


def _hardened(name: str, service: Mapping[str, Any]) -> list[str]:
    wanted: dict[str, Any] = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
    found = [f"service {name}: {key} is not {value}" for key, value in wanted.items() if service.get(key) != value]
    if name != "topics" and "topics" not in service.get("depends_on", {}):
        found.append(f"service {name} starts before the topics are there")
    return found
