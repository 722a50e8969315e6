"""The script Streamlit runs for every visitor: look, navigation, page.

Everything is behind the guard: Streamlit makes this file the process's `__main__`, and a decoder process that is
started later imports that file again, under another name, where it must do nothing.
"""


def main() -> None:
    """Draw the page the visitor asks for."""
    import streamlit as st

    from apps.dashboard import look
    from apps.dashboard.views import about, history, live, system, upload

    look.dress()
    st.navigation(
        [
            st.Page(live.page, title="Live", icon=":material/visibility:", default=True),
            st.Page(upload.page, title="Upload", icon=":material/add_photo_alternate:", url_path="upload"),
            st.Page(history.page, title="History", icon=":material/history:", url_path="history"),
            st.Page(system.page, title="System", icon=":material/monitor_heart:", url_path="system"),
            st.Page(about.page, title="About", icon=":material/info:", url_path="about"),
        ],
        position="top",
    ).run()


if __name__ == "__main__":
    main()
