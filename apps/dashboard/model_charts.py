"""Charts of a preset: its error and its faces by decade of age, its training, and what it was trained on."""

from typing import Any

import altair as alt

from apps.dashboard.history_charts import AMBER, decade_words
from model.preset_figures import Curves, Decades, TrainingData

HEIGHT = 260
BLUE = "#2a8fd8"


def _bars(rows: list[dict[str, Any]], field: str, words: str, colour: str, text: str) -> alt.LayerChart:
    names = [row["age"] for row in rows]
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("age:N", sort=names, title="true age, years", axis=alt.Axis(labelAngle=0, labelOverlap=True)),
        y=alt.Y(f"{field}:Q", title=words),
        tooltip=[alt.Tooltip("age:N"), alt.Tooltip(f"{field}:Q", title=words)],
    )
    labels = base.mark_text(dy=-8, fontSize=11, color="#8a8a8a").encode(text=alt.Text(f"{field}:Q", format=text))
    chart: alt.LayerChart = (base.mark_bar(color=colour, cornerRadiusEnd=3) + labels).properties(height=HEIGHT)
    return chart


def error_by_decade(found: Decades) -> alt.LayerChart:
    """Mean error, years."""
    return _bars(decade_rows(found), "mean error", "mean error, years", AMBER, ".1f")


def faces_by_decade(found: Decades) -> alt.LayerChart:
    """How many faces it was measured on."""
    return _bars(decade_rows(found), "faces", "faces measured", BLUE, ",")


def decade_rows(found: Decades) -> list[dict[str, Any]]:
    """The numbers as a table, youngest first."""
    return [
        {
            "age": decade_words(decade),
            "faces": one.n,
            "mean error": round(one.mae, 1),
            "bias": round(one.bias, 1),
            "within 5 years": f"{one.within5:.0%}",
            "interval holds": f"{one.coverage:.0%}",
            "mean width": round(one.width, 1),
        }
        for decade, one in sorted(found.decades.items())
    ]


def training(found: Curves) -> alt.Chart:
    """The error while it was trained, on faces it saw and on faces it did not."""
    rows = [
        {"epoch": epoch, "faces": faces, "mae": mae}
        for faces, values in (("trained on", found.train_mae), ("never seen", found.validation_mae))
        for epoch, mae in zip(found.epochs, values, strict=True)
    ]
    colour = alt.Color(
        "faces:N", scale=alt.Scale(domain=["trained on", "never seen"], range=[BLUE, AMBER]), legend=_below()
    )
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_line(point=True)
        .encode(
            x=alt.X("epoch:Q", title="epoch (once through all faces)"),
            y=alt.Y("mae:Q", title="mean error, years", scale=alt.Scale(zero=False)),
            color=colour,
            tooltip=[alt.Tooltip("epoch:Q"), alt.Tooltip("faces:N"), alt.Tooltip("mae:Q", format=".2f")],
        )
        .properties(height=HEIGHT)
    )
    return chart


def training_rows(found: Curves) -> list[dict[str, float]]:
    """The curves as a table."""
    return [
        {"epoch": epoch, "error, trained on": train, "error, never seen": validation}
        for epoch, train, validation in zip(found.epochs, found.train_mae, found.validation_mae, strict=True)
    ]


def data_rows(found: TrainingData) -> list[dict[str, Any]]:
    """Faces by data set and decade."""
    return [
        {"data set": name, "age": decade_words(decade), "faces": faces}
        for name, counts in found.sets.items()
        for decade, faces in sorted(counts.items())
    ]


def data(found: TrainingData) -> alt.Chart:
    """Faces it was trained on by decade, stacked by data set."""
    rows = data_rows(found)
    ages = [decade_words(decade) for decade in sorted({decade for counts in found.sets.values() for decade in counts})]
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar()
        .encode(
            x=alt.X("age:N", sort=ages, title="age, years", axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            y=alt.Y("faces:Q", title="faces"),
            color=alt.Color("data set:N", legend=_below()),
            tooltip=["data set:N", "age:N", "faces:Q"],
        )
        .properties(height=HEIGHT)
    )
    return chart


def _below() -> alt.Legend:
    return alt.Legend(orient="bottom", title=None, columns=2)
