"""The component that shows a live stream: HTML, CSS and JavaScript of ours, fed by the WebSocket of `push`."""

import streamlit as st

from apps.dashboard.look import asset
from apps.dashboard.serve import live_path
from contracts.settings import Settings

NAME = "mairror_live_picture"
KEY = "live-picture"


def live_picture(settings: Settings, stream: str) -> None:
    """Mount it. The same key on every run: a rerun hands over the stream's name, the picture goes on."""
    show = st.components.v2.component(NAME, html=asset("live.html"), css=asset("live.css"), js=asset("live.js"))
    show(key=KEY, data={"path": f"{live_path(settings)}/{stream}"})
