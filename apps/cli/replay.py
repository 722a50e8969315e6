"""`mairror replay SOURCE`: plays a camera, a stream, a video, a folder or a picture into Mairror."""

import signal
from statistics import quantiles
from types import FrameType
from typing import Annotated, Any

import typer
from rich.live import Live
from rich.table import Table

from apps.cli.output import people, print_json
from apps.cli.stack import AsJson, running_settings
from contracts.errors import InvalidInput, Reason
from contracts.telemetry import configure_logging
from contracts.topics import check_stream_id
from producers.camera import Play, Replay
from producers.ledger import LedgerTotals
from producers.sources import open_source


def replay(
    source: Annotated[str, typer.Argument(help="Device number, rtsp:// or http:// URL, video, folder or picture.")],
    stream: Annotated[str, typer.Option(help="Name of the stream: lower-case letters, digits, . _ -")],
    consent: Annotated[str, typer.Option(help="Id of the consent of the people shown. Without one nothing is sent.")],
    fps: Annotated[float | None, typer.Option(min=0.01, help="Frames a second, instead of the source's own.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="End after this long.")] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Begin again at the end of a file or folder.")] = False,
    every_frame: Annotated[
        bool, typer.Option("--every-frame", help="Drop nothing: the source waits for the processor.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Play a source and print the stream's ledger: what became of every frame. Exit 1 when one is unaccounted for."""
    settings = running_settings()
    configure_logging(settings.model_copy(update={"log_level": "warning"}), "replay")
    check_stream_id(stream)
    if not consent.strip():
        raise InvalidInput(Reason.NO_CONSENT, "--consent is empty: name the consent of the people shown")
    opened = open_source(source, loop=loop, reconnect_seconds=settings.producer.reconnect_seconds)
    playing = Replay(settings, opened, Play(stream, consent.strip(), fps, seconds, every_frame))

    def stop(_number: int, _frame: FrameType | None) -> None:
        playing.stop()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    totals = _run(playing, quiet=as_json or not people.is_terminal)
    _report(playing, totals, as_json)
    if not totals.closes or totals.in_flight:
        raise typer.Exit(1)


def _run(playing: Replay, quiet: bool) -> LedgerTotals:
    if quiet:
        return playing.run()
    with Live(console=people, refresh_per_second=4, transient=True) as live:
        return playing.run(lambda totals: live.update(_table(totals, playing)))


def _latency(playing: Replay) -> dict[str, float] | None:
    found = sorted(playing.publisher.latencies)
    if len(found) < 2:
        return {"p50": round(found[0], 1), "p99": round(found[0], 1)} if found else None
    cuts = quantiles(found, n=100, method="inclusive")
    return {"p50": round(cuts[49], 1), "p99": round(cuts[98], 1)}


def _report(playing: Replay, totals: LedgerTotals, as_json: bool) -> None:
    if as_json:
        extra: dict[str, Any] = {"connection": playing.publisher.connection, "latency_ms": _latency(playing)}
        print_json(totals.as_dict() | extra)
    else:
        people.print(_table(totals, playing))


def _table(totals: LedgerTotals, playing: Replay) -> Table:
    table = Table(title=f"stream {totals.stream}", title_justify="left")
    table.add_column("frames")
    table.add_column("", justify="right")
    table.add_row("captured", str(totals.captured))
    table.add_row("answered", str(totals.answered))
    for cause, count in totals.dropped.items():
        table.add_row(f"dropped, {cause}", str(count))
    table.add_row("dead-lettered", str(totals.dead_lettered))
    table.add_row("in flight", str(totals.in_flight))
    if totals.unaccounted:
        table.add_row("no fate yet", str(totals.unaccounted))
    latency = _latency(playing)
    if latency:
        table.add_row("captured to answered, p50 / p99 ms", f"{latency['p50']:.0f} / {latency['p99']:.0f}")
    return table


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(replay)
