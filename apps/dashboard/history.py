"""What the History page shows: the time, streams and kinds asked for, and sums over them. Knows no widgets."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apps.dashboard.choosing import NAMES, visible
from sinks.mongo.history import Bucket, History, Person, Span

ALL = "all"
PHOTOS = "photos"
DATES = "dates"
SPANS: dict[str, tuple[str, timedelta]] = {
    "15m": ("15 minutes", timedelta(minutes=15)),
    "1h": ("1 hour", timedelta(hours=1)),
    "6h": ("6 hours", timedelta(hours=6)),
    "1d": ("1 day", timedelta(days=1)),
    "7d": ("7 days", timedelta(days=7)),
}
"""Value in the address -> words and length. Each ends now."""
KINDS = {ALL: "everything", PHOTOS: "uploaded photos"} | {kind: f"{words}s" for kind, words in NAMES.items()}
"""Value in the address -> words."""
STEPS = {60: "minute", 600: "10 minutes", 3600: "hour", 86_400: "day"}
"""Lengths of a piece of time, seconds, in words."""
MOST_PIECES = 200
MOST_LINES = 12
"""Most streams drawn one by one: those heard of last."""
PHOTO_LINE = "photos"


@dataclass(frozen=True)
class Asked:
    """What somebody wants to see. `length` counts back from now; else `since` and `until` are fixed."""

    streams: tuple[str, ...]
    photos: bool
    length: timedelta | None
    fixed: Span | None = None

    def span(self) -> Span:
        """The time that is meant now."""
        if self.fixed is not None:
            return self.fixed
        now = datetime.now(UTC)
        return Span(now - (self.length or timedelta(hours=1)), now)


def streams_of(origins: Mapping[str, str], own: Collection[str], stream: str, kind: str) -> tuple[str, ...]:
    """The streams this visitor may see and asks for."""
    return tuple(
        name
        for name, origin in origins.items()
        if visible(name, own) and stream in (ALL, name) and kind in (ALL, origin)
    )


def step_of(span: Span) -> int:
    """Seconds of a piece of time, so that there are few enough of them to look at."""
    seconds = (span.until - span.since).total_seconds()
    return next((step for step in STEPS if seconds / step <= MOST_PIECES), max(STEPS))


@dataclass(frozen=True)
class Seen:
    """What was seen in a span, in pieces of `step` seconds."""

    span: Span
    step: int
    buckets: tuple[Bucket, ...]
    photos: int
    people: tuple[Person, ...]
    present: Mapping[str, Mapping[datetime, int]]
    """Pictures of each stream, and of all photos together, by time; at most `MOST_LINES` streams."""

    @property
    def pictures(self) -> int:
        """Pictures answered."""
        return sum(bucket.pictures for bucket in self.buckets)

    @property
    def faces(self) -> int:
        """Faces found."""
        return sum(bucket.faces for bucket in self.buckets)

    def decades(self) -> dict[int, int]:
        """Faces with an age by decade, over the whole span, youngest first."""
        total: Counter[int] = Counter()
        for bucket in self.buckets:
            total.update(bucket.decades)
        return dict(sorted(total.items()))

    def people_at(self) -> dict[datetime, int]:
        """How many people were in view in every piece of time in which there was anybody."""
        found: Counter[datetime] = Counter()
        for person in self.people:
            at = _floor(max(person.first_seen, self.span.since), self.step)
            while at < min(person.last_seen + timedelta(milliseconds=1), self.span.until):
                found[at] += 1
                at += timedelta(seconds=self.step)
        return dict(sorted(found.items()))


def _floor(moment: datetime, step: int) -> datetime:
    return datetime.fromtimestamp(moment.timestamp() // step * step, UTC)


def look(history: History, asked: Asked, most_people: int = 2000) -> Seen:
    """Ask the store.

    Raises:
        RetryableError: the store does not answer.
    """
    span = asked.span()
    step = step_of(span)
    live = history.seen(asked.streams, span, step) if asked.streams else []
    photos = history.photos_seen(span, step) if asked.photos else []
    people = history.people(asked.streams, span, most_people) if asked.streams else []
    present = history.present(asked.streams[:MOST_LINES], span, step) if asked.streams else {}
    lines = {name: present[name] for name in asked.streams if name in present}
    if photos:
        lines[PHOTO_LINE] = {bucket.at: bucket.pictures for bucket in photos}
    return Seen(span, step, merged(live, photos), sum(bucket.pictures for bucket in photos), tuple(people), lines)


def merged(*parts: Sequence[Bucket]) -> tuple[Bucket, ...]:
    """Pieces of the same time become one, oldest first."""
    found: dict[datetime, Bucket] = {}
    for bucket in (bucket for part in parts for bucket in part):
        known = found.get(bucket.at, Bucket(bucket.at))
        decades = Counter(known.decades) + Counter(bucket.decades)
        found[bucket.at] = Bucket(bucket.at, known.pictures + bucket.pictures, known.faces + bucket.faces, decades)
    return tuple(found[at] for at in sorted(found))
