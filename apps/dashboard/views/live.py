"""Live: the newest annotated picture of any running stream, moving without reruns."""

import streamlit as st

from apps.dashboard import choosing, look
from apps.dashboard.live_picture import live_picture
from apps.dashboard.wiring import current

REFRESH_SECONDS = 3.0
PARAMETER = "stream"
CHOICE = "live-stream"


def page() -> None:
    """Draw the page."""
    _watch()
    look.care()


@st.fragment(run_every=REFRESH_SECONDS)
def _watch() -> None:
    """The list of streams is looked at every few seconds; the picture itself is pushed and does not wait for it."""
    dashboard = current()
    entries = dashboard.directory.entries()
    title, choice = st.columns([1, 1], vertical_alignment="center")
    title.title("Live")
    wanted = st.session_state.get(CHOICE) or st.query_params.get(PARAMETER)
    streams = choosing.options(entries, wanted)
    if not streams:
        _nothing(dashboard.problem())
        return
    st.session_state[CHOICE] = wanted if wanted in streams else streams[0]
    stream = choice.selectbox(
        "Stream",
        streams,
        key=CHOICE,
        format_func=lambda name: choosing.label(entries, name),
        label_visibility="collapsed",
    )
    st.query_params[PARAMETER] = stream
    live_picture(dashboard.settings, stream)


def _nothing(problem: str | None) -> None:
    if problem:
        st.warning(f"Nothing can be shown: {problem}. This page goes on by itself when that is mended.")
        return
    st.info("No stream is running. The sample stream starts by itself within seconds; to send your own camera:")
    st.code("mairror replay 0 --stream my-camera --consent yes", language="bash")
