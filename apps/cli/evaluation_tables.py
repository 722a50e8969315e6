"""What people read after `mairror evaluate`: the few figures that matter first, then tables."""

from typing import Any, Final

from rich import box
from rich.table import Table

from apps.cli.output import people

SHOWN_PROBLEMS: Final = 10
NOTE: Final = (
    "error, bias and width in years; bias below zero: guessed too young; holds: true ages inside the interval; "
    "95 %: bootstrap interval"
)


def show(result: dict[str, Any]) -> None:
    """Everything that was measured."""
    rivals = result.get("rivals", {})
    for name, report in (result["presets"] | rivals).items():
        _show_first(name, report)
    for name, reason in result.get("rivals_left_out", {}).items():
        people.print(f"{name}: left out, {reason}", markup=False, soft_wrap=True)
    for name, report in result["presets"].items():
        _show_preset(name, report)
    if "side_by_side" in result:
        _show_side_by_side(result)
    people.print(NOTE, soft_wrap=True)
    _show_problems(next(iter(result["presets"].values()))["skipped"])


def _show_first(name: str, report: dict[str, Any]) -> None:
    between = report["intervals"]
    holds = (
        f"interval holds {report['coverage']:.1%} ({_percents(between['coverage'])}), "
        f"width {report['width']:.1f}, {report['width_over_mae'] or 0:.2f} errors; "
        if report["coverage"] is not None
        else ""
    )
    people.print(
        f"[bold]{name}[/]: error {report['mae']:.2f} years ({_years(between['mae'])}), each decade the same "
        f"{report['mae_balanced']:.2f} ({_years(report['mae_balanced_95'])}); {holds}{report['n']} faces",
        markup=True,
        soft_wrap=True,
    )


def _show_preset(name: str, report: dict[str, Any]) -> None:
    title = f"{name} {report['version']}, {report['n']} faces, {report['ms_per_face']:.1f} ms each"
    columns = ("faces", "error", "95 %", "within 5", "bias", "holds", "width", "no\nanswer", "error,\nanswered")
    table = _table(title, "true age, group", *columns, "not\nfound")
    table.add_row("all", *_cells(report))
    balanced = (f"{report['mae_balanced']:.2f}", _span(report["mae_balanced_95"]))
    table.add_row("each decade the same", "", *balanced, end_section=True)
    for decade, figures in report["decades"].items():
        few = "" if figures["enough"] else " (few)"
        table.add_row(f"{decade}-{int(decade) + 9}{few}", *_cells(figures))
    table.add_section()
    for ages, figures in report["pooled"].items():
        table.add_row(f"together {ages}", *_cells(figures))
    for column, values in report["groups"].items():
        table.add_section()
        for value, figures in values.items():
            table.add_row(f"{column} {value}", *_cells(figures))
    people.print(table)
    _show_gaps(report["matched"])
    _show_certainty(report)
    for head, found in report["confusion"].items():
        _show_confusion(head, found)
    if report.get("sweeps", {}).get("n"):
        _show_sweeps(report["sweeps"])


def _cells(figures: dict[str, Any]) -> list[str]:
    answered = figures["mae_answered"]
    return [
        str(figures["n"]),
        f"{figures['mae']:.2f}",
        _span(figures["intervals"]["mae"]),
        f"{figures['within5']:.1%}",
        f"{figures['bias']:+.2f}",
        f"{figures['coverage']:.1%}",
        f"{figures['width']:.1f}",
        f"{figures['abstained']:.1%}",
        "-" if answered is None else f"{answered:.2f}",
        f"{figures['missed']:.1%}",
    ]


def _show_gaps(matched: dict[str, Any]) -> None:
    for column, gap in matched.items():
        worse, better = gap["between"]
        errors = ", ".join(f"{name} {one['mae']:.2f}" for name, one in gap["groups"].items())
        left_out = ", ".join(f"{name} ({count} faces)" for name, count in gap["left_out"].items())
        people.print(
            f"{column} at equal ages: largest gap {gap['largest_gap']:.2f} years ({_years(gap['largest_gap_95'])}), "
            f"{worse} against {better} ({errors}){'; too few: ' + left_out if left_out else ''}",
            markup=False,
            soft_wrap=True,
        )


