"""Every setting of every Mairror process: environment variables `MAIRROR_*`, or files in a secrets folder.

Nested groups use two underscores (`MAIRROR_KAFKA__BOOTSTRAP`). Unknown keys are refused, so a typing
error in a deployment is an error at start and never a silently ignored wish.
"""

import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    NestedSecretsSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from contracts.errors import FatalError
from contracts.kafka import KafkaSettings

PREFIX = "MAIRROR_"

# Read by code that must decide before settings exist; listed so that the unknown-key check knows them.
OUTSIDE_SETTINGS = frozenset({"MAIRROR_SECRETS_DIR"})


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _listed(data: object, key: str) -> object:
    """A group's values with `key`, where it is written as in the environment (`a, b`), as a tuple."""
    if isinstance(data, dict) and isinstance(data.get(key), str):
        return {**data, key: tuple(part.strip() for part in data[key].split(",") if part.strip())}
    return data


class MongoSettings(_Group):
    """Where answers are stored."""

    uri: str = Field("mongodb://127.0.0.1:27017", description="Connection string of the store.")
    database: str = Field("mairror", pattern=r"^[a-zA-Z0-9_-]{1,38}$", description="Database name.")
    frame_minutes: float = Field(10.0, gt=0, description="How long one document per frame is kept, minutes.")
    history_days: float = Field(7.0, gt=0, description="How long tracks, stream-minutes and outcomes are kept, days.")
    upload_hours: float = Field(24.0, gt=0, description="How long the answer of an upload is kept, hours.")
    reason_days: float = Field(14.0, gt=0, description="How long the reason of a dead letter is kept, days.")
    batch: int = Field(200, ge=1, le=5000, description="Most documents written in one bulk.")
    rewind_seconds: float = Field(
        0.0, ge=0, description="How far the sink goes back after it lost the store; 60 on the built-in store, seconds."
    )


class ProducerSettings(_Group):
    """How frames are taken from a source."""

    window: int = Field(4, ge=1, le=64, description="Most frames of one stream sent and not yet answered.")
    max_fps: float = Field(30.0, gt=0, le=120, description="Most frames a second one stream may send.")
    jpeg_quality: int = Field(80, ge=30, le=100, description="JPEG quality of frames we encode ourselves.")
    max_edge: int = Field(1280, ge=160, le=4096, description="Frames larger than this edge are scaled down, pixels.")
    reconnect_seconds: float = Field(2.0, gt=0, description="Pause before a lost camera is opened again, seconds.")


class ProcessorSettings(_Group):
    """How frames become answers."""

    group: str = Field("mairror-processor", description="Consumer group; also the Faust app id.")
    instance: str | None = Field(
        None,
        pattern=r"^[a-zA-Z0-9._-]{1,100}$",
        description="Static member id: a restarted processor gets its partitions back at once. Unique per process.",
    )
    batch_sizes: Annotated[tuple[int, ...], NoDecode] = Field(
        (1, 2, 4, 8, 16), description="Fixed batch sizes the model is warmed up for, comma separated, ascending."
    )
    gather: int = Field(32, ge=1, le=64, description="Most frames decoded and detected as one batch.")
    model_threads: int = Field(1, ge=1, le=64, description="Threads one model run may use.")
    decode_threads: int = Field(2, ge=1, le=64, description="Threads that decode and detect.")
    budget_ms: float = Field(500.0, gt=0, description="Age at which a live frame is no longer worth answering, ms.")
    reuse_ms: float = Field(
        200.0,
        ge=0,
        le=1000,
        description="How long a face that is followed keeps its age before it is estimated anew, ms; 0: every frame.",
    )
    retries: int = Field(2, ge=0, le=10, description="How often a failing batch is tried again before dead-lettering.")
    stall_seconds: float = Field(
        30.0, gt=0, description="No offset moved for this long while frames wait: the process exits."
    )
    max_faces: int = Field(64, ge=1, le=1024, description="Most faces answered in one frame, largest first.")

    @model_validator(mode="before")
    @classmethod
    def _split(cls, data: object) -> object:
        if isinstance(data, dict) and isinstance(data.get("batch_sizes"), str):
            data = {**data, "batch_sizes": tuple(int(part) for part in data["batch_sizes"].split(","))}
        return data

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if not self.batch_sizes or list(self.batch_sizes) != sorted(set(self.batch_sizes)) or self.batch_sizes[0] < 1:
            raise ValueError(f"batch_sizes must be ascending positive numbers, got {self.batch_sizes}")
        return self


