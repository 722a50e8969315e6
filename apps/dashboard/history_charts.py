"""The History page's charts: how many were seen, and how old, over time. Each has words for who cannot see it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import altair as alt

from apps.dashboard.history import STEPS, Seen
from sinks.mongo.history import DECADES
from sinks.mongo.minutes import BUCKET_YEARS

HEIGHT, SMALL, LINE = 300, 130, 26
AMBER = "#d98b06"
"""Readable on the light and on the dark ground."""
YEARS = ("#7c3aed", "#4f6bed", "#2a8fd8", "#12a3a0", "#3fae5a", "#a3a51f", "#d98b06", "#e2672d", "#d6456b", "#b23a9a")
"""Ten decades, young to old; those after the last share its colour."""


def decade_words(decade: int) -> str:
    """`30-39`."""
    return f"{decade}-{decade + BUCKET_YEARS - 1}"


def colour_of(decade: int) -> str:
    """The same decade has the same colour in every chart."""
    return YEARS[min(decade // BUCKET_YEARS, len(YEARS) - 1)]


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _time(seen: Seen) -> alt.X:
    """Its labels are in the time zone of who looks. From edge to edge of the span, so that silence is seen too."""
    domain = [_milliseconds(seen.span.since), _milliseconds(seen.span.until)]
    clock = "%H:%M" if seen.span.until - seen.span.since <= timedelta(days=1) else "%a %d %b"
    axis = alt.Axis(title=None, labelOverlap=True, tickCount=6, grid=False, format=clock)
    return alt.X("at:T", axis=axis, scale=alt.Scale(domain=domain))


def ages_over_time(seen: Seen) -> alt.Chart:
    """Faces by decade of age, stacked, a bar for every piece of time."""
    rows: list[dict[str, Any]] = []
    for bucket in seen.buckets:
        low = 0
        at = _milliseconds(bucket.at)
        for decade, count in sorted(bucket.decades.items()):
            rows.append(
                {
                    "at": at,
                    "end": at + seen.step * 1000,
                    "decade": decade_words(decade),
                    "low": low,
                    "high": low + count,
                    "faces": count,
                }
            )
            low += count
    present = sorted(seen.decades())
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar(binSpacing=0)
        .encode(
            x=_time(seen),
            x2="end:T",
            y=alt.Y("low:Q", title=f"faces per {STEPS[seen.step]}"),
            y2="high:Q",
            color=_colour(present),
            tooltip=[
                alt.Tooltip("at:T", title="from", format="%d %b %H:%M"),
                alt.Tooltip("decade:N", title="age"),
                alt.Tooltip("faces:Q"),
            ],
        )
        .properties(height=HEIGHT)
    )
    return chart


def _colour(present: list[int]) -> alt.Color:
    names, colours = [decade_words(decade) for decade in present], [colour_of(decade) for decade in present]
    legend = alt.Legend(orient="bottom", title="age", columns=5)
    return alt.Color("decade:N", sort=names, scale=alt.Scale(domain=names, range=colours), legend=legend)


def ages(decades: Mapping[int, int]) -> alt.Chart:
    """How the ages are spread over the whole time."""
    total = sum(decades.values()) or 1
    last = max((decade for decade, count in decades.items() if count), default=80)
    rows = [
        {"decade": decade_words(decade), "faces": decades.get(decade, 0), "share": decades.get(decade, 0) / total}
        for decade in DECADES
        if decade <= max(last, 80)
    ]
    names = [str(row["decade"]) for row in rows]
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar(cornerRadiusEnd=3)
        .encode(
            x=alt.X("share:Q", title="share of faces with an age", axis=alt.Axis(format="%", tickCount=4)),
            y=alt.Y("decade:N", sort=names, title="age, years"),
            color=alt.Color(
                "decade:N",
                scale=alt.Scale(domain=names, range=[colour_of(DECADES[n]) for n in range(len(names))]),
                legend=None,
            ),
            tooltip=[
                alt.Tooltip("decade:N", title="age"),
                alt.Tooltip("faces:Q"),
                alt.Tooltip("share:Q", format=".1%"),
            ],
        )
        .properties(height=HEIGHT)
    )
    return chart


def counts(seen: Seen, words: str, values: Mapping[datetime, int]) -> alt.Chart:
    """One number over time."""
    rows = [
        {"at": _milliseconds(at), "end": _milliseconds(at) + seen.step * 1000, "zero": 0, "count": count}
        for at, count in values.items()
    ]
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar(color=AMBER, binSpacing=0)
        .encode(
            x=_time(seen),
            x2="end:T",
            y=alt.Y("zero:Q", title=words, axis=alt.Axis(tickCount=3, tickMinStep=1)),
            y2="count:Q",
            tooltip=[alt.Tooltip("at:T", title="from", format="%d %b %H:%M"), alt.Tooltip("count:Q", title=words)],
        )
        .properties(height=SMALL)
    )
    return chart


def lines(seen: Seen) -> alt.Chart:
    """When each stream was there; the stronger, the more pictures, measured by its own best time."""
    rows = [
        {
            "line": name,
            "at": _milliseconds(at),
            "end": _milliseconds(at) + seen.step * 1000,
            "pictures": pictures,
            "share": pictures / max(values.values()),
        }
        for name, values in seen.present.items()
        for at, pictures in values.items()
    ]
    names = list(seen.present)
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar(color=AMBER, height=LINE * 0.6, binSpacing=0)
        .encode(
            x=_time(seen),
            x2="end:T",
            y=alt.Y("line:N", sort=names, title=None, axis=alt.Axis(labelLimit=140, domain=False, ticks=False)),
            opacity=alt.Opacity("share:Q", scale=alt.Scale(domain=[0, 1], range=[0.3, 1]), legend=None),
            tooltip=[
                alt.Tooltip("line:N", title="stream"),
                alt.Tooltip("at:T", title="from", format="%d %b %H:%M"),
                alt.Tooltip("pictures:Q"),
            ],
        )
        .properties(height=LINE * len(names) + 40)
    )
    return chart


def in_words(seen: Seen) -> str:
    """What the charts show, for who hears the page."""
    decades = seen.decades()
    if not decades:
        return "No face with an age in this time."
    total = sum(decades.values())
    most = max(decades, key=lambda decade: decades[decade])
    return (
        f"{total:,} faces with an age in {len(seen.buckets)} pieces of time; "
        f"most are {decade_words(most)} years old: {decades[most] / total:.0%}. The table below has every number."
    )


def as_rows(seen: Seen) -> list[dict[str, Any]]:
    """The charts' numbers as a table."""
    people = seen.people_at()
    present = sorted(seen.decades())
    return [
        {"from": bucket.at, "pictures": bucket.pictures, "faces": bucket.faces, "people": people.get(bucket.at, 0)}
        | {f"{decade_words(decade)} years": bucket.decades.get(decade, 0) for decade in present}
        for bucket in reversed(seen.buckets)
    ]
