"""Choices that live in the address bar: a link shows the same view.

Streamlit's own binding writes a choice's label, which changes with what is shown; here the value itself is written.
"""

from collections.abc import Collection

import streamlit as st


def prepare(name: str, options: Collection[str], default: str | None) -> None:
    """Call before the widget whose key is `name`: it begins with what the address says, if that can be chosen."""
    wanted = st.session_state.get(name, st.query_params.get(name))
    st.session_state[name] = wanted if wanted in options else default


def remember(name: str, value: str | None, default: str | None) -> None:
    """Call with the widget's value: the address says it, unless it is the default."""
    if value is None or value == default:
        if name in st.query_params:
            del st.query_params[name]
    elif st.query_params.get(name) != value:
        st.query_params[name] = value
