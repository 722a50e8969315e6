"""`mairror train`: one training run from its configuration to weights; an ended run goes on where it stopped."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from apps.cli.output import people, print_json
from apps.cli.stack import AsJson
from contracts.settings import load_settings


class _Shown:
    """Progress bars on a terminal, lines elsewhere."""

    def __init__(self, display: Progress) -> None:
        self._display = display
        self._tasks: dict[str, TaskID] = {}

    def step(self, text: str, done: int, total: int) -> None:
        """Move the bar of the step called `text`."""
        if text not in self._tasks:
            self._tasks[text] = self._display.add_task(text, total=total)
        self._display.update(self._tasks[text], completed=done)

    def say(self, text: str) -> None:
        """A line above the bars."""
        self._display.console.print(text, markup=False, soft_wrap=True)


def train(
    config: Annotated[Path, typer.Argument(help="TOML; those of the presets lie in model/training/configs.")],
    cache: Annotated[
        Path | None, typer.Option(help="Where chips, checkpoints and weights go. Default: Mairror's cache folder.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train an age model as a configuration says.

    Faces are found and aligned once and kept; the weights, the report and TensorBoard's logs lie in the cache folder
    under training/runs. Start the same configuration again to go on after an interruption.
    """
    from model.training.running import train as run

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=people, transient=True, disable=not people.is_terminal) as display:
        report = run(config, cache or load_settings().cache, _Shown(display))
    if as_json:
        print_json(report)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(train)
