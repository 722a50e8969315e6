"""`mairror topics apply`: the broker's topics as the table says. Compose and the chart run it once, first."""

import typer

from apps.cli.output import people, print_json
from apps.cli.stack import AsJson, running_settings
from contracts.admin import apply_topics
from contracts.topics import TOPICS

app = typer.Typer(help="The topics on the broker.", no_args_is_help=True)


@app.callback()
def topics() -> None:
    """The topics on the broker."""


@app.command()
def apply(as_json: AsJson = False) -> None:
    """Make missing topics and mend settings that differ; doing it again changes nothing."""
    changes = apply_topics(running_settings().kafka)
    if as_json:
        print_json({"topics": [topic.name for topic in TOPICS], "changes": changes})
        return
    for change in changes:
        people.print(change, markup=False)
    people.print(f"{len(TOPICS)} topics are as they should be ({len(changes)} changes)")