class ModelSettings(_Group):
    """Which model answers."""

    preset: str = Field("mairror-age-1", pattern=r"^[a-z0-9-]+$", description="Age preset, a folder of model/presets.")
    heads: Annotated[tuple[Literal["gender", "ethnicity"], ...], NoDecode] = Field(
        (),
        description="What is guessed besides the age, comma separated: gender, ethnicity. Empty: nothing, because "
        "nobody needs it to see an age and a wrong guess hurts. Only for presets that can.",
    )
    detector_edge: int = Field(320, ge=96, le=1280, description="Long edge the detector sees, pixels.")
    detector_score: float = Field(0.7, gt=0, lt=1, description="Least detector score of a face.")
    min_face_px: int = Field(28, ge=8, description="Faces smaller than this get no age, pixels.")
    min_sharpness: float = Field(0.10, ge=0, le=1, description="Faces blurrier than this get no age, 0..1.")
    max_yaw: float = Field(45.0, gt=0, le=90, description="Faces turned further than this get no age, degrees.")
    max_spread: float = Field(18.0, gt=0, description="Ages whose distribution spreads further get no age, years.")

    @model_validator(mode="before")
    @classmethod
    def _split(cls, data: object) -> object:
        return _listed(data, "heads")


class UploadSettings(_Group):
    """What strangers may upload."""

    max_bytes: int = Field(20 * 1024 * 1024, ge=1024, description="Largest file, bytes.")
    max_pixels: int = Field(64_000_000, ge=10_000, description="Largest picture, width x height.")
    max_edge: int = Field(2048, ge=320, le=8192, description="Pictures are scaled down to this edge, pixels.")
    max_files: int = Field(200, ge=1, le=2000, description="Most files of one request or one go.")
    seconds: float = Field(8.0, gt=0.1, le=60, description="Longest decoding of one file, seconds.")
    memory_mb: int = Field(768, ge=256, description="Memory a decoder may take beyond its start, MB.")
    workers: int = Field(1, ge=1, le=16, description="Decoder processes kept warm.")


class WebSettings(_Group):
    """Where a process serves /metrics, /livez and /readyz."""

    host: str = Field("127.0.0.1", description="Address to bind. Loopback unless you mean otherwise.")
    port: int = Field(0, ge=0, le=65535, description="Port; 0 takes any free one.")


class DashboardSettings(_Group):
    """The pages people see."""

    base_path: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._/-]*$",
        description="Path below which a reverse proxy shows the dashboard, e.g. mairror.",
    )
    allowed_hosts: str = Field(
        "", description="Host names browsers may use, comma separated; empty: any. Set it where strangers may connect."
    )
    webcams: int = Field(16, ge=0, le=500, description="Most webcams at once; 0 switches the webcam off.")
    ice_servers: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="STUN and TURN servers for WebRTC, comma separated, e.g. turn:turn.example.org:3478. "
        "Empty: none is contacted, browser and dashboard find each other directly or use the WebSocket.",
    )
    ice_username: str = Field("", description="User name for the TURN servers.")
    ice_credential: SecretStr = Field(SecretStr(""), description="Password for the TURN servers; browsers get it too.")

    @model_validator(mode="before")
    @classmethod
    def _split(cls, data: object) -> object:
        return _listed(data, "ice_servers")

    @model_validator(mode="after")
    def _known_schemes(self) -> Self:
        wrong = [server for server in self.ice_servers if not server.startswith(("stun:", "stuns:", "turn:", "turns:"))]
        if wrong:
            raise ValueError(f"ice_servers begin with stun:, stuns:, turn: or turns:, got {wrong[0]!r}")
        return self


