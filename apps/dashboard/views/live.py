"""Live: the visitor's own webcam, or the newest annotated picture of any running stream, moving without reruns."""

import streamlit as st

from apps.dashboard import choosing, look
from apps.dashboard.live_picture import live_picture
from apps.dashboard.views import webcam
from apps.dashboard.wiring import current

REFRESH_SECONDS = 3.0
PARAMETER = "stream"
CHOICE = "live-stream"


def page() -> None:
    """Draw the page."""
    dashboard = current()
    run = webcam.running(dashboard)
    if run is not None:
        webcam.show(dashboard, run)
    else:
        title, button = st.columns([3, 1], vertical_alignment="center")
        title.title("Live")
        with button:
            webcam.offer(dashboard)
        webcam.note()
        _watch()
    look.care()
    if run is not None:
        webcam.carry(dashboard, run)


@st.fragment(run_every=REFRESH_SECONDS)
def _watch() -> None:
    """The list of streams is looked at every few seconds; the picture itself is pushed and does not wait for it."""
    dashboard = current()
    own = st.session_state.get(choosing.OWN_STREAMS, [])
    entries = [entry for entry in dashboard.directory.entries() if choosing.visible(entry.stream, own)]
    wanted = st.session_state.get(CHOICE) or st.query_params.get(PARAMETER)
    streams = choosing.options(entries, wanted)
    if not streams:
        _nothing(dashboard.problem())
        return
    st.session_state[CHOICE] = wanted if wanted in streams else streams[0]
    stream = st.selectbox(
        "Stream", streams, key=CHOICE, format_func=lambda name: choosing.label(entries, name), width=420
    )
    st.query_params[PARAMETER] = stream
    live_picture(dashboard, webcam.visitor(), stream)


def _nothing(problem: str | None) -> None:
    if problem:
        st.warning(f"Nothing can be shown: {problem}. This page goes on by itself when that is mended.")
        return
    st.info("No stream is running. The sample stream starts by itself within seconds; to send your own camera:")
    st.code("mairror replay 0 --stream my-camera --consent yes", language="bash")
