"""The History page's tables: minutes, people, photos; taken away as files; one person or photo looked at closely."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from apps import tables as columns_of
from apps.dashboard import addressed, choosing
from apps.dashboard.history import Asked
from apps.dashboard.views import history_one
from apps.dashboard.wiring import current
from apps.tables import MEDIA_TYPES, WRITERS, Column, Row
from contracts.errors import RetryableError
from sinks.mongo.history import MAX_ROWS, Span

TABLE = "table"
ONE = {"people": "person", "photos": "photo"}
"""Table -> the part of the address that names one of its rows."""
SHOWN = 1000
"""Most rows on the page; the files hold all that were read."""
CHOOSABLE = 200
HINT = {"minutes": "", "people": "Choose a person to see more.", "photos": "Choose a photo to see its answer."}


class Table(NamedTuple):
    """Rows of one kind; `identity` is the column that leads to one of them."""

    name: str
    columns: Sequence[Column]
    rows: list[Row]
    identity: str | None
    label: Callable[[Row], str]


@st.fragment
def tables(asked: Asked, origins: Mapping[str, str]) -> None:
    """Draw the choice of a table, the table, and what was chosen in it. Stands still until somebody does something."""
    names = {"minutes": "Minutes", "people": "People", "photos": "Photos"}
    st.subheader("Tables")
    addressed.prepare(TABLE, names, "minutes")
    name = st.segmented_control(
        "Table", list(names), key=TABLE, format_func=names.__getitem__, required=True, label_visibility="collapsed"
    )
    addressed.remember(TABLE, name, "minutes")
    try:
        table = _read(str(name), asked, dict(origins))
        _show(table, asked.span())
        for other in ONE.keys() - {table.name}:
            addressed.remember(ONE[other], None, None)
        if table.identity is not None:
            _choose(table)
    except RetryableError:
        st.warning("The store does not answer. Choose anything here to try again.")


def _read(name: str, asked: Asked, origins: dict[str, str]) -> Table:
    history, span = current().store.history, asked.span()
    if name == "people":
        people = history.people(asked.streams, span) if asked.streams else []
        rows = columns_of.people_rows(people, origins)
        return Table(name, columns_of.PEOPLE, rows, "person", _person)
    if name == "photos":
        rows = columns_of.photo_rows(history.photos(span) if asked.photos else [])
        return Table(name, columns_of.PHOTOS, rows, "answer", _photo)
    minutes = history.minutes(asked.streams, span) if asked.streams else []
    return Table(name, columns_of.MINUTES, columns_of.minute_rows(minutes, origins), None, str)


def _person(row: Row) -> str:
    age = f"about {row['age']:.0f} years" if row["age"] is not None else "no age"
    return f"{row['stream']}, {_clock(row['first_seen'])} to {_clock(row['last_seen'])}, {age}"


def _photo(row: Row) -> str:
    return f"{_clock(row['taken_in'])}, {row['ages'] or 'no face'}"


def _clock(moment: datetime) -> str:
    """`22 Nov 03:37:12` in UTC, as in the tables."""
    return f"{moment:%d %b %H:%M:%S}"


def _show(table: Table, span: Span) -> None:
    if not table.rows:
        st.info("Nothing of this kind in this time.")
        return
    shown = table.rows[:SHOWN]
    draw = partial(
        st.dataframe,
        shown,
        hide_index=True,
        height=min(38 + 35 * len(shown), 320),
        column_order=[
            column.name
            for column in table.columns
            if column.name != table.identity and not column.name.startswith("ages_")
        ],
        column_config={column.name: _described(column) for column in table.columns},
        key=f"rows-{table.name}",
        alt=f"{len(shown)} {table.name}, newest first",
    )
    if table.identity is None:
        draw()
    else:
        draw(on_select=_chosen(table), selection_mode="single-row")
    notes = ["Times are UTC."]
    if table.name == "minutes":
        notes.append("The files also say how many faces were in each decade of age.")
    else:
        notes.append(f"The files also have the id of every {ONE[table.name]}.")
    if len(table.rows) > SHOWN:
        notes.append(f"The newest {SHOWN:,} of {len(table.rows):,} rows; the files hold all of them.")
    if len(table.rows) >= MAX_ROWS:
        notes.append(f"No more than {MAX_ROWS:,} rows are read: choose a shorter time for older ones.")
    st.caption(" ".join([HINT[table.name], *notes]).strip())
    _files(table, span)


def _described(column: Column) -> ColumnConfig:
    label = column.name.replace("_", " ")
    if column.kind == "time":
        return st.column_config.DatetimeColumn(label, help=column.meaning, format="YYYY-MM-DD HH:mm:ss", timezone="UTC")
    if column.kind == "number":
        return st.column_config.NumberColumn(label, help=column.meaning, format="%.1f")
    return st.column_config.Column(label, help=column.meaning)


def _chosen(table: Table) -> Callable[[], None]:
    """Selecting a row chooses it below; the row is one of those that were shown when it was selected."""

    def choose() -> None:
        rows = st.session_state[f"rows-{table.name}"]["selection"]["rows"]
        if table.identity and rows and rows[0] < len(table.rows):
            st.session_state[ONE[table.name]] = table.rows[rows[0]][table.identity]

    return choose


def _files(table: Table, span: Span) -> None:
    stem = f"mairror-{table.name}-{span.since:%Y%m%dT%H%M}-{span.until:%Y%m%dT%H%M}"
    with st.container(horizontal=True):
        for format, words in (("csv", "CSV"), ("parquet", "Parquet")):
            st.download_button(
                words,
                lambda format=format: WRITERS[format](table.columns, table.rows),  # type: ignore[misc]
                f"{stem}.{format}",
                MEDIA_TYPES[format],
                key=f"file-{table.name}-{format}",
                on_click="ignore",
                icon=":material/download:",
                help=f"All {len(table.rows):,} rows as {words}.",
            )


def _choose(table: Table) -> None:
    """One row: chosen here, in the table, or by the address."""
    name, identity = ONE[table.name], str(table.identity)
    known = {str(row[identity]): table.label(row) for row in table.rows[:CHOOSABLE]}
    wanted: str | None = st.session_state.get(name) or st.query_params.get(name)
    own = st.session_state.get(choosing.OWN_STREAMS, ())
    found = history_one.find(current().store.history, table.name, wanted, own) if wanted else None
    if wanted and found is not None:
        known.setdefault(wanted, wanted)
    addressed.prepare(name, known if found is not None else (), None)
    chosen = st.selectbox(
        name.capitalize(),
        list(known),
        index=None,
        key=name,
        format_func=lambda one: known.get(one, one),
        placeholder="none chosen",
    )
    addressed.remember(name, chosen, None)
    if found is not None and chosen is not None:
        found.draw()
    elif wanted and found is None:
        st.info("What this address names is not there: it has expired, or it is not yours to see.")
