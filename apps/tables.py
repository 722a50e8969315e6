"""The tables people take away from the history: their columns, and the same rows as CSV and as Parquet.

One source for the dashboard's History page and the gateway's export, so that both give the same columns. Times are
UTC. pyarrow is loaded when a Parquet file is made, not before.
"""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from apps.annotation import REASONS
from contracts.answers import Answer, Face
from contracts.cloudevents import rfc3339
from sinks.mongo.history import DECADES, Person, StreamMinute
from sinks.mongo.minutes import BUCKET_YEARS

Kind = Literal["text", "whole", "number", "time"]
Row = dict[str, Any]
MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}


class Column(NamedTuple):
    """One column: its name, what its values are, what it means."""

    name: str
    kind: Kind
    meaning: str


def decade_column(decade: int) -> str:
    """`ages_30_39`."""
    return f"ages_{decade}_{decade + BUCKET_YEARS - 1}"


MINUTES = (
    Column("stream", "text", "the stream"),
    Column("kind", "text", "where its pictures come from"),
    Column("minute", "time", "beginning of the minute, UTC"),
    Column("pictures", "whole", "pictures answered"),
    Column("faces", "whole", "faces found in them, the same person counted again in every picture"),
    Column("without_age", "whole", "faces without an age: too small, blurred, turned away, or unsure"),
    Column("people", "whole", "different people the tracker saw"),
    Column("median_age", "number", "half of the ages are lower, years"),
    Column("median_latency_ms", "number", "half of the answers came sooner after the picture was taken, milliseconds"),
    *(
        Column(decade_column(decade), "whole", f"faces guessed {decade} to {decade + BUCKET_YEARS - 1} years old")
        for decade in DECADES
    ),
)
"""One row a stream and minute."""

PEOPLE = (
    Column("person", "text", "number of the person in its stream; it starts anew when the stream does"),
    Column("stream", "text", "the stream"),
    Column("kind", "text", "where its pictures come from"),
    Column("first_seen", "time", "UTC"),
    Column("last_seen", "time", "UTC"),
    Column("pictures", "whole", "pictures the person was seen in"),
    Column("age", "number", "estimate from all these pictures, years"),
    Column("low", "number", "lower end of the interval, years"),
    Column("high", "number", "upper end of the interval, years"),
    Column("model", "text", "the age model"),
)
"""One row a person in a stream."""

PHOTOS = (
    Column("answer", "text", "id of the answer"),
    Column("taken_in", "time", "when the picture came in, UTC"),
    Column("width", "whole", "pixels"),
    Column("height", "whole", "pixels"),
    Column("faces", "whole", "faces found"),
    Column("ages", "text", "age of every face from left to right, or why there is none"),
    Column("model", "text", "the age model"),
)
"""One row an uploaded picture."""


def minute_rows(minutes: Iterable[StreamMinute], origins: dict[str, str]) -> list[Row]:
    """Rows of `MINUTES`."""
    return [
        {
            "stream": found.stream,
            "kind": origins.get(found.stream, ""),
            "minute": found.minute,
            "pictures": found.pictures,
            "faces": found.faces,
            "without_age": found.no_age,
            "people": found.people,
            "median_age": found.median_age,
            "median_latency_ms": found.median_latency_ms,
            **{decade_column(decade): found.decades.get(decade, 0) for decade in DECADES},
        }
        for found in minutes
    ]


def people_rows(people: Iterable[Person], origins: dict[str, str]) -> list[Row]:
    """Rows of `PEOPLE`."""
    return [
        {
            "person": found.track,
            "stream": found.stream,
            "kind": origins.get(found.stream, ""),
            "first_seen": found.first_seen,
            "last_seen": found.last_seen,
            "pictures": found.pictures,
            "age": found.years,
            "low": found.low,
            "high": found.high,
            "model": found.preset,
        }
        for found in people
    ]


def photo_rows(answers: Iterable[Answer]) -> list[Row]:
    """Rows of `PHOTOS`. The upload's id is left out: who has it can ask the gateway for the picture."""
    return [
        {
            "answer": found.id,
            "taken_in": found.frame.captured_at,
            "width": found.frame.width,
            "height": found.frame.height,
            "faces": len(found.faces),
            "ages": ", ".join(_age(face) for face in sorted(found.faces, key=lambda face: face.box.x)),
            "model": f"{found.model.preset} {found.model.version}",
        }
        for found in answers
    ]


def _age(face: Face) -> str:
    if face.age is not None:
        return f"{face.age.years:.0f} ({face.age.low:.0f}-{face.age.high:.0f})"
    return REASONS[face.abstained.reason] if face.abstained else "no age"


def as_csv(columns: Sequence[Column], rows: Iterable[Row]) -> bytes:
    """UTF-8, a head line, RFC 3339 times; an empty field where there is no value."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([column.name for column in columns])
    for row in rows:
        writer.writerow([_text(row[column.name]) for column in columns])
    return buffer.getvalue().encode()


def _text(value: object) -> object:
    return rfc3339(value.astimezone(UTC)) if isinstance(value, datetime) else value


def as_parquet(columns: Sequence[Column], rows: Sequence[Row]) -> bytes:
    """The same with types, each column with its meaning; times are UTC with milliseconds."""
    import pyarrow
    from pyarrow import parquet

    types = {
        "text": pyarrow.string(),
        "whole": pyarrow.int64(),
        "number": pyarrow.float64(),
        "time": pyarrow.timestamp("ms", "UTC"),
    }
    fields = [
        pyarrow.field(column.name, types[column.kind], metadata={"description": column.meaning}) for column in columns
    ]
    table = pyarrow.Table.from_pylist(list(rows), schema=pyarrow.schema(fields))
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    return buffer.getvalue()


WRITERS: dict[str, Callable[[Sequence[Column], Sequence[Row]], bytes]] = {"csv": as_csv, "parquet": as_parquet}
"""Format -> what makes the file."""
