"""System: is everything well? Streams and services in plain words."""

from html import escape

import streamlit as st

from apps.dashboard import health
from apps.dashboard.wiring import current
from sinks.live.directory import StreamEntry

REFRESH_SECONDS = 3.0


def page() -> None:
    """Draw the page."""
    st.title("System")
    _state()


@st.fragment(run_every=REFRESH_SECONDS)
def _state() -> None:
    dashboard = current()
    state = health.read_state(dashboard.settings.data)
    online = dashboard.directory.online()
    well, sentence = health.sentence(dashboard.problem(), state, online)
    (st.success if well else st.warning)(sentence)
    st.subheader("Streams")
    _streams(online)
    st.subheader("Services")
    if state is None:
        st.caption("These pages were not started by `mairror up`, so they do not know the other services.")
        return
    st.html("".join(_service(line) for line in health.lines(state)))
    st.caption(f"Data folder: {state.data_mb:,.0f} of at most {state.data_cap_mb:,.0f} MB.")


def _streams(online: list[StreamEntry]) -> None:
    if not online:
        st.caption("None is running.")
        return
    st.dataframe(
        [
            {
                "stream": entry.stream,
                "from": entry.origin,
                "size": f"{entry.width} x {entry.height}",
                "answered a second": round(entry.fps, 1),
                "taken": entry.counts.get("captured"),
                "answered": entry.counts.get("answered"),
                "dropped": sum(entry.counts.get(cause, 0) for cause in ("superseded", "expired", "late", "retention")),
            }
            for entry in online
        ],
        hide_index=True,
        width="stretch",
    )


def _service(line: health.ServiceLine) -> str:
    name, words, detail = escape(line.name), escape(line.words), escape(line.detail)
    return f'<div class="service"><i class="{line.light}"></i><b>{name}</b><span>{words} · {detail}</span></div>'
