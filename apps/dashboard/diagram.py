"""The life of one picture as a drawing: SVG in the text's own colour, so that it is readable on any ground.

Two layouts of the same stations: side by side, and below each other for a telephone; the style sheet shows one.
"""

from html import escape
from typing import NamedTuple

import streamlit as st

from apps.dashboard.privacy import duration
from contracts.topics import AGES, FRAMES_LIVE, FRAMES_UPLOAD

WIDE_BOX, NARROW_BOX = (176, 158), (340, 136)
GAP = 30
AMBER = "#d98b06"
TITLE = "The life of one picture"
CSS = """
.diagram { color: var(--st-text-color); font-family: var(--st-font); }
.diagram svg { display: block; width: 100%; height: auto; }
.diagram.narrow { display: none; max-width: 24rem; }
@media (max-width: 640px) { .diagram.wide { display: none; } .diagram.narrow { display: block; } }
"""


class Station(NamedTuple):
    """One place a picture or its answer comes through. `kept`: it is written down here for a while."""

    title: str
    lines: tuple[str, ...]
    kept: bool = False


def stations() -> list[Station]:
    """In the order a picture comes through them."""
    return [
        Station("Sources", ("webcam, camera,", "video file, photo", "at most 4 under way")),
        Station(
            "Pictures", ("message broker", f"live: {duration(FRAMES_LIVE)}", f"photos: {duration(FRAMES_UPLOAD)}"), True
        ),
        Station("Processor", ("find faces", "turn them upright", "estimate the age", "follow each person")),
        Station("Answers", ("message broker", "boxes, ages, intervals", f"{duration(AGES)}, no picture"), True),
        Station("Readers", ("these pages", "the store (history)", "your own programs")),
    ]


def show() -> None:
    """Put the drawing on the page. A component of ours: Streamlit takes SVG out of plain HTML."""
    st.components.v2.component("mairror_diagram", html=drawing(), css=CSS)(key="diagram")


def drawing() -> str:
    """Both layouts as HTML."""
    found = stations()
    words = escape("; then ".join(f"{one.title}: {', '.join(one.lines)}" for one in found), quote=True)
    return (
        f'<div class="diagram wide" role="img" aria-label="{TITLE}. {words}">{_wide(found)}</div>'
        f'<div class="diagram narrow" role="img" aria-label="{TITLE}. {words}">{_narrow(found)}</div>'
    )


def _wide(found: list[Station]) -> str:
    width, height = WIDE_BOX
    parts = []
    for number, station in enumerate(found):
        left = 2 + number * (width + GAP)
        parts.append(_box(station, left, 2, width, height))
        if number:
            parts.append(_arrow(left - GAP + 4, 2 + height / 2, left - 5, 2 + height / 2))
    return _svg(len(found) * (width + GAP) - GAP + 4, height + 4, parts)


def _narrow(found: list[Station]) -> str:
    width, height = NARROW_BOX
    parts = []
    for number, station in enumerate(found):
        top = 2 + number * (height + GAP)
        parts.append(_box(station, 2, top, width, height))
        if number:
            parts.append(_arrow(2 + width / 2, top - GAP + 4, 2 + width / 2, top - 5))
    return _svg(width + 4, len(found) * (height + GAP) - GAP + 4, parts)


def _svg(width: float, height: float, parts: list[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="100%" fill="currentColor" font-family="inherit" '
        f'aria-hidden="true">{"".join(parts)}</svg>'
    )


def _box(station: Station, left: float, top: float, width: float, height: float) -> str:
    stroke = f'stroke="{AMBER}" stroke-width="2"' if station.kept else 'stroke="currentColor" stroke-opacity="0.35"'
    dash = ' stroke-dasharray="6 4"' if station.kept else ""
    parts = [
        f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" rx="12" fill="currentColor" '
        f'fill-opacity="0.05" {stroke}{dash}></rect>',
        f'<text x="{left + 16:g}" y="{top + 31:g}" font-size="18" font-weight="700">{escape(station.title)}</text>',
    ]
    step = min(24.0, (height - 46) / len(station.lines))
    for number, line in enumerate(station.lines, 1):
        parts.append(f'<text x="{left + 16:g}" y="{top + 36 + number * step:g}" font-size="15">{escape(line)}</text>')
    return "".join(parts)


def _arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    head = (
        f"M{x2:g} {y2:g}l-7 -5v10z" if y1 == y2 else f"M{x2:g} {y2:g}l-5 -7h10z"
    )  # a filled triangle: markers need ids, and two drawings would share them
    return (
        f'<path d="M{x1:g} {y1:g}L{x2 - (4 if y1 == y2 else 0):g} {y2 - (0 if y1 == y2 else 4):g}" '
        f'stroke="{AMBER}" stroke-width="2.5" fill="none"></path><path d="{head}" fill="{AMBER}"></path>'
    )
