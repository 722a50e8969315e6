"""The script Streamlit runs for every visitor: look, navigation, page."""

import streamlit as st

from apps.dashboard import look
from apps.dashboard.views import about, live, system, upload

look.dress()
st.navigation(
    [
        st.Page(live.page, title="Live", icon=":material/visibility:", default=True),
        st.Page(upload.page, title="Upload", icon=":material/add_photo_alternate:", url_path="upload"),
        st.Page(system.page, title="System", icon=":material/monitor_heart:", url_path="system"),
        st.Page(about.page, title="About", icon=":material/info:", url_path="about"),
    ],
    position="top",
).run()
