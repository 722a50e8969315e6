"""Upload: many pictures at once, answered one by one, with what was refused and why."""

from collections.abc import Sequence

import streamlit as st

from apps.dashboard import look, results
from apps.dashboard.uploads import Chosen, Outcome
from apps.dashboard.views import upload_cards, upload_intake
from apps.dashboard.wiring import Dashboard, current

PER_PAGE = 12
OUTCOMES = "upload-outcomes"


def page() -> None:
    """Draw the page."""
    dashboard = current()
    st.html(f"<style>{look.asset('upload.css')}</style>")
    st.title("Upload")
    st.markdown("Choose pictures with faces. Each is answered with an age, and how sure the model is of it.")
    outcomes: list[Outcome] = st.session_state.get(OUTCOMES, [])
    chosen = upload_intake.pictures(dashboard.settings, examples=not outcomes)
    if chosen:
        _work(dashboard, chosen)
    if outcomes:
        _show(outcomes)
    look.care()


def _work(dashboard: Dashboard, chosen: Sequence[Chosen]) -> None:
    outcomes: dict[int, Outcome] = {}
    bar = st.progress(0.0, text=f"0 of {len(chosen)}")
    for number, outcome in dashboard.uploads.run(chosen):
        outcomes[number] = outcome
        bar.progress(len(outcomes) / len(chosen), text=f"{len(outcomes)} of {len(chosen)}: {outcome.name}")
    st.session_state[OUTCOMES] = [outcomes[number] for number in sorted(outcomes)]
    upload_intake.next_round()
    st.rerun()


def _show(outcomes: Sequence[Outcome]) -> None:
    st.subheader(results.summary(outcomes))
    if left_out := upload_intake.left_out():
        st.warning(left_out)
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
        upload_cards.answered(number, outcome)


def _clear() -> None:
    st.session_state.pop(OUTCOMES, None)
    upload_intake.forget()
