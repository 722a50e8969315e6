"""`mairror bench`: how fast this machine is, and how much of the model's bare speed the whole system keeps."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.table import Table

from apps.cli.output import people, print_json, steps
from apps.cli.stack import AsJson
from contracts.settings import load_settings
from contracts.telemetry import configure_logging
from model.evaluation.speed import SIZES
from model.manifest import preset_names

BUSY = 0.85
"""Share of the cores below which the machine was doing something else."""


def bench(
    seconds: Annotated[float, typer.Option(min=0.5, help="Length of one measurement; there are about 20.")] = 6.0,
    preset: Annotated[str | None, typer.Option(help="Age preset; the setting's otherwise.")] = None,
    model: Annotated[bool, typer.Option("--model", help="Only the presets: loading, milliseconds a face.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure this machine with a broker, a store and a processor of its own, in a temporary folder.

    Compares frames a second from producer to answer topic (and to the store) with the same model code in its fastest
    bare loop, in turns; then the latency that Kafka, Faust and batching add to one stream of 30 frames a second.
    """
    if model:
        _model([preset] if preset else preset_names(), as_json)
        return
    from apps.bench.run import bench as run

    settings = load_settings()
    configure_logging(settings.model_copy(update={"log_level": "error"}), "bench")
    if preset:
        settings = settings.model_copy(update={"model": settings.model.model_copy(update={"preset": preset})})
    with steps() as progress:
        found = run(settings, seconds, progress)
    print_json(found) if as_json else _show(found)


def _model(presets: Sequence[str], as_json: bool) -> None:
    """Time presets alone, each in a process of its own, with one thread and with every core."""
    from apps.bench.presets import time_presets

    with steps() as progress:
        found = time_presets(presets, progress)
    if as_json:
        print_json({"presets": found})
        return
    table = Table(title="presets alone, milliseconds a face", title_justify="left")
    for name in ("preset", "threads", "load, s", "warm-up, s", *(f"batch {size}" for size in SIZES)):
        table.add_column(name, justify="left" if name == "preset" else "right")
    for row in found:
        times = [f"{row['ms_per_face'][str(size)]:.1f}" for size in SIZES]
        table.add_row(row["preset"], str(row["threads"]), f"{row['load_s']:.1f}", f"{row['warm_up_s']:.1f}", *times)
    people.print(table)


def _show(found: dict[str, Any]) -> None:
    sweep = Table(title="the bare loop, swept", title_justify="left")
    for name in ("model threads", "look threads", "batch", "frames/s", "processor ms a frame"):
        sweep.add_column(name, justify="right")
    for row in found["sweep"]:
        best = all(row[key] == value for key, value in found["bare"].items())
        cells = [str(row[key]) for key in ("model_threads", "threads", "batch")]
        sweep.add_row(*cells, f"{row['fps']:.0f}", f"{row['cpu_ms']:.2f}", style="bold green" if best else None)
    people.print(sweep)
    table = Table(title=f"{found['preset']} on {found['cores']} cores, {found['cpu']}", title_justify="left")
    table.add_column("figure")
    table.add_column("", justify="right")
    cpu, added, whole = found["cpu_ms_per_frame"], found["added_latency_ms"], found["end_to_end_ms"]
    used = found["cores_used"]
    rows = {
        "bare loop, frames/s": f"{found['bare_fps']:.0f}",
        "producer to answer topic, frames/s": f"{found['pipeline_fps']:.0f}",
        "ratio, paired": f"{found['ratio']:.2f}",
        "producer to store, ratio, paired": f"{found['ratio_stored']:.2f}",
        "cores used, bare / pipeline": f"{used['bare']:.1f} / {used['pipeline']:.1f}",
        "processor ms a frame, bare / pipeline": f"{cpu['bare']:.1f} / {cpu['pipeline']:.1f}",
        "added latency at 30 fps, p50 / p99 ms": f"{added['p50']:.1f} / {added['p99']:.1f}",
        "captured to answered at 30 fps, p50 / p99 ms": f"{whole['p50']:.1f} / {whole['p99']:.1f}",
        **{f"  {stage}, ms": f"{value:.1f}" for stage, value in found["stages_ms"].items()},
        "peak memory of all processes, PSS MB": f"{found['peak_pss_mb']:.0f}",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    people.print(table)
    if min(used.values()) < BUSY * found["cores"]:
        people.print(f"[yellow]Other work had part of the {found['cores']} cores: trust processor ms, not frames/s.[/]")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(bench)
