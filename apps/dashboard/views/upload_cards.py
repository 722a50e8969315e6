"""One answered picture: drawn on, a card for each face, what to download, and a word back when an age is wrong."""

import streamlit as st

from apps.dashboard import corrections, privacy, results
from apps.dashboard.uploads import Outcome
from apps.dashboard.wiring import current
from contracts.answers import Answer
from contracts.errors import MairrorError
from contracts.topics import CORRECTIONS

CORRECTED = "upload-corrected"
"""Session state: (answer, face) -> None when the correction is on its topic, else why it is not."""


def answered(number: int, outcome: Outcome) -> None:
    """Draw one picture with its faces; `number` tells it from the others on the page."""
    answer = outcome.answer
    assert answer is not None
    with st.container(border=True):
        picture, words = st.columns([2, 3])
        picture.image(outcome.picture, width="stretch", alt=f"{outcome.name}, annotated")
        with words:
            st.markdown(f"**{results.plain(outcome.name)}**")
            if not answer.faces:
                st.info("No face was found in this picture.")
            with st.container(horizontal=True, gap="small"):
                for place, face in enumerate(results.from_left(answer), 1):
                    with st.container(width=256, key=f"face-card-{number}-{face}"):
                        crop = outcome.faces[face] if face < len(outcome.faces) else b""
                        words_for_it = f"Face {place} of {len(answer.faces)} in {outcome.name}"
                        st.html(results.card(answer.faces[face], crop, words_for_it))
                        _correction(answer, face, words_for_it)
            _downloads(number, outcome)


def _downloads(number: int, outcome: Outcome) -> None:
    stem = results.file_stem(outcome.name)
    with st.container(horizontal=True):
        st.download_button(
            "Picture",
            outcome.picture,
            f"{stem}-ages.jpg",
            "image/jpeg",
            key=f"picture-{number}",
            on_click="ignore",
            icon=":material/download:",
        )
        st.download_button(
            "JSON",
            results.as_json(outcome),
            f"{stem}.json",
            "application/json",
            key=f"json-{number}",
            on_click="ignore",
            icon=":material/download:",
        )


@st.fragment
def _correction(answer: Answer, face: int, words: str) -> None:
    """The form behind `This is wrong`. Runs by itself: the rest of the page stays as it is."""
    told: dict[tuple[str, int], str | None] = st.session_state.setdefault(CORRECTED, {})
    problem = told.get((answer.id, face), "")
    if problem is None:
        st.markdown(":small[:material/check: Thank you. Your correction has arrived.]")
        return
    key = f"{answer.id}-{face}"
    with (
        st.popover("This is wrong", icon=":material/flag:", type="tertiary", key=f"wrong-{key}"),
        st.form(f"correction-{key}", border=False),
    ):
        st.markdown(f"**{results.plain(words)}**")
        st.number_input(
            "How old is this person? Leave it empty if you do not know.",
            min_value=0,
            max_value=corrections.MAX_AGE,
            value=None,
            step=1,
            placeholder="years",
            key=f"true-age-{key}",
        )
        st.text_area("Anything to add? Not needed.", max_chars=corrections.MAX_COMMENT, key=f"comment-{key}")
        st.caption(f"Only what you enter here is sent, no picture. It is kept for {privacy.duration(CORRECTIONS)}.")
        if problem:
            st.error(problem)
        st.form_submit_button("Send", on_click=_send, args=(answer, face, key), key=f"send-{key}")


def _send(answer: Answer, face: int, key: str) -> None:
    """Before the page says thank you the broker has it."""
    told: dict[tuple[str, int], str | None] = st.session_state.setdefault(CORRECTED, {})
    if told.get((answer.id, face), "") is None:
        return
    age, comment = st.session_state.get(f"true-age-{key}"), st.session_state.get(f"comment-{key}") or ""
    try:
        current().corrections.send(answer, face, age, comment)
        told[answer.id, face] = None
    except MairrorError as error:
        told[answer.id, face] = corrections.in_words(error)
