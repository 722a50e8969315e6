"""The ways pictures come in: chosen, dropped, pasted, taken with the camera, or an example.

What is left out (too many, too large) is named afterwards: the uploader itself forgets it.
"""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from apps.dashboard.look import asset
from apps.dashboard.results import as_code
from apps.dashboard.serve import max_file_mb
from apps.dashboard.uploads import Chosen, fit
from contracts.settings import Settings
from model.images import encode_jpeg
from producers.sample import public_domain_pictures
from producers.sources import read_picture

EXAMPLE_EDGE = 300
BROWSER_FILES = 900
NAMED = 8
ROUND, TOO_MANY, CLEARED = "upload-round", "upload-too-many", "upload-cleared"
FORMATS = "JPEG, PNG, WebP or HEIC"
EXAMPLES = {"collins": "Eileen Collins, NASA, public domain", "hopper": "Grace Hopper, U.S. Navy, public domain"}
FILES, CAMERA = ":material/image: Choose pictures", ":material/photo_camera: Take a photo"


def pictures(settings: Settings, *, examples: bool) -> list[Chosen]:
    """Draw the ways in, with `examples` for who has no picture; returns what has just come."""
    way = st.segmented_control(
        "Where the pictures come from",
        [FILES, CAMERA],
        default=FILES,
        required=True,
        key="upload-way",
        label_visibility="collapsed",
    )
    # the camera's widget is not even drawn before: drawing it asks for the camera
    came = _photo() if way == CAMERA else _files(settings)
    return came + (_examples() if examples else [])


def next_round() -> None:
    """Everything was taken: a new key empties the widgets, and so frees the files' memory."""
    st.session_state[ROUND] = st.session_state.get(ROUND, 0) + 1


def left_out() -> str | None:
    """What was chosen beyond the most of one go, and not sent."""
    said: str | None = st.session_state.get(TOO_MANY)
    return said


def forget() -> None:
    """The visitor has read what was left out."""
    st.session_state.pop(TOO_MANY, None)
    st.session_state[CLEARED] = st.session_state.get(CLEARED, 0) + 1


def most_files(settings: Settings) -> int:
    """Most files of one go: the setting, or what a browser manages (beyond, Streamlit's uploader gives up)."""
    return min(settings.upload.max_files, BROWSER_FILES)


def _files(settings: Settings) -> list[Chosen]:
    limit = most_files(settings)
    files: list[UploadedFile] = st.file_uploader(
        f"At most {limit} pictures in one go, {max_file_mb(settings)} MB each: {FORMATS}",
        accept_multiple_files=True,
        key=f"upload-files-{st.session_state.get(ROUND, 0)}",
    )
    _paste(settings)
    if files:
        st.session_state.pop(TOO_MANY, None)
    if len(files) > limit:
        st.session_state[TOO_MANY] = too_many(len(files), limit, [file.name for file in files[limit:]])
    return [Chosen(file.name, file.getvalue()) for file in files[:limit]]


def too_many(chosen: int, limit: int, names: Sequence[str]) -> str:
    """What was left out because it was too much in one go, by name."""
    named = ", ".join(as_code(name) for name in names[:NAMED])
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (
        f"You chose {chosen} pictures; {limit} go in one go. "
        f"The last {len(names)} were left out: {named}{more}. Choose them again."
    )


def _paste(settings: Settings) -> None:
    """Catches pasted pictures and puts them into the uploader above; names what is too large for it."""
    show: Callable[..., Any] = st.components.v2.component(
        "mairror_paste", html=asset("paste.html"), css=asset("paste.css"), js=asset("paste.js")
    )
    data = {"max_mb": max_file_mb(settings), "cleared": st.session_state.get(CLEARED, 0)}
    show(key="upload-paste", data=data)


def _photo() -> list[Chosen]:
    photo = st.camera_input(
        "Your browser asks for the camera now. Only the photo you take is sent.",
        key=f"upload-camera-{st.session_state.get(ROUND, 0)}",
    )
    return [Chosen("photo.jpg", photo.getvalue())] if photo else []


def _examples() -> list[Chosen]:
    st.caption("No picture at hand? Take one of these:")
    found = public_domain_pictures()
    with st.container(horizontal=True, gap="medium"):
        return [picture for name, words in EXAMPLES.items() if (picture := _example(found[name], name, words))]


def _example(path: Path, name: str, words: str) -> Chosen | None:
    with st.container(width=150):
        st.image(_square(path), width=150, alt=words)
        if st.button(words.split(",")[0], key=f"example-{name}", help=words, width=150):
            return Chosen(path.name, path.read_bytes())
    return None


@cache
def _square(path: Path) -> bytes:
    """The upper square of a portrait as a small JPEG, so that the examples stand in one line."""
    picture = read_picture(path)
    edge = min(picture.shape[:2])
    left = (picture.shape[1] - edge) // 2
    return encode_jpeg(fit(picture[:edge, left : left + edge], EXAMPLE_EDGE), 88)
