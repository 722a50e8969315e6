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


def serve(name: Annotated[Service, typer.Argument(help="Which process to be.")]) -> None:
    """Run one process until SIGTERM. Settings come from MAIRROR_* variables."""
    settings = load_settings()
    configure_logging(settings, name.value)
    raise typer.Exit(_RUN[name](settings))


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