class GatewaySettings(_Group):
    """The HTTP door."""

    keys: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="API keys, comma separated, each `id:scope+scope:sha256` with scopes upload, read, admin and the "
        "SHA-256 (hex) of a random key of at least 32 characters. Empty: no key is asked for, on loopback only.",
    )
    allowed_hosts: str = Field(
        "",
        description="Host names clients may use, comma separated. Empty: any when keys are set, else loopback names.",
    )
    max_requests: int = Field(8, ge=1, le=256, description="Uploads taken in at the same time; more wait their turn.")
    body_seconds: float = Field(15.0, gt=0, le=300, description="Longest silence while a body is sent, seconds.")
    answers: int = Field(2000, ge=10, le=100_000, description="Answers of uploads kept in memory, newest.")

    @model_validator(mode="before")
    @classmethod
    def _split(cls, data: object) -> object:
        return _listed(data, "keys")


class Settings(BaseSettings):
    """All of it. Build with `load_settings()`; nothing reads the environment at import time."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    data: Path = Field(Path(".mairror"), description="Data folder of the one-machine stack.")
    cache: Path = Field(
        default_factory=lambda: Path(platformdirs.user_cache_dir("mairror")),
        description="What is fetched once (jars, weights); shared by all data folders.",
    )
    cameras: Path | None = Field(
        None, description="File that lists the cameras to play; cameras.toml in the data folder when not set."
    )
    data_cap_gb: float = Field(4.0, gt=0.5, description="Most disk the data folder may take, GB.")
    log_level: str = Field("info", pattern=r"^(debug|info|warning|error)$", description="Least level logged.")
    log_format: str = Field("auto", pattern=r"^(auto|console|json)$", description="auto: console on a terminal.")
    kafka: KafkaSettings = KafkaSettings()
    mongo: MongoSettings = MongoSettings()
    producer: ProducerSettings = ProducerSettings()
    processor: ProcessorSettings = ProcessorSettings()
    model: ModelSettings = ModelSettings()
    upload: UploadSettings = UploadSettings()
    web: WebSettings = WebSettings()
    dashboard: DashboardSettings = DashboardSettings()
    gateway: GatewaySettings = GatewaySettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then files; files may set nested keys too (the default may not)."""
        files = NestedSecretsSettingsSource(file_secret_settings, secrets_nested_delimiter="__")
        return init_settings, env_settings, files


def known_keys() -> set[str]:
    """Every environment variable `Settings` understands, upper case."""
    keys = set(OUTSIDE_SETTINGS)
    for name, field in Settings.model_fields.items():
        keys.add(f"{PREFIX}{name}".upper())
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys |= {f"{PREFIX}{name}__{inner}".upper() for inner in field.annotation.model_fields}
    return keys


def given(key: str) -> bool:
    """Did somebody set this key? The environment, or a file in the secrets folder."""
    secrets = os.environ.get("MAIRROR_SECRETS_DIR")
    return key in os.environ or bool(secrets and (Path(secrets) / key).exists())


def load_settings() -> Settings:
    """Read the environment (and `MAIRROR_SECRETS_DIR`, one file per key).

    Raises:
        FatalError: an unknown `MAIRROR_*` key or a value out of range; the message names key and rule.
    """
    unknown = sorted(key for key in os.environ if key.upper().startswith(PREFIX) and key.upper() not in known_keys())
    if unknown:
        raise FatalError(f"unknown setting {', '.join(unknown)}: see docs/settings.md for the names that exist")
    try:
        return Settings(_secrets_dir=os.environ.get("MAIRROR_SECRETS_DIR"))
    except ValidationError as error:
        problems = "; ".join(
            f"{PREFIX}{'__'.join(str(part) for part in item['loc']).upper()}: {item['msg']}" for item in error.errors()
        )
        raise FatalError(f"settings refused: {problems}") from error


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process's settings, read once on first use."""
    return load_settings()
