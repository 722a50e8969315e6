"""Writes the study of architectures into `docs/study.md`: its tables between two marks, and its plot.

    python -m model.training.study_report docs

Reads `results/study.json` (`model.training.study`, with commit and machine by `apps.bench.machine`), the presets'
`results/<preset>-validation.json`, `results/speed.json` and `results/side-by-side.json` (`mairror evaluate --sweeps`)
there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from contracts.errors import InvalidInput, Reason
from model.evaluation.drawing import Plot, Theme, colour_of, draw, line
from model.evaluation.markdown import table
from model.evaluation.plots import PLOTS
from model.training.card import with_figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKS: Final = ("<!-- study -->\n", "<!-- /study -->")
SWEPT: Final = ("<!-- sweeps -->\n", "<!-- /sweeps -->")

HARM: Final = 0.5
"""A change that adds so many years to the error, and surely more than nothing (95 %), does harm."""

WITHIN: Final = (0.5, 1.0, 2.0, 3.0)
"""How many years worse than the best a smaller network may be."""

BATCH: Final = "16"

TICKS: Final = (0.3, 1.0, 3.0, 10.0)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A network with its price: mean error, years; parameters; processor time a face in batches of 16, ms."""

    name: str
    mae: float
    parameters: int
    cpu_ms: float


