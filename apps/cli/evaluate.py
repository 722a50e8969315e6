"""`mairror evaluate`: how wrong the presets are on labelled faces, in total, by decade of age and by group."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from apps.bench.machine import with_machine
from apps.cli import evaluation_tables as tables
from apps.cli.output import people, print_json
from apps.cli.stack import AsJson
from contracts.errors import InvalidInput, Reason
from contracts.settings import load_settings

if TYPE_CHECKING:
    from model.evaluation.run import Bench, Outcome


def evaluate(  # noqa: PLR0913 - each is an option of the command
    labels: Annotated[Path, typer.Argument(help="CSV: path (relative to it), age, and columns to group by.")],
    preset: Annotated[list[str] | None, typer.Option(help="Preset; may be given several times.")] = None,
    split: Annotated[str | None, typer.Option(help="Only rows whose column `split` has this value.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many faces, evenly spaced.")] = None,
    sweeps: Annotated[bool, typer.Option("--sweeps", help="Also change size, light, blur, JPEG, turn, share.")] = False,
    sweep_faces: Annotated[int, typer.Option(min=1, help="Faces in the sweeps.")] = 100,
    rivals: Annotated[bool, typer.Option("--rivals", help="Also ask other projects' models, fetched once.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for report.json, tables (Markdown) and plots.")] = None,
    draws: Annotated[int, typer.Option(min=100, help="Bootstrap draws behind every interval.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws and of the sweeps' faces.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Measure presets on labelled faces.

    Every face counts: one without an answer with its hidden estimate, one not found with the whole picture as the face.
    One preset prints its figures; several, or --rivals, print {"presets": {name: figures}, "rivals": ...}.
    """
    from model.evaluation import run
    from model.evaluation.labels import read_labels

    settings = load_settings()
    rows = read_labels(labels, split, limit)
    if out is not None:
        _usable(out)
    with _progress(as_json) as shown:
        bench = run.Bench.of(list(dict.fromkeys(preset or [settings.model.preset])), settings)
        outcome = run.evaluate(rows, bench, lambda done: shown.move("evaluating", done, len(rows.rows)), draws, seed)
        if sweeps:
            _sweep(outcome, bench, sweep_faces, seed, shown)
        result = _with_rivals(outcome, bench, rivals, draws, seed, shown)
    described = {"labels": labels.name, "split": split, "limit": limit, **result}
    if out is not None:
        from model.evaluation.report import write_report

        write_report(out, with_machine(described))
    if as_json:
        one = len(outcome.reports) == 1 and not rivals
        print_json(next(iter(outcome.reports.values())) if one else result)
        return
    tables.show(result)
    if out is not None:
        people.print(f"tables and plots: {out / 'README.md'}", soft_wrap=True)


def _usable(out: Path) -> None:
    """Tell before minutes of work what would go wrong after them."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(Reason.BAD_BODY, f"--out {out}: {error.strerror}") from error
    from model.evaluation.report import check_plots

    check_plots()


def _sweep(outcome: "Outcome", bench: "Bench", faces: int, seed: int, shown: "_Shown") -> None:
    from model.evaluation.sweeps import sweep

    total = min(faces, len(outcome.rows))
    found = sweep(outcome.rows, bench, faces, seed, lambda done: shown.move("sweeps", done, total))
    for name, sweeps in found.items():
        outcome.reports[name]["sweeps"] = sweeps


def _with_rivals(
    outcome: "Outcome", bench: "Bench", wanted: bool, draws: int, seed: int, shown: "_Shown"
) -> dict[str, Any]:
    from model.evaluation.rivals.comparing import compare, side_by_side

    result: dict[str, Any] = {"presets": outcome.reports}
    judged = dict(outcome.judged)
    if wanted:
        total = len(outcome.rows)
        found = compare(
            outcome.rows, bench, shown.say, lambda name, done: shown.move(name, done, total), draws=draws, seed=seed
        )
        result |= {"rivals": found.reports, "rivals_left_out": found.left_out}
        judged |= found.judged
    if len(judged) > 1:
        result["side_by_side"] = side_by_side(judged, draws, seed)
    return result


class _Shown:
    """Progress bars on a terminal; nothing but sentences elsewhere."""

    def __init__(self, display: Progress) -> None:
        self._display = display
        self._tasks: dict[str, TaskID] = {}

    def move(self, text: str, done: int, total: int) -> None:
        """Move the bar called `text`."""
        if text not in self._tasks:
            self._tasks[text] = self._display.add_task(text, total=total)
        self._display.update(self._tasks[text], completed=done)

    def say(self, text: str) -> None:
        """A line above the bars."""
        self._display.console.print(text, markup=False, soft_wrap=True)


@contextmanager
def _progress(as_json: bool) -> Iterator[_Shown]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    quiet = as_json or not people.is_terminal
    with Progress(*columns, console=people, transient=True, disable=quiet) as display:
        yield _Shown(display)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(evaluate)
