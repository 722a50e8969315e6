"""Writes what was measured into a folder: report.json, README.md with every table, and plots for light and dark pages.

Everything is made from the JSON alone, so a report can be written again from it:
`python -m model.evaluation.report report.json FOLDER`.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

from contracts.errors import FatalError
from model.evaluation import markdown
from model.evaluation.drawing import draw
from model.evaluation.plots import PLOTS

TERMS: Final = (
    "An age estimated from a picture is never proof of anybody's age. What was measured holds for faces like these, "
    "labelled like these; many labels are estimates themselves."
)


def check_plots() -> None:
    """Refuse before the work rather than after it.

    Raises:
        FatalError: the package that draws is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise FatalError("--out draws with matplotlib, which is not installed: pip install 'mairror[local]'") from error


def write_report(folder: Path, measured: dict[str, Any]) -> list[Path]:
    """Write the folder; files of an earlier report are replaced.

    Args:
        measured: commit, machine, and figures (labels, split, presets, and rivals, side_by_side where there are some).

    Returns:
        The files written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    figures = measured["figures"]
    drawn = {name: draw(name, plot, figures, folder) for name, plot in PLOTS.items()}
    (folder / "README.md").write_text(_page(measured, {name for name, files in drawn.items() if files}), "utf-8")
    return [folder / "report.json", folder / "README.md", *(file for files in drawn.values() for file in files)]


def _page(measured: dict[str, Any], drawn: set[str]) -> str:
    figures = measured["figures"]
    parts = [f"# How wrong the ages are: {', '.join(figures['presets'])}", _origin(measured), TERMS]
    parts += markdown.page(figures, drawn)
    return "\n\n".join(parts) + "\n"


def _origin(measured: dict[str, Any]) -> str:
    figures, machine = measured["figures"], measured["machine"]
    one = next(iter(figures["presets"].values()))
    split = f", split {figures['split']}" if figures["split"] else ""
    return (
        f"{one['n']} faces of {figures['labels']}{split}; {one['skipped_n']} rows could not be used. Measured at "
        f"commit {measured['commit']} on {machine['cores']} cores of {machine['cpu']}. Errors, biases and widths "
        f"are years; in brackets the 95 % bootstrap interval over faces ({one['bootstrap']['draws']} draws)."
    )


def main() -> None:
    """Write a report again from its JSON."""
    source, folder = (Path(argument) for argument in sys.argv[1:3])
    write_report(folder, json.loads(source.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
