"""`mairror serve NAME`: one process of the system, as compose and the chart start it."""

from enum import StrEnum
from typing import Annotated

import typer

from contracts.settings import Settings, load_settings
from contracts.telemetry import configure_logging


class Service(StrEnum):
    """What can be served."""

    PROCESSOR = "processor"
    SINK_MONGO = "sink-mongo"
    SAMPLE = "sample"
    DASHBOARD = "dashboard"
    GATEWAY = "gateway"
    CAMERA = "camera"


def serve(
    name: Annotated[Service, typer.Argument(help="Which process to be.")],
    camera: Annotated[str | None, typer.Argument(help="After `camera`: its name in cameras.toml.")] = None,
) -> None:
    """Run one process until SIGTERM. Settings come from MAIRROR_* variables."""
    if (name is Service.CAMERA) != (camera is not None):
        raise typer.BadParameter("`serve camera NAME` names a camera of cameras.toml, other processes have no name")
    settings = load_settings()
    configure_logging(settings, f"camera-{camera}" if camera else name.value)
    raise typer.Exit(_camera(settings, camera) if camera else _RUN[name](settings))


def _camera(settings: Settings, name: str) -> int:
    from producers.camera_service import CameraService
    from producers.cameras import file_of, one

    return CameraService(settings, one(file_of(settings), name)).run()


def _processor(settings: Settings) -> int:
    from processors.worker import run

    return run(settings)


def _sink_mongo(settings: Settings) -> int:
    from sinks.mongo.sink import MongoSink

    return MongoSink(settings).run()


def _sample(settings: Settings) -> int:
    from producers.service import SampleService

    return SampleService(settings).run()


def _dashboard(settings: Settings) -> int:
    from apps.dashboard.serve import run

    return run(settings)


def _gateway(settings: Settings) -> int:
    from apps.gateway.serve import run

    return run(settings)


_RUN = {
    Service.PROCESSOR: _processor,
    Service.SINK_MONGO: _sink_mongo,
    Service.SAMPLE: _sample,
    Service.DASHBOARD: _dashboard,
    Service.GATEWAY: _gateway,
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(serve)
