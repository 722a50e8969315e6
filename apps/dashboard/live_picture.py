"""The components of the live pages: HTML, CSS and JavaScript of ours, each fed by a WebSocket of `apps.live`."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from apps.dashboard.carrier import START
from apps.dashboard.look import asset
from apps.dashboard.serve import LIVE_PATH, WEBCAM_PATH, socket_path
from apps.dashboard.wiring import Dashboard
from apps.live.webcam_run import WebcamRun

WATCH = "mairror_live_picture"
WATCH_KEY = "live-picture"
WEBCAM = "mairror_webcam"
Renderer = Callable[..., Any]


def _component(name: str, html: str, styles: tuple[str, ...], scripts: tuple[str, ...]) -> Renderer:
    """The scripts are joined: a component has one, and the pages share what draws a face."""
    css, js = ("\n".join(asset(file) for file in files) for files in (styles, scripts))
    found: Renderer = st.components.v2.component(name, html=asset(html), css=css, js=js)
    return found


def live_picture(dashboard: Dashboard, visitor: str, stream: str) -> None:
    """Any stream. The same key on every run: a rerun hands over the stream's name, the picture goes on."""
    show = _component(WATCH, "live.html", ("live.css",), ("faces.js", "live.js"))
    path = f"{socket_path(dashboard.settings, LIVE_PATH)}/{stream}"
    show(key=WATCH_KEY, data={"path": path, "ticket": dashboard.tickets.issue(visitor, "watch", stream)})


def webcam_picture(dashboard: Dashboard, run: WebcamRun, video: dict[str, Any], way: str) -> str | None:
    """The visitor's own camera.

    Args:
        dashboard: of the process.
        run: the visitor's run.
        video: constraints of the camera, as browsers know them.
        way: `auto`, `webrtc` or `websocket`.

    Returns:
        The id of another camera, when the visitor has just chosen one.
    """
    show = _component(
        WEBCAM, "webcam.html", ("live.css", "webcam.css"), ("faces.js", "motion.js", "moment.js", "webcam.js")
    )
    data = {
        "stream": run.stream,
        "path": f"{socket_path(dashboard.settings, WEBCAM_PATH)}/{run.stream}",
        "ticket": dashboard.tickets.issue(run.session, "webcam", run.stream),
        "video": video,
        "way": way,
        "start": START,
    }
    result = show(key=f"webcam-{run.stream}", data=data, on_device_change=lambda: None)
    return result.device if isinstance(result.device, str) else None
