"""`cameras.toml`: the cameras that a Mairror plays by itself, read and checked; nothing is opened here.

Guarantee: a wrong entry is told with file, entry and rule and keeps no other entry from playing; secrets are put in
only by `address`, and everything that is shown (`shown`) is without them.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from contracts.errors import FatalError, InvalidInput
from contracts.settings import Settings
from contracts.topics import check_stream_id

FILE = "cameras.toml"
URL = re.compile(r"(rtsps?|https?|rtmp)://", re.I)
FILLED = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
OPTIONS = ("name", "source", "consent", "fps", "loop")
RESERVED = "sample"
MAX_FPS = 120.0
MAX_CONSENT = 200
MOST = 64
"""Entries one machine plays: each is a process."""


@dataclass(frozen=True)
class Camera:
    """One entry. `source` is as written: secrets are still `${NAME}`."""

    name: str
    source: str = field(repr=False)
    consent: str
    fps: float | None
    loop: bool
    folder: Path
    """Where the file lies: sources without a leading slash are looked for from there."""

    @property
    def is_url(self) -> bool:
        """A camera on the network?"""
        return URL.match(self._written) is not None

    @property
    def is_live(self) -> bool:
        """A device or a camera on the network: it sets the pace, and it may go away and come back."""
        return self.is_url or self._written.isdecimal()

    @property
    def shown(self) -> str:
        """The source for people, logs and files: no password, no query."""
        return shown(self.source)

    def address(self) -> str:
        """What to open, with its secrets.

        Raises:
            FatalError: a `${NAME}` is nowhere to be found; the message names it.
        """
        filled = FILLED.sub(lambda found: self._secret(found[1]), self.source)
        return filled if self.is_live else str(self.folder / Path(filled).expanduser())

    @property
    def _written(self) -> str:
        """The source as written, or the whole of it from a secret."""
        whole = FILLED.fullmatch(self.source)
        return (secret(whole[1]) if whole else None) or self.source

    def _secret(self, name: str) -> str:
        value = secret(name)
        if value is None:
            raise FatalError(
                f"${{{name}}} is not known: set it in the environment of Mairror, or put it in a file {name} of the "
                "folder MAIRROR_SECRETS_DIR"
            )
        # in a URL a password's @ or / would end it
        return quote(value, safe="") if URL.match(self.source) else value


@dataclass(frozen=True)
class Cameras:
    """What a file says."""

    found: Mapping[str, Camera] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    """One sentence for each entry that is left out, and why."""


def secret(name: str) -> str | None:
    """A value from the environment, or from the file of this name in `MAIRROR_SECRETS_DIR`."""
    if name in os.environ:
        return os.environ[name]
    folder = os.environ.get("MAIRROR_SECRETS_DIR")
    try:
        return (Path(folder) / name).read_text().strip() if folder else None
    except OSError:
        return None


def shown(source: str) -> str:
    """A source without what may be secret: of a URL its user, host and path are left.

    `rtsp://user:p@ss/w@host/1?key=x` -> `rtsp://user:***@host/1`: all before the last @ may belong to the password.
    """
    scheme, mark, rest = source.partition("://")
    if not mark:
        return source
    before, at, after = rest.rpartition("@")
    user, colon, _ = before.partition(":")
    access = (f"{user}:***@" if colon else "***@") if at else ""
    return f"{scheme}://{access}{re.split('[?#]', after)[0]}"


def file_of(settings: Settings) -> Path:
    """Where the cameras are listed."""
    return (settings.cameras or settings.data / FILE).expanduser().resolve()


def read(file: Path) -> Cameras:
    """The cameras of a file; none when there is no file. Never raises: what is wrong is in `problems`."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Cameras()
    except (OSError, UnicodeDecodeError) as error:
        return Cameras(problems=(f"{file} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}",))
    except tomllib.TOMLDecodeError as error:
        # not the line itself: it may hold a password
        return Cameras(problems=(f"{file} is not TOML: {str(error).split(':')[0]}",))
    problems = [
        f"{file}: {key!r} is not known here; cameras are [[camera]] tables" for key in document if key != "camera"
    ]
    entries = document.get("camera", [])
    if not isinstance(entries, list):
        return Cameras(problems=(f"{file}: write [[camera]] with two brackets before each camera",))
    found: dict[str, Camera] = {}
    for number, entry in enumerate(entries, 1):
        label = f"{file}: camera {number}"
        try:
            camera = _checked(entry, file.parent.resolve())
            label += f" ({camera.name})"
            if camera.name in found:
                raise FatalError(f"the name {camera.name!r} is taken by an entry above: every camera is a stream")
            if len(found) == MOST:
                raise FatalError(f"one Mairror plays at most {MOST} cameras")
            camera.address()
            found[camera.name] = camera
        except FatalError as error:
            problems.append(f"{label}: {error}")
    return Cameras(found, tuple(problems))


def one(file: Path, name: str) -> Camera:
    """The camera of this name.

    Raises:
        FatalError: the file has no such camera, or its entry is wrong.
    """
    cameras = read(file)
    if name not in cameras.found:
        said = " ".join(cameras.problems) or f"it has {', '.join(cameras.found) or 'none'}"
        raise FatalError(f"{file} has no camera {name!r} that can be played: {said}")
    return cameras.found[name]


def _checked(entry: Any, folder: Path) -> Camera:
    if not isinstance(entry, dict):
        raise FatalError("it is no table; write [[camera]] and its options below")
    unknown = sorted(entry.keys() - set(OPTIONS))
    if unknown:
        raise FatalError(f"{unknown[0]!r} is not known; there are {', '.join(OPTIONS)}")
    camera = Camera(
        _name(entry.get("name")), _source(entry), _consent(entry), _fps(entry), bool(entry.get("loop")), folder
    )
    if not isinstance(entry.get("loop", False), bool):
        raise FatalError("loop is true or false")
    if camera.loop and camera.is_live:
        raise FatalError("loop is for files and folders: a camera has no end to begin again at")
    return camera


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise FatalError('name is missing; it becomes the name of the stream, e.g. name = "door"')
    try:
        check_stream_id(value)
    except InvalidInput as error:
        raise FatalError(f"name: {error}") from error
    if value == RESERVED:
        raise FatalError(f"name: {RESERVED!r} is the sample stream")
    return value


def _source(entry: Mapping[str, Any]) -> str:
    value = entry.get("source")
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise FatalError("source is missing; a device number, a URL, a video file or a folder, e.g. source = 0")
    if "://" in value and not URL.match(value):
        raise FatalError(f"source: {shown(value)}: rtsp, rtmp and http URLs are read")
    if re.search(r"[\x00-\x1f]", value):
        raise FatalError("source has a line break or another control character")
    return value.strip()


def _consent(entry: Mapping[str, Any]) -> str:
    value = entry.get("consent")
    if not isinstance(value, str) or not value.strip():
        raise FatalError('consent is missing; the id of the consent of the people shown, e.g. consent = "staff-2026"')
    if len(value) > MAX_CONSENT or re.search(r"[\x00-\x1f]", value):
        raise FatalError(f"consent is one line of at most {MAX_CONSENT} characters")
    return value.strip()


def _fps(entry: Mapping[str, Any]) -> float | None:
    value = entry.get("fps")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.01 <= value <= MAX_FPS:
        raise FatalError(f"fps is a number from 0.01 to {MAX_FPS:g}, got {value!r}")
    return float(value)
