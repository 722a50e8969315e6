"""Writes measured figures into a preset's folder: the tables of its model card and `decades.json`.

    python -m model.training.card docs/results/mairror-age-1-validation.json [PRESET_FOLDER]

The file is what `mairror evaluate --json` printed, with commit and machine (`apps.bench.machine`). The card's text is
written by hand; what stands between its two marks is replaced.
"""

import argparse
import json
from pathlib import Path
from typing import Any, Final

from contracts.errors import InvalidInput, Reason
from model.evaluation import markdown
from model.evaluation.markdown import table
from model.preset_figures import Decade
from model.training.publishing import PRESETS

MARKS: Final = ("<!-- figures -->\n", "<!-- /figures -->")


def write(result: Path, folder: Path, data: str) -> None:
    """Write `decades.json` and the card's figures.

    Args:
        result: the measured file.
        folder: the preset's.
        data: what it was measured on, for people.

    Raises:
        InvalidInput: the card has not both marks.
    """
    figures = json.loads(result.read_text())["figures"]
    kept = {"data": data, "result": result.name, "decades": decades(figures)}
    (folder / "decades.json").write_text(json.dumps(kept, indent=1) + "\n")
    card = folder / "README.md"
    card.write_text(with_figures(card.read_text(), "\n\n".join(tables(figures)) + "\n"))


def decades(figures: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The figures of every decade that the About page draws."""
    names = Decade.__struct_fields__
    return {decade: {name: found[name] for name in names} for decade, found in figures["decades"].items()}


def tables(figures: dict[str, Any]) -> list[str]:
    """The card's tables, in Markdown."""
    heads = [
        [head, str(found["n"]), f"{found['right']:.1%} ({found['right_95'][0]:.1%} to {found['right_95'][1]:.1%})"]
        for head, found in figures["confusion"].items()
    ]
    parts = [markdown.by_age_and_group(figures), markdown.gaps(figures), *markdown.certainty(figures)]
    return [*parts, *([table(["guessed besides", "faces", "right"], heads)] if heads else [])]


def with_figures(card: str, figures: str, marks: tuple[str, str] = MARKS) -> str:
    """The card with other figures between its marks.

    Raises:
        InvalidInput: it has not both.
    """
    start, end = marks
    if start not in card or end not in card:
        raise InvalidInput(Reason.BAD_BODY, f"the card has not both marks {start.strip()} and {end}")
    head, rest = card.split(start, 1)
    return head + start + figures + end + rest.split(end, 1)[1]


def main() -> None:
    """Read the arguments, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    parser.add_argument("folder", type=Path, nargs="?", help="default: the measured preset's folder in model/presets")
    parser.add_argument("--data", default="1,738 faces of UTKFace and All-Age-Faces (validation split)")
    arguments = parser.parse_args()
    preset = json.loads(arguments.result.read_text())["figures"]["preset"]
    write(arguments.result, arguments.folder or PRESETS / preset, arguments.data)


if __name__ == "__main__":
    main()
