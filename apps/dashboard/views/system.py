"""System: is everything well? Streams, waiting, speed, drops, disk and services in plain words."""

from html import escape

import altair as alt
import streamlit as st

from apps.dashboard import choosing, health, numbers
from apps.dashboard.health import Facts
from apps.dashboard.history_charts import AMBER
from apps.dashboard.wiring import current
from sinks.live.directory import StreamEntry

REFRESH_SECONDS = 3.0
RECENT_SECONDS = 3600.0
"""Streams that ended longer ago are not listed."""


def page() -> None:
    """Draw the page."""
    st.title("System")
    _state()


@st.fragment(run_every=REFRESH_SECONDS)
def _state() -> None:
    dashboard = current()
    facts = Facts(
        dashboard.problem(),
        health.read_state(dashboard.settings.data),
        dashboard.directory.online(),
        dashboard.lag.now(),
        dashboard.pulse.now(),
    )
    _sentence(facts)
    _numbers(facts)
    st.subheader("Streams")
    _streams(dashboard.directory.entries())
    _speed(facts)
    _left_out(facts)
    st.subheader("Services")
    if facts.state is None:
        st.caption("These pages were not started by “mairror up”, so they do not know the other services.")
        return
    st.html("".join(_service(line) for line in health.lines(facts.state)))
    st.caption(f"Data folder: {facts.state.data_mb:,.0f} of at most {facts.state.data_cap_mb:,.0f} MB.")


def _sentence(facts: Facts) -> None:
    well, words = health.sentence(facts.problem, facts.state, facts.online, facts)
    found = health.findings(facts)
    if well:
        st.success(words, icon=":material/check_circle:")
    else:
        st.warning(f"**{words}** {found[0].remedy}", icon=":material/warning:")
    for finding in found if well else found[1:]:
        st.info(f"{finding.words} {finding.remedy}")


def _numbers(facts: Facts) -> None:
    found = numbers.numbers(facts)
    with st.container(horizontal=True, gap="small"):
        for number in found:
            st.metric(number.name, number.value, help=f"{number.means}\n\n{number.act}", border=True, width=170)
    with st.expander("What these numbers mean, and what to do"):
        st.table([{"number": one.name, "now": one.value, "means": one.means, "what to do": one.act} for one in found])


def _streams(entries: list[StreamEntry]) -> None:
    own = st.session_state.get(choosing.OWN_STREAMS, ())
    recent = [entry for entry in entries if entry.online or entry.seconds_ago < RECENT_SECONDS]
    shown = [entry for entry in recent if choosing.visible(entry.stream, own)]
    if shown:
        st.dataframe(
            [_row(entry) for entry in shown],
            hide_index=True,
            width="stretch",
            alt=f"{len(shown)} streams: where from, size, rate, counts",
        )
    else:
        st.caption("None is running.")
    if hidden := sum(entry.online for entry in recent) - sum(entry.online for entry in shown):
        st.caption(f"And {hidden} webcam{'s' if hidden > 1 else ''} of other visitors, seen by their owners only.")


def _row(entry: StreamEntry) -> dict[str, object]:
    return {
        "stream": entry.stream,
        "state": "online" if entry.online else "offline",
        "from": choosing.NAMES.get(entry.origin, entry.origin),
        "size": f"{entry.width} x {entry.height}",
        "answered a second": round(entry.fps, 1),
        "last heard": "now" if entry.seconds_ago < 15 else f"{entry.seconds_ago / 60:.0f} min ago",
        "taken": entry.counts.get("captured"),
        "answered": entry.counts.get("answered"),
        "dropped": sum(entry.counts.get(cause, 0) for cause in health.DROPS),
    }


def _speed(facts: Facts) -> None:
    st.subheader("Where the time goes")
    rows = numbers.stage_rows(facts)
    if not rows:
        st.caption("No live picture was answered while this page was open.")
        return
    st.altair_chart(_stages(facts), width="stretch", alt=_stages_in_words(facts))
    st.caption("Half of the pictures take less than the dark bar, 95 of 100 less than the light one. Last minute.")
    with st.expander("These times as a table"):
        st.table(rows)


def _stages(facts: Facts) -> alt.Chart:
    rows = [{"stage": one.name.replace("_", " "), "p50": one.p50, "p95": one.p95} for one in facts.pulse.stages]
    names = [str(row["stage"]) for row in rows]
    base = alt.Chart(alt.InlineData(values=rows))
    stage = alt.Y("stage:N", sort=names, title=None, axis=alt.Axis(labelLimit=140, ticks=False, domain=False))
    tips = [
        alt.Tooltip("stage:N"),
        alt.Tooltip("p50:Q", title="half are below, ms", format=".1f"),
        alt.Tooltip("p95:Q", title="95 % are below, ms", format=".1f"),
    ]
    time = alt.X("p95:Q", title="milliseconds a picture", axis=alt.Axis(tickCount=6))
    wide = base.mark_bar(color=AMBER, opacity=0.35, cornerRadiusEnd=3).encode(x=time, y=stage, tooltip=tips)
    narrow = base.mark_bar(color=AMBER, height=8, cornerRadiusEnd=3).encode(x="p50:Q", y=stage, tooltip=tips)
    chart: alt.Chart = (wide + narrow).properties(height=34 * len(rows) + 50)
    return chart


def _stages_in_words(facts: Facts) -> str:
    return "; ".join(f"{one.name.replace('_', ' ')} {one.p50:.1f} ms" for one in facts.pulse.stages)


def _left_out(facts: Facts) -> None:
    st.subheader("What was left out, and why")
    drops, dead = st.columns(2)
    with drops:
        st.markdown("**Dropped on purpose**, since the streams that run began")
        st.table(numbers.dropped_rows(facts))
    with dead:
        st.markdown("**Could not be answered**, last 24 hours")
        rows = numbers.dead_letter_rows(facts)
        if rows:
            st.table(rows)
        elif facts.waiting.dead_letters is None:
            st.caption("Not known: the store has not answered yet.")
        else:
            st.caption("None.")


def _service(line: health.ServiceLine) -> str:
    name, words, detail = escape(line.name), escape(line.words), escape(line.detail)
    return f'<div class="service"><i class="{line.light}"></i><b>{name}</b><span>{words} · {detail}</span></div>'
