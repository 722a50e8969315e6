"""Upload: placeholder until the edge is there."""

import streamlit as st


def page() -> None:
    """Draw the page."""
    st.title("Upload")
