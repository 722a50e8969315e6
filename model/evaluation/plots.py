"""The plots of a report: what each of them shows. `drawing` makes files of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from model.evaluation.drawing import Plot, Report, Theme, colour_of, everybody, line
from model.preset_figures import curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _by_decade(figure: Figure, figures: Report, theme: Theme, key: str) -> Axes:
    axes = figure.subplots()
    decades: set[int] = set()
    for index, (name, report, ours) in enumerate(everybody(figures)):
        colour = colour_of(theme, index)
        places = [int(decade) for decade in report["decades"]]
        values = [one[key] for one in report["decades"].values()]
        between = np.array([one["intervals"][key] for one in report["decades"].values()])
        line(axes, places, values, colour, ours, name)
        few = [one for one in places if not report["decades"][str(one)]["enough"]]
        heights = [report["decades"][str(one)][key] for one in few]
        axes.plot(few, heights, "o", markersize=4.5, markerfacecolor=theme.surface, markeredgecolor=colour)
        if ours:
            axes.fill_between(places, between[:, 0], between[:, 1], color=colour, alpha=0.16, linewidth=0)
        decades |= set(places)
    first = next(iter(figures["presets"].values()))["decades"]
    ticks = sorted(decades)
    axes.set_xticks(ticks, [f"{one}-{one + 9}\n{first.get(str(one), {'n': 0})['n']}" for one in ticks])
    axes.set_xlabel("true age, and number of faces; hollow: fewer than 100; band: 95 % interval")
    axes.grid(visible=False, axis="x")
    figure.legend(loc="outside upper right", ncols=4)
    return axes


def _error_by_age(figure: Figure, figures: Report, theme: Theme) -> bool:
    axes = _by_decade(figure, figures, theme, "mae")
    axes.set_ylim(bottom=0)
    axes.set_title("Mean absolute error, years")
    return True


def _bias_by_decade(figure: Figure, figures: Report, theme: Theme) -> bool:
    axes = _by_decade(figure, figures, theme, "bias")
    axes.axhline(0, color=theme.quiet, linewidth=1)
    axes.set_title("Estimate minus true age, years")
    return True


def _with_intervals(figures: Report) -> list[tuple[int, str, Report]]:
    chosen = enumerate(everybody(figures))
    return [(index, name, report) for index, (name, report, _) in chosen if report["reliability"]]


def _reliability(figure: Figure, figures: Report, theme: Theme) -> bool:
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=theme.quiet, linewidth=1, linestyle=(0, (2, 2)))
    axes.annotate("as promised", (0.27, 0.27), (6, -4), textcoords="offset points", color=theme.quiet, va="top")
    for index, name, report in _with_intervals(figures):
        levels, colour = report["reliability"]["levels"], colour_of(theme, index)
        nominal, actual = ([one[key] for one in levels] for key in ("nominal", "actual"))
        line(axes, nominal, actual, colour, True, name)
        own = report["reliability"]["nominal"]
        axes.plot([own], [report["coverage"]], marker="o", markersize=10, color=colour, markeredgecolor=theme.surface)
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.set_xlabel("interval meant to hold (large dot: the preset's own)")
    axes.set_title("True ages inside the interval")
    axes.legend(loc="upper left")
    return bool(_with_intervals(figures))


def _interval_by_width(figure: Figure, figures: Report, theme: Theme) -> bool:
    axes = figure.subplots()
    found = _with_intervals(figures)
    for index, name, report in found:
        parts, colour = report["reliability"]["parts"], colour_of(theme, index)
        widths, holds = ([part[key] for part in parts] for key in ("width", "coverage"))
        low, high = np.array([part["coverage_95"] for part in parts]).T
        axes.vlines(widths, low, high, color=colour, linewidth=2, alpha=0.5)
        line(axes, widths, holds, colour, True, name)
    for _, _, report in found[:1]:
        axes.axhline(report["reliability"]["nominal"], color=theme.quiet, linewidth=1, linestyle=(0, (2, 2)))
    axes.set_ylim(0, 1.02)
    axes.set_xlim(left=0)
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.set_xlabel("mean width of a fifth of the faces, years; dashed: what is promised")
    axes.set_title("Does a narrow interval hold as often as a wide one?")
    axes.legend(loc="lower right")
    return bool(found)


def _risk_coverage(figure: Figure, figures: Report, theme: Theme) -> bool:
    axes = figure.subplots()
    found = _with_intervals(figures)
    for index, name, report in found:
        curve = report["risk_coverage"]["width"]
        line(axes, curve["shares"], curve["mae"], colour_of(theme, index), True, name)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.set_xlabel("share of the faces, those with the narrowest intervals first")
    axes.set_title("Mean absolute error of the most certain, years")
    axes.legend(loc="lower right")
    return bool(found)


def _side_by_side(figure: Figure, figures: Report, theme: Theme) -> bool:
    models = everybody(figures)
    if len(models) < 2:
        return False
    axes = figure.subplots()
    for index, (_, report, ours) in enumerate(models):
        colour, filled = colour_of(theme, index), "full" if ours else "none"
        for key, between, offset, marker in (
            ("mae", report["intervals"]["mae"], 0.14, "o"),
            ("mae_balanced", report["mae_balanced_95"], -0.14, "D"),
        ):
            axes.hlines(-index + offset, *between, color=colour, linewidth=2, alpha=0.5)
            axes.plot(report[key], -index + offset, marker, color=colour, fillstyle=filled, markersize=7)
            axes.text(between[1], -index + offset, f"  {report[key]:.2f}", va="center", fontsize=9)
    axes.set_yticks([-index for index in range(len(models))], [name for name, _, _ in models])
    axes.tick_params(axis="y", labelcolor=theme.ink)
    axes.grid(visible=False, axis="y")
    axes.set_xlim(left=0)
    axes.set_xlabel("years; round: all faces, diamond: each decade the same; bar: 95 % interval")
    axes.set_title("Mean absolute error on the same faces")
    return True


def _sweeps(figure: Figure, figures: Report, theme: Theme) -> bool:
    found = [
        (index, name, report["sweeps"])
        for index, (name, report, _) in enumerate(everybody(figures))
        if report.get("sweeps", {}).get("n")
    ]
    if not found:
        return False
    knobs = list(found[0][2]["sweeps"])
    grid = figure.subplots((len(knobs) + 2) // 3, 3, sharey=True, squeeze=False)
    for axes in grid.flat[len(knobs) :]:
        axes.set_visible(False)
    for axes, knob in zip(grid.flat, knobs, strict=False):
        for index, name, swept in found:
            one, colour, untouched = swept["sweeps"][knob], colour_of(theme, index), swept["untouched"]["mae"]
            places = range(len(one["levels"]))
            low, high = np.array([level["change_95"] for level in one["levels"]]).T + untouched
            axes.fill_between(places, low, high, color=colour, alpha=0.16, linewidth=0)
            axes.axhline(untouched, color=colour, linewidth=1, linestyle=(0, (2, 2)))
            line(axes, places, [level["mae"] for level in one["levels"]], colour, True, name)
        axes.set_xticks(list(places), [f"{level['level']:g}" for level in one["levels"]])
        axes.grid(visible=False, axis="x")
        axes.set_title(f"{knob}{', ' + one['unit'] if one['unit'] else ''}", fontsize=10)
    grid.flat[0].set_ylim(bottom=0)  # all panels share it; earlier it would end the search for the highest value
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=3)
    figure.supylabel("mean absolute error, years (dashed: untouched)", fontsize=10, color=theme.quiet)
    return True


def _confusion(figure: Figure, figures: Report, theme: Theme) -> bool:
    from matplotlib.colors import LinearSegmentedColormap

    found = [
        (name, head, one) for name, report in figures["presets"].items() for head, one in report["confusion"].items()
    ]
    if not found:
        return False
    colours = LinearSegmentedColormap.from_list("share", [theme.surface, theme.series[0]])
    for axes, (name, head, one) in zip(figure.subplots(1, len(found), squeeze=False).flat, found, strict=True):
        counts = np.array(one["table"], dtype=np.float64)
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.pcolormesh(shares, cmap=colours, vmin=0, vmax=1.5, edgecolors=theme.surface, linewidth=2)
        for (row, column), share in np.ndenumerate(shares):
            axes.text(
                column + 0.5,
                row + 0.5,
                f"{share:.0%}" if counts[row].any() else "-",
                ha="center",
                va="center",
                color=theme.ink,
                fontsize=9,
            )
        axes.set_xticks(np.arange(len(one["labels"])) + 0.5, one["labels"])
        axes.set_yticks(np.arange(len(one["labels"])) + 0.5, one["labels"])
        axes.grid(visible=False)
        axes.set(xlabel="answer", ylabel="label", aspect="equal")
        axes.invert_yaxis()
        axes.set_title(f"{name}: {head}, {one['right']:.1%} right", fontsize=10)
    return True


def _learning(figure: Figure, figures: Report, theme: Theme) -> bool:
    found = [(name, one) for name in figures["presets"] if (one := curves(name))]
    if not found:
        return False
    axes = figure.subplots()
    for index, (name, one) in enumerate(found):
        colour = colour_of(theme, index)
        line(axes, one.epochs, one.validation_mae, colour, True, f"{name}: validation")
        line(axes, one.epochs, one.train_mae, colour, False, f"{name}: training, changed faces")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("epoch")
    axes.set_title("Mean absolute error while it was trained, years")
    axes.legend(loc="lower left")
    return True


PLOTS: Final[dict[str, Plot]] = {
    "side-by-side": Plot("Mean absolute error of every model with its interval", (8.5, 3.2), _side_by_side),
    "error-by-age": Plot("Mean absolute error by decade of true age, a line a model", (8.5, 4.2), _error_by_age),
    "bias-by-decade": Plot("Estimate minus true age by decade, a line a model", (8.5, 4.2), _bias_by_decade),
    "reliability": Plot("Share of true ages inside the interval against the share promised", (5.2, 5.0), _reliability),
    "interval-by-width": Plot("Share of true ages inside, by width of the interval", (7.0, 3.8), _interval_by_width),
    "risk-coverage": Plot("Error of the most certain answers, by their share", (7.0, 3.8), _risk_coverage),
    "learning": Plot("Error of each epoch of training, for presets that bring their curve", (7.0, 3.8), _learning),
    "confusion": Plot("Labels against answers, shares of each label", (9.0, 4.4), _confusion),
    "sweeps": Plot("Error while the picture is made harder to see, one panel a knob", (10.5, 10.4), _sweeps),
}
"""By file name."""
