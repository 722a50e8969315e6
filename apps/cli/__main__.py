"""`mairror`: the command line. Exit codes: 0 done, 1 the thing asked for failed, 2 wrong use."""

import sys

import typer

from apps.cli import bench, evaluate, replay, serve, stack, tail, topics, train, upload, weights
from apps.cli.output import fail
from contracts.errors import InvalidInput, MairrorError
from contracts.version import VERSION

app = typer.Typer(
    name="mairror",
    help="Live age estimation over Kafka. An estimate is never proof of anybody's age.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
stack.register(app)
serve.register(app)
replay.register(app)
tail.register(app)
upload.register(app)
weights.register(app)
evaluate.register(app)
train.register(app)
bench.register(app)
app.add_typer(topics.app, name="topics")


@app.callback(invoke_without_command=True)
def options(
    version: bool = typer.Option(False, "--version", help="Print the version and exit.", is_eager=True),
) -> None:
    """Live age estimation over Kafka: frames in, ages out. An estimate is never proof of anybody's age."""
    if version:
        print(VERSION)
        raise typer.Exit


def main() -> None:
    """Run the command line; errors of ours are a sentence, never a stack trace."""
    try:
        app()
    except InvalidInput as error:
        fail(str(error), code=2)
    except MairrorError as error:
        fail(str(error), code=1)
    except BrokenPipeError:
        # the reader of our output left (`| head`): that is an end, not a failure
        sys.stderr.close()
        sys.exit(0)


if __name__ == "__main__":
    main()