def _show_certainty(report: dict[str, Any]) -> None:
    if report["risk_coverage"]:
        curve = report["risk_coverage"]["width"]
        points = ", ".join(f"{share:.0%}: {mae:.2f}" for share, mae in zip(curve["shares"], curve["mae"], strict=True))
        ratio = "-" if curve["ratio_80"] is None else f"{curve['ratio_80']:.2f} ({_years(curve['ratio_80_95'])})"
        people.print(f"error of the most certain {points}; 80 % against all: {ratio}", markup=False, soft_wrap=True)
    if report["abstentions"]:
        reasons = ", ".join(f"{reason} {count}" for reason, count in report["abstentions"].items())
        people.print(f"no answer: {reasons}", markup=False, soft_wrap=True)


def _show_confusion(head: str, found: dict[str, Any]) -> None:
    table = _table(
        f"{head}: {found['right']:.1%} right ({_percents(found['right_95'])}), {found['n']} faces",
        "label \\ answer",
        *found["labels"],
    )
    for label, counts in zip(found["labels"], found["table"], strict=True):
        table.add_row(label, *(str(count) for count in counts))
    people.print(table)


def _show_sweeps(sweeps: dict[str, Any]) -> None:
    untouched = sweeps["untouched"]
    title = f"{sweeps['n']} faces, untouched: error {untouched['mae']:.2f}, no answer {untouched['abstained']:.0%}"
    columns = ("error", "against\nuntouched", "95 %", "at first\nsight", "not\nfound", "no\nanswer", "holds")
    table = _table(title, "change", *columns)
    for name, one in sweeps["sweeps"].items():
        table.add_section()
        for level in one["levels"]:
            table.add_row(
                f"{name} {level['level']:g} {one['unit']}".strip(),
                f"{level['mae']:.2f}",
                f"{level['change']:+.2f}",
                _years(level["change_95"], "+"),
                f"{level['first_sight']:.0%}",
                f"{level['missed']:.0%}",
                f"{level['abstained']:.0%}",
                f"{level['coverage']:.0%}",
            )
    people.print(table)


def _show_side_by_side(result: dict[str, Any]) -> None:
    both, everybody = result["side_by_side"], result["presets"] | result.get("rivals", {})
    common = both["found_by_all"]
    title = f"side by side; {common['n']} faces found by all"
    columns = ("error", "95 %", "decades\nthe same", "0-9", "60+", "bias", "not\nfound", "found\nby all")
    table = _table(title, "model", *columns, f"{both['first']}\nminus it", "95 %")
    for name, report in everybody.items():
        against = both["against"].get(name)
        ages = [report["pooled"].get(one) for one in ("0-9", "60+")]
        table.add_row(
            name,
            f"{report['mae']:.2f}",
            _span(report["intervals"]["mae"]),
            f"{report['mae_balanced']:.2f}",
            *("-" if one is None else f"{one['mae']:.2f}" for one in ages),
            f"{report['bias']:+.2f}",
            f"{report['missed']:.1%}",
            f"{common['mae'][name]:.2f}" if common["n"] else "-",
            f"{against['mae_less']:+.2f}" if against else "",
            _years(against["mae_less_95"], "+") if against else "",
        )
    people.print(table)


def _show_problems(skipped: list[dict[str, Any]]) -> None:
    if not skipped:
        return
    people.print(f"[bold]{len(skipped)} rows could not be used:[/]")
    for one in skipped[:SHOWN_PROBLEMS]:
        people.print(
            f"  {one['file']}, line {one['line']}: {one['path']}: {one['reason']}", markup=False, soft_wrap=True
        )
    if len(skipped) > SHOWN_PROBLEMS:
        people.print(f"  and {len(skipped) - SHOWN_PROBLEMS} more; --json lists all")


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="right", overflow="fold")
    return table


def _span(between: list[float]) -> str:
    low, high = between
    return f"{low:.2f}-{high:.2f}"


def _years(between: list[float], sign: str = "") -> str:
    low, high = between
    return f"{low:{sign}.2f} to {high:{sign}.2f}"


def _percents(between: list[float]) -> str:
    low, high = between
    return f"{low:.1%} to {high:.1%}"
