"""Draws a report's plots as SVG, each for a light and a dark page, with matplotlib and without a display.

Guarantee: made from figures alone (no picture of anybody can be in them), and the same figures give the same file.
matplotlib is imported inside functions: nothing but `mairror evaluate --out` needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Report = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of a page: surface, text, quiet text, grid, and those of the series in their fixed order."""

    name: str
    surface: str
    ink: str
    quiet: str
    grid: str
    series: tuple[str, ...]


THEMES: Final = (
    Theme("light", "#ffffff", "#1f2328", "#59636e", "#dfe3e8", ("#2a78d6", "#d1501f", "#12855c", "#6b4fc8", "#a86e00")),
    Theme("dark", "#0d1117", "#e6edf3", "#9198a1", "#2c333c", ("#58a0f0", "#f0834f", "#3fc08f", "#a99bf5", "#dba437")),
)


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot: the words for those who cannot see it, its size in inches, and what draws it.

    `draws` returns False when there is nothing to show.
    """

    shows: str
    size: tuple[float, float]
    draws: Callable[[Figure, Report, Theme], bool]


def draw(name: str, plot: Plot, figures: Report, folder: Path) -> list[Path]:
    """Write one plot, `<name>-light.svg` and `<name>-dark.svg`; nothing when there is nothing to show."""
    import matplotlib
    from matplotlib.figure import Figure

    files: list[Path] = []
    for theme in THEMES:
        with matplotlib.rc_context(_style(theme)):
            figure = Figure(figsize=plot.size, layout="constrained")
            if not plot.draws(figure, figures, theme):
                return []
            files.append(folder / f"{name}-{theme.name}.svg")
            figure.savefig(files[-1], metadata={"Date": None, "Creator": None})
    return files


def _style(theme: Theme) -> Any:
    return {
        "font.size": 10,
        "font.family": ["DejaVu Sans"],
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.edgecolor": theme.grid,
        "axes.labelcolor": theme.quiet,
        "axes.facecolor": theme.surface,
        "figure.facecolor": theme.surface,
        "savefig.facecolor": theme.surface,
        "grid.color": theme.grid,
        "grid.linewidth": 0.8,
        "text.color": theme.ink,
        "xtick.color": theme.quiet,
        "ytick.color": theme.quiet,
        "xtick.major.size": 0,
        "ytick.major.size": 0,
        "legend.frameon": False,
        "legend.fontsize": 9,
        "lines.linewidth": 2,
        "svg.hashsalt": "mairror",
    }


def everybody(figures: Report) -> list[tuple[str, Report, bool]]:
    """Name, report and whether it is one of our presets; colours follow this order in every plot."""
    presets = [(name, report, True) for name, report in figures["presets"].items()]
    return presets + [(name, report, False) for name, report in figures.get("rivals", {}).items()]


def colour_of(theme: Theme, index: int) -> str:
    """The series' colour; the sixth gets the first again."""
    return theme.series[index % len(theme.series)]


def line(axes: Axes, xs: Sequence[float], ys: Sequence[float], colour: str, ours: bool, label: str) -> None:
    style = "-" if ours else (0, (4, 2))
    axes.plot(
        xs, ys, color=colour, linestyle=style, linewidth=2.2 if ours else 1.6, marker="o", markersize=4, label=label
    )
