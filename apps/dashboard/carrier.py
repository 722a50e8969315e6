"""Carries a webcam's pictures here over WebRTC: streamlit-webrtc, send only, with a sink that swaps a slot.

The component's own frame is hidden: its preview is none (send only), and camera trouble is told by our picture.
STUN and TURN servers are named in every case: unset, browser and server would both ask a public one.
"""

from typing import Any

import streamlit as st

from apps.live.webcam_run import WebcamRun
from contracts.settings import DashboardSettings

HELD = "carrier-held"
START = "START"
"""Label of the hidden frame's button, which our script presses once (see `pressStart` in static/webcam.js)."""


def ice_configuration(settings: DashboardSettings) -> dict[str, Any]:
    """What browsers and aiortc call `RTCConfiguration`."""
    servers: list[dict[str, Any]] = []
    for url in settings.ice_servers:
        server: dict[str, Any] = {"urls": [url]}
        if url.startswith(("turn:", "turns:")):
            server |= {"username": settings.ice_username, "credential": settings.ice_credential.get_secret_value()}
        servers.append(server)
    return {"iceServers": servers}


def carry(settings: DashboardSettings, run: WebcamRun, video: dict[str, Any]) -> None:
    """Draw it on every run of the page while the run uses WebRTC; never in a fragment: it would be taken away for a
    moment when the component begins the page anew, and its connection with it."""
    # 0.4 s and a good deal of memory: for those who use it
    from streamlit_webrtc import WebRtcMode, webrtc_streamer
    from streamlit_webrtc.sink import VideoSinkTrack

    key = f"carrier-{run.stream}"
    state = st.session_state.setdefault(HELD, {"stream": run.stream})
    if state["stream"] != run.stream:
        state.clear()
        state["stream"] = run.stream
    # one sink a run: streamlit-webrtc pulls every frame through it, on the web server's loop
    sink = state.setdefault("sink", VideoSinkTrack(run.take))
    ice = ice_configuration(settings)
    with st.container(key="carrier"):
        context = webrtc_streamer(
            key=key,
            mode=WebRtcMode.SENDONLY,
            translations={"start": START},
            frontend_rtc_configuration=ice,
            server_rtc_configuration=ice,
            media_stream_constraints={"video": video, "audio": False},
            sink_video_track=sink,
            media_toggle_controls=False,
        )
    # There is no public way to close the connection when the tab has gone; unclosed, its threads stay for 30 s.
    worker = context._get_worker()
    if worker is not None and state.get("worker") is not worker:
        state["worker"] = worker
        run.on_close(worker.stop)


def drop() -> None:
    """Forget what was held for a run that has ended. The component's own entry stays: a last word may come for it."""
    st.session_state.pop(HELD, None)
