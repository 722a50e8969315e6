"""The tables of a report, in Markdown."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from model.evaluation.plots import PLOTS

Report = dict[str, Any]

FIGURE_COLUMNS: Final = (
    "faces",
    "error",
    "bias",
    "within 5",
    "interval holds",
    "width",
    "width / error",
    "no answer",
    "error, answered",
    "not found",
)


def page(figures: Report, drawn: set[str]) -> list[str]:
    """Blocks of the page, in order; plots stand where they belong."""
    presets, rivals = figures["presets"], figures.get("rivals", {})
    parts: list[str] = []
    if "side_by_side" in figures:
        parts += ["## Side by side", side_by_side(figures), *_plot("side-by-side", drawn)]
        parts += [
            f"{name} was left out: {reason}." for name, reason in sorted(figures.get("rivals_left_out", {}).items())
        ]
        parts += [_rules(rivals)] if rivals else []
    parts += ["## Error and bias by true age", *_plot("error-by-age", drawn), *_plot("bias-by-decade", drawn)]
    for name, report in presets.items():
        parts += [f"### {name} {report['version']}", by_age_and_group(report), gaps(report)]
    parts += ["## What the interval is worth", *_plot("reliability", drawn), *_plot("interval-by-width", drawn)]
    parts += [*_plot("risk-coverage", drawn)]
    for name, report in presets.items():
        parts += [f"### {name}", *certainty(report)]
    if "learning" in drawn:
        parts += ["## Learning", *_plot("learning", drawn)]
    parts += _heads(presets, drawn)
    parts += _sweeps(presets, drawn)
    return [part for part in parts if part]


def side_by_side(figures: Report) -> str:
    """Presets and rivals on the same faces."""
    both = figures["side_by_side"]
    rows = []
    for name, report in (figures["presets"] | figures.get("rivals", {})).items():
        against = both["against"].get(name)
        pooled = [report["pooled"].get(ages) for ages in ("0-9", "60+")]
        rows.append(
            [
                name,
                _with(report["mae"], report["intervals"]["mae"]),
                _with(report["mae_balanced"], report["mae_balanced_95"]),
                *("-" if one is None else _with(one["mae"], one["intervals"]["mae"]) for one in pooled),
                _with(report["bias"], report["intervals"]["bias"], "+"),
                f"{report['first_sight']:.1%}",
                f"{report['missed']:.1%}",
                f"{both['found_by_all']['mae'].get(name, float('nan')):.2f}",
                _with(against["mae_less"], against["mae_less_95"], "+") if against else "",
                f"{report['ms_per_face']:.0f}",
            ]
        )
    header = ["model", "error", "each decade the same", "0-9", "60+", "bias", "at first sight", "not found"]
    header += [f"error on the {both['found_by_all']['n']} faces found by all", f"{both['first']} minus it", "ms a face"]
    return table(header, rows)


def _rules(rivals: dict[str, Report]) -> str:
    counts = "; ".join(
        f"{name}: {one['found']['first_sight']} at first sight, {one['found']['with_a_border']} with a border, "
        f"{one['found']['not_found']} not found"
        for name, one in rivals.items()
    )
    return (
        "Every model sees the same pictures and finds the face itself (faceres-deep: with our detector and alignment). "
        "A face it does not find is looked for again with a black border around the picture, as ours are; if that does "
        "not help, the whole picture is taken for the face and the answer counts. "
        f"{counts}. Milliseconds were taken while all models ran at the same time: good for orders of magnitude."
    )


def by_age_and_group(report: Report) -> str:
    """All faces, decades, pooled ages, groups."""
    rows = [["**all**", *_figures(report)]]
    rows.append(["each decade the same", "", _with(report["mae_balanced"], report["mae_balanced_95"])])
    for decade, found in report["decades"].items():
        few = "" if found["enough"] else " (few)"
        rows.append([f"{decade}-{int(decade) + 9}{few}", *_figures(found)])
    rows += [[f"together {ages}", *_figures(found)] for ages, found in report["pooled"].items()]
    for column, values in report["groups"].items():
        rows += [[f"{column}: {value}", *_figures(found)] for value, found in values.items()]
    reasons = ", ".join(f"{reason} {count}" for reason, count in report["abstentions"].items()) or "none"
    notes = f"No answer, by reason: {reasons}. (few): less than 100 faces."
    return table(["true age, group", *FIGURE_COLUMNS], rows) + f"\n\n{notes}"


def gaps(report: Report) -> str:
    """Groups at equal ages."""
    rows = []
    for column, gap in report["matched"].items():
        groups = "; ".join(
            f"{name} {_with(one['mae'], one['mae_95'])}, {one['n']} faces" for name, one in gap["groups"].items()
        )
        left_out = "; ".join(f"{name} ({count})" for name, count in gap["left_out"].items()) or "-"
        worse, better = gap["between"]
        largest = f"{_with(gap['largest_gap'], gap['largest_gap_95'], '+')}: {worse} against {better}"
        rows.append([column, largest, groups, f"{gap['ages'][0]}-{gap['ages'][-1] + gap['stratum'] - 1}", left_out])
    if not rows:
        return ""
    header = ["groups at equal ages", "largest gap", "error of each", "ages compared", "too few faces"]
    return table(header, rows)


def certainty(report: Report) -> list[str]:
    """Risk-coverage and reliability of one preset."""
    curves, reliable = report["risk_coverage"], report["reliability"]
    if curves is None or reliable is None:
        return ["The answers have no interval."]
    shares = [f"{share:.0%}" for share in curves["width"]["shares"]]
    rows = [[f"by {name}", *(f"{mae:.2f}" for mae in curve["mae"]), _ratio(curve)] for name, curve in curves.items()]
    nominal = [f"{one['nominal']:.0%}" for one in reliable["levels"]]
    actual = [f"{one['actual']:.1%}" for one in reliable["levels"]]
    parts = [
        [
            f"{number} of {len(reliable['parts'])}",
            str(part["n"]),
            f"{part['width']:.1f}",
            f"{part['mae']:.2f}",
            _percent(part["coverage"], part["coverage_95"]),
        ]
        for number, part in enumerate(reliable["parts"], start=1)
    ]
    holds = f"holds ({reliable['nominal']:.0%} wanted)"
    return [
        table(["error of the most certain", *shares, "80 % / all"], rows),
        table(["nominal", *nominal], [["holds", *actual]]),
        table(["narrowest to widest intervals", "faces", "width", "error", holds], parts),
    ]


def _heads(presets: dict[str, Report], drawn: set[str]) -> list[str]:
    parts: list[str] = []
    for name, report in presets.items():
        for head, found in report["confusion"].items():
            rows = [[label, *map(str, row)] for label, row in zip(found["labels"], found["table"], strict=True)]
            right = _percent(found["right"], found["right_95"])
            parts.append(f"### {name}: {head}, {right} right of {found['n']}")
            parts.append(table(["label \\ answer", *found["labels"]], rows))
    return ["## Confusion", *_plot("confusion", drawn), *parts] if parts else []


def _sweeps(presets: dict[str, Report], drawn: set[str]) -> list[str]:
    parts: list[str] = []
    for name, report in presets.items():
        swept = report.get("sweeps")
        if not swept or not swept["n"]:
            continue
        untouched = swept["untouched"]
        parts.append(
            f"### {name}: {swept['n']} faces, untouched error {untouched['mae']:.2f}, "
            f"no answer {untouched['abstained']:.0%}"
        )
        rows = [
            [
                f"{knob} {level['level']:g} {one['unit']}".strip(),
                f"{level['mae']:.2f}",
                _with(level["change"], level["change_95"], "+"),
                f"{level['moved']:.2f}",
                f"{level['first_sight']:.0%}",
                f"{level['missed']:.0%}",
                f"{level['abstained']:.0%}",
                f"{level['coverage']:.0%}",
            ]
            for knob, one in swept["sweeps"].items()
            for level in one["levels"]
        ]
        header = ["change", "error", "against untouched", "estimate moves by", "at first sight", "not found"]
        parts.append(table([*header, "no answer", "interval holds"], rows))
    return ["## Harder and harder to see", *_plot("sweeps", drawn), *parts] if parts else []


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are aligned to the right. Short rows are filled up."""
    lines = [_line(header), _line([":--", *["--:"] * (len(header) - 1)])]
    lines += [_line([*row, *[""] * (len(header) - len(row))]) for row in rows]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _figures(found: Report) -> list[str]:
    between, answered = found["intervals"], found["mae_answered"]
    ranged = found["coverage"] is not None
    return [
        str(found["n"]),
        _with(found["mae"], between["mae"]),
        _with(found["bias"], between["bias"], "+"),
        f"{found['within5']:.1%}",
        _percent(found["coverage"], between["coverage"]) if ranged else "-",
        f"{found['width']:.1f}" if ranged else "-",
        "-" if found["width_over_mae"] is None else f"{found['width_over_mae']:.2f}",
        f"{found['abstained']:.1%}",
        "-" if answered is None else f"{answered:.2f}",
        f"{found['missed']:.1%}",
    ]


def _ratio(curve: Report) -> str:
    return "-" if curve["ratio_80"] is None else _with(curve["ratio_80"], curve["ratio_80_95"])


def _with(value: float, between: Sequence[float], sign: str = "") -> str:
    return f"{value:{sign}.2f} ({between[0]:{sign}.2f} to {between[1]:{sign}.2f})"


def _percent(value: float, between: Sequence[float]) -> str:
    return f"{value:.1%} ({between[0]:.1%} to {between[1]:.1%})"


def _plot(name: str, drawn: set[str]) -> list[str]:
    """The plot for the reader's page, light or dark."""
    if name not in drawn:
        return []
    return [
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{name}-dark.svg">'
        f'<img src="{name}-light.svg" alt="{PLOTS[name].shows}"></picture>'
    ]
