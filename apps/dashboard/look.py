"""The look of every page: title, icon, our few style rules. Colours are the theme that `serve` passes."""

from functools import cache
from pathlib import Path

import streamlit as st

STATIC = Path(__file__).with_name("static")
ICON = STATIC / "icon.svg"
TITLE = "Mairror"
CARE = "An age here is an estimate, never proof. Do not use it to decide whether somebody is an adult."


@cache
def asset(name: str) -> str:
    """Text of a file of ours, read once."""
    return (STATIC / name).read_text(encoding="utf-8")


def dress() -> None:
    """Call first on every run."""
    st.set_page_config(page_title=TITLE, page_icon=str(ICON), layout="wide", initial_sidebar_state="collapsed")
    st.logo(str(ICON), size="large")
    st.html(f"<style>{asset('look.css')}</style>")


def care() -> None:
    """The sentence that stands below every estimate."""
    st.caption(CARE)
