"""What people and programs read: progress and problems on stderr, results on stdout."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

ProgressCallback = Callable[[str, float | None], None]

people = Console(stderr=True, highlight=False)


def fail(message: str, code: int) -> NoReturn:
    """Say what went wrong in one sentence and end."""
    people.print(f"[bold red]mairror:[/] {message}", markup=True, soft_wrap=True)
    sys.exit(code)


def print_json(value: Any) -> None:
    """One line of JSON on stdout, at once."""
    print(json.dumps(value, default=str), flush=True)


@contextmanager
def steps() -> Iterator[ProgressCallback]:
    """A progress display on a terminal, plain lines elsewhere.

    Yields a callback `(text, fraction or None)`. The part of the text before a colon names the step.
    """
    if not people.is_terminal:
        last: dict[str, str] = {}

        def plain(text: str, fraction: float | None) -> None:
            name = text.split(":")[0]
            if last.get(name) != text:
                last[name] = text
                people.print(text, markup=False, soft_wrap=True)

        yield plain
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24), TimeElapsedColumn())
    with Progress(*columns, console=people, transient=True) as display:
        tasks: dict[str, TaskID] = {}

        def show(text: str, fraction: float | None) -> None:
            name = text.split(":")[0]
            if name not in tasks:
                tasks[name] = display.add_task(text, total=1.0 if fraction is not None else None)
            display.update(
                tasks[name],
                description=text,
                completed=fraction if fraction is not None else 0.0,
                total=1.0 if fraction is not None else None,
            )
            if fraction is not None and fraction >= 1:
                display.remove_task(tasks.pop(name))

        yield show
