"""`mairror upload FILE...`: photos in, faces and ages out."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from apps.cli.output import people, print_json
from apps.cli.stack import AsJson, running_settings
from contracts.errors import InvalidInput, Reason
from contracts.telemetry import configure_logging


def upload(
    files: Annotated[list[Path], typer.Argument(help="Photos: JPEG, PNG, WebP or HEIC.")],
    as_json: AsJson = False,
) -> None:
    """Estimate the ages of the faces in photos. Exit 1 when a file was refused or not answered."""
    from producers.direct import upload_files  # decodes strangers' files: most images cannot

    settings = running_settings()
    configure_logging(settings.model_copy(update={"log_level": "error"}), "upload")
    if len(files) > settings.upload.max_files:
        raise InvalidInput(Reason.TOO_MANY_BYTES, f"{len(files)} files, at most {settings.upload.max_files} in one go")
    with Progress(console=people, transient=True, disable=not people.is_terminal) as bar:
        uploading = bar.add_task("Uploading", total=len(files))
        results = list(upload_files(files, settings, lambda: bar.advance(uploading)))
    for result in results:
        print_json(result) if as_json else people.print(_sentence(result), markup=False, soft_wrap=True)
    if any("error" in result for result in results):
        raise typer.Exit(1)


def _sentence(result: dict[str, Any]) -> str:
    if "error" in result:
        return f"{result['file']}: {result['error']['detail']}"
    faces = result["answer"]["faces"]
    if not faces:
        return f"{result['file']}: no face"
    ages = []
    for face in faces:
        age = face["age"]
        ages.append(
            f"about {age['years']:.0f} ({age['low']:.0f}-{age['high']:.0f})"
            if age
            else f"no age: {face['abstained']['detail']}"
        )
    return f"{result['file']}: {'; '.join(ages)}"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(upload)
