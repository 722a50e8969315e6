"""Upload: many pictures at once, answered one by one, with what was refused and why."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from apps.dashboard import look, results
from apps.dashboard.serve import max_file_mb
from apps.dashboard.uploads import Chosen, Outcome, fit
from apps.dashboard.wiring import Dashboard, current
from contracts.settings import Settings
from model.images import encode_jpeg
from producers.sample import public_domain_pictures
from producers.sources import read_picture

PER_PAGE = 12
EXAMPLE_EDGE = 300
BROWSER_FILES = 900
OUTCOMES, ROUND, NOTE = "upload-outcomes", "upload-round", "upload-note"
FORMATS = "JPEG, PNG, WebP or HEIC"
EXAMPLES = {"collins": "Eileen Collins, NASA, public domain", "hopper": "Grace Hopper, U.S. Navy, public domain"}


def page() -> None:
    """Draw the page."""
    dashboard = current()
    st.title("Upload")
    st.markdown("Choose pictures with faces. Each is answered with an age, and how sure the model is of it.")
    chosen = _choose(dashboard) + _examples()
    if chosen:
        _work(dashboard, chosen)
    outcomes: list[Outcome] = st.session_state.get(OUTCOMES, [])
    if outcomes:
        _show(outcomes)
    look.care()


def _choose(dashboard: Dashboard) -> list[Chosen]:
    limit = most_files(dashboard.settings)
    files: list[UploadedFile] = st.file_uploader(
        f"At most {limit} pictures in one go, {max_file_mb(dashboard.settings)} MB each: {FORMATS}",
        accept_multiple_files=True,
        # a new key empties the widget, and so frees the files' memory, once they are answered
        key=f"upload-files-{st.session_state.get(ROUND, 0)}",
    )
    if files:
        st.session_state.pop(NOTE, None)
    if len(files) > limit:
        st.session_state[NOTE] = (
            f"You chose {len(files)} pictures; {limit} go in one go. "
            f"The last {len(files) - limit} were left out: choose them again."
        )
    return [Chosen(file.name, file.getvalue()) for file in files[:limit]]


def most_files(settings: Settings) -> int:
    """Most files of one go: the setting, or what a browser manages (beyond, Streamlit's uploader gives up)."""
    return min(settings.upload.max_files, BROWSER_FILES)


def _examples() -> list[Chosen]:
    st.caption("No picture at hand? Take one of these:")
    pictures = public_domain_pictures()
    with st.container(horizontal=True, gap="medium"):
        return [found for name, words in EXAMPLES.items() if (found := _example(pictures[name], name, words))]


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


def _work(dashboard: Dashboard, chosen: Sequence[Chosen]) -> None:
    outcomes: dict[int, Outcome] = {}
    bar = st.progress(0.0, text=f"0 of {len(chosen)}")
    for number, outcome in dashboard.uploads.run(chosen):
        outcomes[number] = outcome
        bar.progress(len(outcomes) / len(chosen), text=f"{len(outcomes)} of {len(chosen)}: {outcome.name}")
    st.session_state[OUTCOMES] = [outcomes[number] for number in sorted(outcomes)]
    st.session_state[ROUND] = st.session_state.get(ROUND, 0) + 1
    st.rerun()


def _show(outcomes: Sequence[Outcome]) -> None:
    st.subheader(results.summary(outcomes))
    if note := st.session_state.get(NOTE):
        st.warning(note)
    answered = [outcome for outcome in outcomes if outcome.answer is not None]
    unanswered = [outcome for outcome in outcomes if outcome.answer is None]
    if unanswered:
        st.error("  \n".join(results.refusal(outcome) for outcome in unanswered))
    with st.container(horizontal=True):
        if len(answered) > 1:
            st.download_button(
                "Download all",
                lambda: results.as_zip(outcomes),
                "mairror.zip",
                "application/zip",
                on_click="ignore",
                icon=":material/download:",
            )
        st.button("Clear", on_click=_clear, icon=":material/close:")
    pages = -(-len(answered) // PER_PAGE)
    first = (st.pagination(pages, key="upload-page") - 1) * PER_PAGE if pages > 1 else 0
    for number, outcome in enumerate(answered[first : first + PER_PAGE], first):
        _one(number, outcome)


def _clear() -> None:
    for key in (OUTCOMES, NOTE):
        st.session_state.pop(key, None)


def _one(number: int, outcome: Outcome) -> None:
    assert outcome.answer is not None
    stem = results.file_stem(outcome.name)
    with st.container(border=True):
        picture, words = st.columns([2, 3])
        picture.image(outcome.picture, width="stretch", alt=f"{outcome.name}, annotated")
        with words:
            st.markdown(f"**{_plain(outcome.name)}**")
            if outcome.answer.faces:
                st.html(results.cards(outcome.answer))
            else:
                st.info("No face was found in this picture.")
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


def _plain(name: str) -> str:
    """A stranger's file name as text: Markdown's signs mean nothing."""
    return "".join(f"\\{sign}" if sign in r"\`*_{}[]()<>#+-.!|~$:" else sign for sign in name[:120])
