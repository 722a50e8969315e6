"""One person or one photo of the history, in full: faces as cards, the answer as JSON."""

from collections.abc import Collection
from dataclasses import dataclass
from html import escape
from typing import Protocol

import msgspec
import streamlit as st

from apps.dashboard import results
from apps.dashboard.choosing import visible
from contracts.answers import Answer
from sinks.mongo.history import History, Person


class One(Protocol):
    """Something that was found and can be drawn."""

    def draw(self) -> None:
        """Draw it."""


def find(history: History, table: str, identity: str, own: Collection[str]) -> One | None:
    """What `identity` names in this table, None when it is not there or not this visitor's to see.

    Raises:
        RetryableError: the store does not answer.
    """
    if table == "photos":
        photo = history.photo(identity)
        return Photo(photo) if photo is not None else None
    person = history.person(identity)
    if person is None or not visible(person.stream, own):
        return None
    return Seen(person, history.newest_of(person))


@dataclass(frozen=True)
class Photo:
    """An answer to an uploaded picture."""

    answer: Answer

    def draw(self) -> None:
        """Its faces and the whole answer."""
        with st.container(border=True):
            frame = self.answer.frame
            st.markdown(
                f"**Photo** of {frame.captured_at:%d %B %Y, %H:%M:%S} UTC, {frame.width} x {frame.height} pixels"
            )
            _faces(self.answer)
            st.caption("The picture itself is not shown here: only who uploaded it sees it, on the Upload page.")
            _json(without_upload(self.answer), self.answer.id)


@dataclass(frozen=True)
class Seen:
    """A person in a stream, and the newest answer that shows them if it is still kept."""

    person: Person
    newest: Answer | None

    def draw(self) -> None:
        """Their age over the whole time, and one answer in full."""
        person = self.person
        with st.container(border=True):
            ended = "still in view" if person.here else f"last seen {person.last_seen:%H:%M:%S} UTC"
            st.markdown(
                f"**Somebody in `{person.stream}`**, first seen {person.first_seen:%d %B %Y, %H:%M:%S} UTC, {ended}, "
                f"in {person.pictures:,} pictures"
            )
            st.html(f'<div class="cards">{_fused(person)}</div>')
            if self.newest is None:
                st.caption("Answers to single pictures are kept for minutes; of this person only the sum is left.")
                _json(msgspec.json.encode(person), person.track)
                return
            at = f"{self.newest.frame.captured_at:%H:%M:%S} UTC"
            st.markdown(f"The newest picture with them, {at}, {self.place(self.newest)}:")
            _faces(self.newest)
            _json(msgspec.json.encode(self.newest), self.newest.id)

    def place(self, answer: Answer) -> str:
        """Which of the cards this person is."""
        tracks = [face.track for face in sorted(answer.faces, key=lambda face: face.box.x)]
        if len(tracks) == 1:
            return "alone"
        return f"number {tracks.index(self.person.track) + 1} of {len(tracks)} from the left"


def _fused(person: Person) -> str:
    if person.years is None or person.low is None or person.high is None:
        return '<div class="card unsure"><b>?</b><span>no age<small>never seen well enough</small></span></div>'
    sure = f"from all pictures: {person.low:.0f} to {person.high:.0f}"
    return f'<div class="card"><b>{person.years:.0f}</b><span>years<small>{escape(sure)}</small></span></div>'


def _faces(answer: Answer) -> None:
    if answer.faces:
        st.html(results.cards(answer))
    else:
        st.caption("No face was found in this picture.")


def without_upload(answer: Answer) -> bytes:
    """The answer without the upload's own id: who has that can ask the gateway for the picture."""
    return msgspec.json.encode(msgspec.structs.replace(answer, stream="upload"))


def _json(body: bytes, name: str) -> None:
    text = msgspec.json.format(body, indent=2)
    with st.expander("The answer as JSON"):
        st.code(text.decode(), language="json", height=320)
        st.download_button(
            "JSON",
            text,
            f"{results.file_stem(name)}.json",
            "application/json",
            key="one-json",
            on_click="ignore",
            icon=":material/download:",
        )