def by_arm(runs: dict[str, dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The runs of every arm, in the order of their seeds."""
    arms: dict[str, list[dict[str, Any]]] = {}
    for run in runs.values():
        arms.setdefault(run["arm"], []).append(run)
    return {arm: sorted(found, key=lambda run: run["seed"]) for arm, found in arms.items()}


def arms_table(study: dict[str, Any]) -> str:
    """One row an arm: means over the seeds, and from the least to the most."""
    header = ["network", "parameters", "ms a face", "error", "each decade alike", "60+", "gender", "ethnicity"]
    rows = [
        [
            arm,
            f"{runs[0]['parameters'] / 1e6:.2f} M",
            f"{np.median([run['cpu_ms_per_face'] for run in runs]):.1f}",
            *(_spread(runs, key, "{:.2f}") for key in ("mae", "mae_balanced", "old")),
            *(_spread(runs, key, "{:.0%}") for key in ("gender", "ethnicity")),
            " ".join(str(len(run["curve"])) for run in runs),
            " / ".join(f"{study['ensembles'][arm][str(count)]:.2f}" for count in range(1, len(runs) + 1)),
        ]
        for arm, runs in by_arm(study["runs"]).items()
    ]
    return table([*header, "epochs by seed", "error of the mean of 1 / 2 / 3 seeds"], rows)


def _spread(runs: Sequence[dict[str, Any]], key: str, form: str) -> str:
    values = [run[key] for run in runs]
    return f"{form.format(np.mean(values))} ({form.format(min(values))} to {form.format(max(values))})"


def candidates(study: dict[str, Any], presets: dict[str, float], speed: Sequence[dict[str, Any]]) -> list[Candidate]:
    """The study's networks (means of their seeds), their ensembles of all seeds, and the presets.

    Args:
        presets: mean error by name.
        speed: rows of `mairror bench --model`.

    Raises:
        InvalidInput: a preset was not timed, or an arm has not all its seeds.
    """
    untimed = set(presets) - {row["preset"] for row in speed}
    unfinished = set(by_arm(study["runs"])) - set(study["ensembles"])
    if untimed or unfinished:
        raise InvalidInput(
            Reason.EMPTY,
            f"not timed by `mairror bench --model`: {untimed or '-'}; arms without all seeds: {unfinished or '-'}",
        )
    found = []
    for arm, runs in by_arm(study["runs"]).items():
        ms = float(np.median([run["cpu_ms_per_face"] for run in runs]))
        found.append(Candidate(arm, float(np.mean([run["mae"] for run in runs])), runs[0]["parameters"], ms))
        mean = study["ensembles"][arm][str(len(runs))]
        found.append(Candidate(f"{arm}, {len(runs)} together", mean, runs[0]["parameters"] * len(runs), ms * len(runs)))
    for row in speed:
        if row["preset"] in presets and row["threads"] == 2:
            name, cpu = row["preset"], row["cpu_ms_per_face"][BATCH]
            found.append(Candidate(f"`{name}`", presets[name], row["parameters"], cpu))
    return found


def smallest_table(found: Sequence[Candidate]) -> str:
    """For every allowance the network of fewest parameters and the quickest one within it."""
    best = min(one.mae for one in found)
    rows = []
    for allowed in WITHIN:
        near = [one for one in found if one.mae <= best + allowed]
        small, quick = min(near, key=lambda one: one.parameters), min(near, key=lambda one: one.cpu_ms)
        rows.append(
            [
                f"{allowed:g} ({best + allowed:.2f})",
                f"{small.name}: {small.parameters / 1e6:.2f} M, {small.mae:.2f}",
                f"{quick.name}: {quick.cpu_ms:.1f} ms, {quick.mae:.2f}",
            ]
        )
    return table(["years worse than the best at most", "fewest parameters", "quickest"], rows)


def limits_table(swept: dict[str, Any]) -> str:
    """By knob of the sweeps: what does harm, and the worst level."""
    header = ["change", "does harm", "worst", "error there", "not found", "no answer", "interval holds"]
    rows = []
    for knob, one in swept["sweeps"].items():
        harm = [level for level in one["levels"] if level["change"] >= HARM and level["change_95"][0] > 0]
        worst = max(one["levels"], key=lambda level: level["mae"])
        rows.append(
            [
                f"{knob}{', ' + one['unit'] if one['unit'] else ''}",
                " ".join(f"{level['level']:g}" for level in harm) or "nothing tried",
                f"{worst['level']:g}",
                f"{worst['mae']:.1f} ({worst['change']:+.1f})",
                *(f"{worst[key]:.0%}" for key in ("missed", "abstained", "coverage")),
            ]
        )
    return table(header, rows)


def _plot(figure: Figure, report: dict[str, Any], theme: Theme) -> bool:
    left, right = figure.subplots(1, 2)
    for index, (arm, runs) in enumerate(by_arm(report["runs"]).items()):
        colour = colour_of(theme, index)
        longest = max(runs, key=lambda run: len(run["curve"]))["curve"]
        line(left, range(1, len(longest) + 1), [one["validation_mae"] for one in longest], colour, True, arm)
    for index, one in enumerate(report["candidates"]):
        colour = theme.ink if one["name"].startswith("`") else colour_of(theme, index // 2)
        together = "together" in one["name"]
        right.plot(one["cpu_ms"], one["mae"], "D" if together else "o", color=colour, markersize=6)
        if one["name"].startswith("`"):
            right.annotate(
                one["name"].strip("`"), (one["cpu_ms"], one["mae"]), (7, -9), textcoords="offset points", fontsize=9
            )
    left.set_title("Error while learning, years")
    left.set_xlabel("epoch (the seed that learned longest)")
    left.set_ylim(bottom=0)
    left.legend(loc="upper right")
    right.set_xscale("log")
    right.set_xticks(TICKS, [f"{ms:g}" for ms in TICKS])
    right.minorticks_off()
    right.set_title("Error by price, years")
    right.set_xlabel("processor time a face, ms; diamond: three seeds together")
    right.set_ylim(bottom=0)
    return True


PLOT: Final = Plot(
    "Left: error by epoch of every network, its longest seed; right: error against processor time a face",
    (10.5, 4.4),
    _plot,
)


def write(folder: Path) -> None:
    """Write tables and plot.

    Raises:
        InvalidInput: `study.md` has not both marks, or a figure is missing.
    """
    study = json.loads((folder / "results/study.json").read_text())["figures"]
    speed = json.loads((folder / "results/speed.json").read_text())["figures"]["presets"]
    results = [
        json.loads(path.read_text())["figures"] for path in sorted((folder / "results").glob("*-validation.json"))
    ]
    found = candidates(study, {one["preset"]: one["mae"] for one in results}, speed)
    text = f"{arms_table(study)}\n\n{smallest_table(found)}\n"
    evaluated = json.loads((folder / "results/side-by-side.json").read_text())["figures"]
    swept = next(iter(evaluated["presets"].values()))["sweeps"]
    words = f"{swept['n']} faces, untouched {swept['untouched']['mae']:.2f} years."
    page = folder / "study.md"
    told = with_figures(page.read_text(), text, MARKS)
    page.write_text(with_figures(told, f"{words}\n\n{limits_table(swept)}\n", SWEPT))
    drawn = {"runs": study["runs"], "candidates": [{key: getattr(one, key) for key in one.__slots__} for one in found]}
    draw("study", PLOT, drawn, folder / "pictures")
    draw("sweeps", PLOTS["sweeps"], evaluated, folder / "pictures")


def main() -> None:
    """Read the argument, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="docs")
    write(parser.parse_args().folder)


if __name__ == "__main__":
    main()
