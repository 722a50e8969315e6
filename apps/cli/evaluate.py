"""`mairror evaluate`: how wrong the presets are on labelled faces, in total, by decade of age and by group."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from apps.cli.output import people, print_json
from apps.cli.stack import AsJson
from contracts.settings import load_settings

SHOWN_PROBLEMS = 10


def evaluate(
    labels: Annotated[Path, typer.Argument(help="CSV: path (relative to it), age, and columns to group by.")],
    preset: Annotated[list[str] | None, typer.Option(help="Preset; may be given several times.")] = None,
    split: Annotated[str | None, typer.Option(help="Only rows whose column `split` has this value.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many faces, evenly spaced.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure presets on labelled faces.

    Every face counts: one without an answer with its hidden estimate, one not found with the whole picture as the face.
    One preset prints its figures, several print {"presets": {name: figures}}.
    """
    from model.evaluation import run
    from model.evaluation.labels import read_labels

    settings = load_settings()
    rows = read_labels(labels, split, limit)
    presets = list(dict.fromkeys(preset or [settings.model.preset]))
    columns = (TextColumn("evaluating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=people, transient=True, disable=as_json or not people.is_terminal) as progress:
        task = progress.add_task("evaluating", total=len(rows.rows))
        found = run.evaluate(rows, presets, settings, lambda done: progress.update(task, completed=done))
    if as_json:
        print_json(found[presets[0]] if len(presets) == 1 else {"presets": found})
        return
    for report in found.values():
        _show(report)
    _show_problems(found[presets[0]]["skipped"])


def _show(report: dict[str, Any]) -> None:
    title = f"{report['preset']} {report['version']}, {report['n']} faces, {report['ms_per_face']:.1f} ms each"
    table = Table(title=title, title_justify="left")
    table.add_column("true age, group")
    for name in ("faces", "error", "within 5", "bias", "interval holds", "width", "no answer", "error, answered"):
        table.add_column(name, justify="right")
    table.add_column("not found", justify="right")
    table.add_row("all", *_cells(report))
    table.add_row("each decade the same", "", f"{report['mae_balanced']:.2f}", end_section=True)
    for decade, figures in report["decades"].items():
        table.add_row(f"{decade}-{int(decade) + 9}", *_cells(figures))
    for column, values in report["groups"].items():
        table.add_section()
        for value, figures in values.items():
            table.add_row(f"{column} {value}", *_cells(figures))
    people.print(table)
    people.print("error, bias and width in years; bias below zero: guessed too young")


def _cells(figures: dict[str, Any]) -> list[str]:
    answered = figures["mae_answered"]
    return [
        str(figures["n"]),
        f"{figures['mae']:.2f}",
        f"{figures['within5']:.1%}",
        f"{figures['bias']:+.2f}",
        f"{figures['coverage']:.1%}",
        f"{figures['width']:.1f}",
        f"{figures['abstained']:.1%}",
        "-" if answered is None else f"{answered:.2f}",
        f"{figures['missed']:.1%}",
    ]


def _show_problems(skipped: list[dict[str, Any]]) -> None:
    if not skipped:
        return
    people.print(f"[bold]{len(skipped)} rows could not be used:[/]")
    for one in skipped[:SHOWN_PROBLEMS]:
        people.print(
            f"  {one['file']}, line {one['line']}: {one['path']}: {one['reason']}", markup=False, soft_wrap=True
        )
    if len(skipped) > SHOWN_PROBLEMS:
        people.print(f"  and {len(skipped) - SHOWN_PROBLEMS} more; --json lists all")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(evaluate)
