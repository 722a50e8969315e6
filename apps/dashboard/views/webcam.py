"""The visitor's own webcam on the Live page: consent, start, the picture with its overlay, stop."""

import secrets
import uuid
from typing import Any

import streamlit as st

from apps.dashboard import carrier
from apps.dashboard.choosing import OWN_STREAMS
from apps.dashboard.live_picture import webcam_picture
from apps.dashboard.privacy import duration
from apps.dashboard.wiring import Dashboard, current
from apps.live.webcam_run import WebcamRun
from contracts.errors import MairrorError
from contracts.topics import FRAMES_LIVE

VISITOR, CONSENT, RUN, WAY, DEVICE, NOTE = (
    "visitor", "webcam-consent", "webcam-run", "webcam-way", "webcam-device", "webcam-note",
)  # fmt: skip
VIDEO = {"width": {"ideal": 640}, "height": {"ideal": 480}, "frameRate": {"ideal": 30}}
WAYS = {
    "auto": "Automatic (WebRTC, else WebSocket)",
    "webrtc": "WebRTC only",
    "websocket": "WebSocket (where WebRTC is blocked)",
}
TICKET_SECONDS = 3.0


def visitor() -> str:
    """An id of this visitor's session, known to this process and nobody else."""
    found: str = st.session_state.setdefault(VISITOR, secrets.token_hex(16))
    return found


def running(dashboard: Dashboard) -> WebcamRun | None:
    """The visitor's run, while it runs. One that ended by itself leaves a note."""
    run: WebcamRun | None = st.session_state.get(RUN)
    if run is not None and run.ended is not None:
        st.session_state[NOTE] = run.ended
        _forget()
        return None
    return run


def _forget() -> None:
    st.session_state.pop(RUN, None)
    carrier.drop()


def offer(dashboard: Dashboard) -> None:
    """The button that begins; the first time it asks for consent."""
    if not dashboard.settings.dashboard.webcams:
        return
    if st.button("Use my webcam", type="primary", icon=":material/videocam:", width="stretch"):
        st.session_state.pop(NOTE, None)
        if CONSENT in st.session_state:
            _start(dashboard)
        else:
            _ask()


def note() -> None:
    """Why the last run ended, or did not start."""
    if text := st.session_state.get(NOTE):
        st.warning(f"{text} Press “Use my webcam” to start again.", icon=":material/videocam_off:")


@st.dialog("Use my webcam")
def _ask() -> None:
    kept = duration(FRAMES_LIVE)
    st.markdown(
        f"""
While it runs, **your camera's pictures are sent to this server**, which looks for faces and estimates their ages.

- Pictures are deleted after {kept}. Estimates are kept with the history, without pictures.
- Other visitors of these pages do not see your stream.
- It ends when you press Stop, leave this page or close the tab.

Let nobody be filmed who does not want to be.
"""
    )
    with st.expander("Connection"):
        st.radio("How pictures travel", list(WAYS), key=WAY, format_func=WAYS.__getitem__)
    if st.button("I agree, start", type="primary", icon=":material/play_arrow:"):
        st.session_state[CONSENT] = f"webcam-{uuid.uuid4()}"
        _start(current())


def _start(dashboard: Dashboard) -> None:
    with st.spinner("Starting"):
        try:
            run = dashboard.webcams.start(visitor(), st.session_state[CONSENT])
        except MairrorError as problem:
            st.session_state[NOTE] = f"The webcam was not started: {problem}."
            st.rerun()
    st.session_state[RUN] = run
    # widgets of the dialog are gone on the next run, and their state with them: kept under a name of our own
    st.session_state[f"{WAY}-kept"] = st.session_state.get(WAY, st.session_state.get(f"{WAY}-kept", "auto"))
    st.session_state.setdefault(OWN_STREAMS, []).append(run.stream)
    st.rerun()


def _stop() -> None:
    run: WebcamRun | None = st.session_state.get(RUN)
    if run is not None:
        current().webcams.end(run, "You stopped it.")
    _forget()


def show(dashboard: Dashboard, run: WebcamRun) -> None:
    """The running webcam."""
    title, button = st.columns([3, 1], vertical_alignment="center")
    title.title("Live")
    button.button("Stop", on_click=_stop, icon=":material/stop_circle:", width="stretch")
    _picture(run, _way(), run.transport)
    st.caption(
        "Boxes are drawn in your browser over your camera's own picture, so the picture is never late; the estimate "
        "in a box is a moment old. Nobody else sees this stream."
    )


def carry(dashboard: Dashboard, run: WebcamRun) -> None:
    """Last on the page: streamlit-webrtc begins the page anew while it connects, and what comes after is not drawn."""
    if _way() != "websocket" and run.transport != "websocket":
        carrier.carry(dashboard.settings.dashboard, run, video())


def _way() -> str:
    found: str = st.session_state.get(f"{WAY}-kept", "auto")
    return found


def video() -> dict[str, Any]:
    """Constraints of the camera; the one the visitor chose, if any."""
    device = st.session_state.get(DEVICE)
    return VIDEO | ({"deviceId": {"exact": device}} if device else {})


@st.fragment(run_every=TICKET_SECONDS)
def _picture(run: WebcamRun, way: str, transport: str) -> None:
    """Hands over fresh tickets, and draws the page again when the run ended or no longer needs WebRTC."""
    device = webcam_picture(current(), run, video(), way)
    if device is not None and device != st.session_state.get(DEVICE):
        st.session_state[DEVICE] = device
        current().webcams.end(run, "Another camera was chosen.")
        _forget()
        _start(current())
    if run.ended is not None or (run.transport == "websocket") != (transport == "websocket"):
        st.rerun()
