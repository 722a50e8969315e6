"""History: who was seen when, and how old; every filter is in the address bar."""

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import streamlit as st

from apps.dashboard import addressed, choosing, history, history_charts, look
from apps.dashboard.history import ALL, DATES, KINDS, PHOTOS, SPANS, Asked, Seen
from apps.dashboard.views import history_tables
from apps.dashboard.wiring import current
from contracts.errors import RetryableError
from sinks.mongo.history import Span

REFRESH_SECONDS = 10.0
"""Minutes are summed up once a minute; faster would draw the same again."""
RETRY_SECONDS = 5.0
SPAN, STREAM, KIND, FROM, TO = "span", "of", "kind", "from", "to"
DEFAULT_SPAN = "1h"


def page() -> None:
    """Draw the page."""
    st.title("History")
    try:
        origins = current().store.history.origins()
    except RetryableError:
        _away(time.monotonic())
        return
    asked = _filters(origins)
    _pictures(asked)
    # the tables stand still: their time is that of this run
    history_tables.tables(replace(asked, fixed=asked.span()), origins)
    look.care()


@st.fragment(run_every=RETRY_SECONDS)
def _away(noticed: float) -> None:
    """Words instead of the page, until the store answers again."""
    st.warning(
        "The history cannot be read: the store is away. Nothing is lost, answers wait in the message broker. "
        "This page goes on by itself when the store is back."
    )
    if time.monotonic() - noticed < RETRY_SECONDS / 2:
        return
    try:
        current().store.history.origins()
    except RetryableError:
        return
    st.rerun()


def _filters(origins: Mapping[str, str]) -> Asked:
    own = st.session_state.get(choosing.OWN_STREAMS, ())
    length, fixed = _time()
    which, what = st.columns(2)
    streams = [ALL, *history.streams_of(origins, own, ALL, ALL)]
    addressed.prepare(STREAM, streams, ALL)
    stream = which.selectbox(
        "Stream", streams, key=STREAM, format_func=lambda name: "all streams and photos" if name == ALL else name
    )
    addressed.remember(STREAM, stream, ALL)
    addressed.prepare(KIND, KINDS, ALL)
    kind = what.selectbox("Kind", list(KINDS), key=KIND, format_func=KINDS.__getitem__)
    addressed.remember(KIND, kind, ALL)
    chosen = history.streams_of(origins, own, stream, kind)
    return Asked(chosen, stream == ALL and kind in (ALL, PHOTOS), length, fixed)


def _time() -> tuple[timedelta | None, Span | None]:
    names = {name: words for name, (words, _) in SPANS.items()} | {DATES: "from … to"}
    addressed.prepare(SPAN, names, DEFAULT_SPAN)
    span = st.segmented_control(
        "Time",
        list(names),
        key=SPAN,
        format_func=names.__getitem__,
        required=True,
        wrap=True,
        help="Back from now, or fixed.",
    )
    addressed.remember(SPAN, span, DEFAULT_SPAN)
    if span != DATES:
        for name in (FROM, TO):
            addressed.remember(name, None, None)
        return SPANS[span or DEFAULT_SPAN][1], None
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    left, right = st.columns(2)
    with left:
        since = _moment("From (UTC)", FROM, now - timedelta(hours=1))
    with right:
        until = _moment("To (UTC)", TO, now)
    if since >= until:
        st.warning("The beginning is not before the end: the hour before the end is shown.")
        since = until - timedelta(hours=1)
    return None, Span(since, until)


def _moment(label: str, name: str, otherwise: datetime) -> datetime:
    """A fixed time, UTC, so that a link means the same everywhere."""
    if name not in st.session_state:
        st.session_state[name] = _parsed(st.query_params.get(name), otherwise)
    found: datetime = st.datetime_input(label, key=name, step=60, format="YYYY-MM-DD", required=True) or otherwise
    st.query_params[name] = f"{found:%Y-%m-%dT%H:%M}"
    return found.replace(tzinfo=UTC)


def _parsed(text: str | None, otherwise: datetime) -> datetime:
    try:
        return datetime.strptime(text or "", "%Y-%m-%dT%H:%M")  # noqa: DTZ007 - the widget has no zone; it is UTC
    except ValueError:
        return otherwise.replace(tzinfo=None)


@st.fragment(run_every=REFRESH_SECONDS)
def _pictures(asked: Asked) -> None:
    """Numbers and charts; they move with the time."""
    try:
        seen = history.look(current().store.history, asked)
    except RetryableError:
        st.warning("The store does not answer. The charts come back by themselves when it does.")
        return
    _numbers(seen, asked)
    if not seen.buckets:
        st.info("Nothing was seen in this time. A minute of a stream appears here about a minute after it is over.")
        return
    over, whole = st.columns([5, 3])
    words = history_charts.in_words(seen)
    with over:
        st.markdown("##### Ages over time")
        st.altair_chart(history_charts.ages_over_time(seen), width="stretch", alt=f"Ages over time. {words}")
    with whole:
        st.markdown("##### Ages altogether")
        st.altair_chart(history_charts.ages(seen.decades()), width="stretch", alt=f"Ages altogether. {words}")
    series = _series(seen)
    for place, (title, values) in zip(st.columns(len(series)), series.items(), strict=True):
        with place:
            st.markdown(f"##### {title}")
            chart = history_charts.counts(seen, f"per {history.STEPS[seen.step]}", values)
            st.altair_chart(
                chart, width="stretch", alt=f"{title} over time; at most {max(values.values(), default=0)}."
            )
    st.markdown("##### When each was there")
    there = ", ".join(seen.present) or "none"
    st.altair_chart(history_charts.lines(seen), width="stretch", alt=f"Streams with pictures in this time: {there}.")
    with st.expander("These charts as a table"):
        st.dataframe(history_charts.as_rows(seen), hide_index=True, alt="The charts' numbers, times in UTC")


def _series(seen: Seen) -> dict[str, dict[datetime, int]]:
    found = {
        "Pictures": {bucket.at: bucket.pictures for bucket in seen.buckets},
        "Faces": {bucket.at: bucket.faces for bucket in seen.buckets},
    }
    people = seen.people_at()
    return found | {"People in view": people} if people else found


def _numbers(seen: Seen, asked: Asked) -> None:
    with st.container(horizontal=True):
        st.metric(
            "Pictures", f"{seen.pictures:,}", help="Pictures answered, of streams and photos together.", width=150
        )
        st.metric(
            "Faces", f"{seen.faces:,}", help="Faces found; somebody who stays is found in every picture.", width=150
        )
        st.metric(
            "People",
            f"{len(seen.people):,}",
            help="People the tracker told apart in streams. Somebody who leaves and comes back counts again.",
            width=150,
        )
        if asked.photos:
            st.metric("Photos", f"{seen.photos:,}", help="Uploaded pictures; their answers are kept a day.", width=150)
