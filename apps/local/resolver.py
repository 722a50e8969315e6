"""Which jars the broker and the store need, and their download: jgo (PyPI) asks the Maven registry it knows."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import stamina

from contracts.errors import RetryableError

Progress = Callable[[str, float | None], None]
"""Called with what happens now and, where it is known, the share that is done, 0..1."""

# `!` pins each coordinate to its own dependency versions: without it the resolver takes log4j's parent for a
# bill of materials and drags kafka-clients to a version the broker cannot start with. kafka-tools-api is not
# served by the registry and a broker does not need it. Separate sets: they need different slf4j versions.
COORDINATES: dict[str, tuple[list[str], list[str]]] = {
    "kafka": (
        ["org.apache.kafka:kafka_2.13:4.4.0!", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5!"],
        ["org.apache.kafka:kafka-tools-api"],
    ),
    "store": (["de.bwaldvogel:mongo-java-server-h2-backend:1.47.0!", "org.apache-extras.beanshell:bsh:2.0b6!"], []),
}


def resolve(staging: Path, total: int, progress: Progress) -> None:
    """Fill `staging/kafka` and `staging/store` with jars; `total` (0: unknown) only scales the progress."""
    shutil.rmtree(staging, ignore_errors=True)
    count = 0
    for group, (coordinates, exclusions) in COORDINATES.items():
        for attempt in stamina.retry_context(on=RetryableError, attempts=3, wait_initial=2.0, timeout=None):
            with attempt:
                count = _run_resolver(staging, group, coordinates, exclusions, count, total, progress)
        (staging / group).mkdir(parents=True)
        for jar in jars_in(staging / "work" / group):
            os.link(jar, staging / group / jar.name)
    shutil.rmtree(staging / "work")
    shutil.rmtree(staging / "m2")


def _run_resolver(
    staging: Path, group: str, coordinates: list[str], exclusions: list[str], count: int, total: int, progress: Progress
) -> int:
    work = staging / "work" / group
    work.mkdir(parents=True, exist_ok=True)
    # JSON lists of plain strings are TOML lists too.
    (work / "jgo.toml").write_text(
        f'[environment]\nname = "{group}"\n[dependencies]\ncoordinates = {json.dumps(coordinates)}\n'
        f"exclusions = {json.dumps(exclusions)}\n"
    )
    command = [
        sys.executable,
        "-m",
        "jgo",
        "--ignore-config",
        "--system-java",
        "--resolver",
        "python",
        "--links",
        "hard",
    ]
    command += ["--repo-cache", str(staging / "m2"), "--cache-dir", str(work / "cache")]
    command += ["-f", str(work / "jgo.toml"), "sync"]
    lines: list[str] = []
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as resolver:
        assert resolver.stdout is not None
        for line in resolver.stdout:
            lines.append(line.rstrip())
            if match := re.match(r"Downloading (\S+\.jar)", line):
                count += 1
                progress(f"fetching {match.group(1)}", min(count / total, 1.0) if total else None)
    if resolver.returncode != 0:
        raise RetryableError(f"resolving the {group} jars failed ({resolver.returncode}): {' | '.join(lines[-4:])}")
    return count


def jars_in(folder: Path) -> list[Path]:
    """Every jar below a folder, by name."""
    return sorted(folder.rglob("*.jar"))
