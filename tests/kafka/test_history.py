"""History: what the store answers about the past, within its limits, and the same rows as files."""

import csv
import io
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from pyarrow import parquet

from apps.tables import MINUTES, PEOPLE, PHOTOS, as_csv, as_parquet, minute_rows, people_rows, photo_rows
from contracts.cloudevents import parse_time
from contracts.errors import RetryableError
from contracts.settings import MongoSettings, Settings
from sinks.mongo.history import History, Span
from sinks.mongo.reading import StoreReader
from sinks.mongo.store import Store
from tests.kafka.keeping import keep, person, photo, seen, speaks
from tests.kafka.serving import check_problem, client_of, start_gateway
from tests.services import Service

MINUTE = timedelta(minutes=1)


def begin() -> datetime:
    """A minute that is over and whose frames are still kept: it is summed up."""
    return datetime.now(UTC).replace(second=0, microsecond=0) - 5 * MINUTE


@pytest.fixture
def history(mongo: MongoSettings) -> Iterator[History]:
    reader = StoreReader(mongo)
    yield reader.history
    reader.close()


def test_what_was_seen_is_summed_by_piece_of_time_in_the_named_streams_only(
    store: Store, mongo: MongoSettings, history: History
) -> None:
    start = begin()
    bodies = [seen("a", start + timedelta(seconds=n), 31.0, 35.0, 72.0) for n in range(3)]
    bodies += [seen("a", start + MINUTE, 8.0, None), seen("b", start, 50.0), seen("webcam-x", start, 20.0)]
    keep(store, mongo, [*bodies, speaks("a"), speaks("b", "file"), speaks("webcam-x", "webcam")])
    span = Span(start, start + 2 * MINUTE)
    first, second = history.seen(["a", "b"], span, 60)
    assert (first.at, first.pictures, first.faces, dict(first.decades)) == (start, 4, 10, {30: 6, 50: 1, 70: 3})
    assert (second.at, second.pictures, second.faces, dict(second.decades)) == (start + MINUTE, 1, 2, {0: 1})
    assert [bucket.at for bucket in history.seen(["a"], Span(start, start + MINUTE), 60)] == [start], (
        "until is excluded"
    )
    assert sum(bucket.pictures for bucket in history.seen(["a", "b"], span, 3600)) == 5
    assert history.seen([], span, 60) == []
    assert history.origins() == {"a": "camera", "b": "file", "webcam-x": "webcam"}


def test_a_long_time_is_answered_in_few_pieces_and_a_question_has_a_limit(
    store: Store, mongo: MongoSettings, history: History
) -> None:
    start = begin()
    keep(store, mongo, [seen("a", start + n * MINUTE, 30.0) for n in range(3)])
    span = Span(start - timedelta(days=7), start + timedelta(hours=1))
    assert len(history.seen(["a"], span, 86_400)) <= 2
    assert [found.minute for found in history.minutes(["a"], span, 2)] == [start + 2 * MINUTE, start + MINUTE]


def test_people_are_those_in_view_in_the_span_and_lead_to_their_newest_answer(
    store: Store, mongo: MongoSettings, history: History
) -> None:
    start = begin()
    early, late = person("a", 1, start - MINUTE, 90), person("a", 2, start + 3 * MINUTE, 10, years=None)
    answers = [seen("a", start + timedelta(seconds=n), 34.0, track=early.track) for n in (0, 5)]
    keep(store, mongo, [early, late, *answers])
    inside = history.people(["a"], Span(start, start + MINUTE))
    assert [found.track for found in inside] == [early.track]
    assert (inside[0].years, inside[0].low, inside[0].high, inside[0].here) == (34.0, 29.0, 40.0, False)
    assert [found.track for found in history.people(["a"], Span(start, start + 9 * MINUTE))] == [
        late.track,
        early.track,
    ]
    newest = history.newest_of(inside[0])
    assert newest is not None
    assert newest.frame.captured_at == start + timedelta(seconds=5)
    found = history.person(late.track)
    assert found is not None
    assert (found.years, history.newest_of(found)) == (None, None), "its single answers are gone"
    assert history.person("a:c-1:1:99") is None


def test_photos_and_their_ages(store: Store, mongo: MongoSettings, history: History) -> None:
    start = begin()
    keep(store, mongo, [photo("1", start, 33.0, 7.0, None), photo("2", start + MINUTE), photo("3", start, 38.5)])
    span = Span(start, start + 2 * MINUTE)
    first, second = history.photos_seen(span, 60)
    assert (first.pictures, first.faces, dict(first.decades)) == (2, 4, {30: 2, 0: 1})
    assert (second.pictures, second.faces, dict(second.decades)) == (1, 0, {})
    assert [found.id for found in history.photos(span, 1)] == ["photo-2"]
    found = history.photo("photo-1")
    assert found is not None
    assert [face.age.years if face.age else None for face in found.faces] == [33.0, 7.0, None]
    assert history.photo("photo-9") is None
    assert history.photo("1") is None, "an upload's own id leads nowhere"


def test_a_photos_row_does_not_hold_the_id_that_opens_the_picture() -> None:
    (row,) = photo_rows([photo("5d589103-secret", begin(), 33.0, None)])
    assert "5d589103-secret" not in str({name: value for name, value in row.items() if name != "answer"})
    assert row["ages"] == "33 (28-39), too small"
    assert set(row) == {column.name for column in PHOTOS}


def test_a_store_that_is_away_is_said_and_nothing_else_happens() -> None:
    reader = StoreReader(MongoSettings(uri="mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200"))
    history, span = reader.history, Span(begin(), begin() + MINUTE)
    asked: list[Callable[[], Any]] = [
        history.origins,
        lambda: history.seen(["a"], span, 60),
        lambda: history.photos_seen(span, 60),
        lambda: history.people(["a"], span),
        lambda: history.dead_letters(span),
    ]
    for ask in asked:
        with pytest.raises(RetryableError, match="the store does not answer"):
            ask()
    reader.close()


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_csv_and_parquet_hold_the_same_and_come_back_as_they_were(
    store: Store, mongo: MongoSettings, history: History
) -> None:
    start = begin()
    keep(store, mongo, [seen("a", start, 31.0, None), seen("a", start + MINUTE), speaks("a"), person("a", 1, start, 9)])
    span, origins = Span(start, start + 9 * MINUTE), history.origins()
    for columns, rows in (
        (MINUTES, minute_rows(history.minutes(["a"], span), origins)),
        (PEOPLE, people_rows(history.people(["a"], span), origins)),
        (PHOTOS, photo_rows(history.photos(span))),
    ):
        table = parquet.read_table(io.BytesIO(as_parquet(columns, rows)))
        assert table.to_pylist() == rows, "values, times and what is missing"
        assert table.schema.names == [column.name for column in columns]
        read = rows_of(as_csv(columns, rows))
        assert len(read) == len(rows)
        for text, row in zip(read, rows, strict=True):
            for column in columns:
                value = row[column.name]
                if value is None:
                    assert text[column.name] == ""
                elif column.kind == "time":
                    assert parse_time(text[column.name]) == value
                else:
                    assert type(value)(text[column.name]) == value
    assert rows_of(as_csv(MINUTES, [])) == [], "no rows: a head line alone"


@pytest.fixture(scope="module")
def gateway(
    environment: dict[str, str], free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    yield from start_gateway(environment, free_port, tmp_path_factory.mktemp("gateway"))


@pytest.fixture
def http(gateway: Service) -> Iterator[httpx2.Client]:
    with client_of(gateway) as client:
        yield client


def test_the_gateway_gives_a_streams_history_as_a_file(settings: Settings, http: httpx2.Client) -> None:
    store, start, stream = Store(settings.mongo), begin(), f"cam-{uuid.uuid4().hex[:8]}"
    store.prepare()
    keep(store, settings.mongo, [seen(stream, start + n * MINUTE, 31.0, 72.0) for n in range(3)])
    keep(store, settings.mongo, [speaks(stream, "file"), person(stream, 1, start, 30)])
    store.close()
    found = http.get(f"/v1/streams/{stream}/export")
    assert (found.status_code, found.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert found.headers["content-disposition"] == f'attachment; filename="{stream}-minutes.csv"'
    rows = rows_of(found.content)
    assert [row["minute"] for row in rows] == [f"{start + n * MINUTE:%Y-%m-%dT%H:%M}:00.000Z" for n in (2, 1, 0)]
    assert {(row["kind"], row["faces"], row["ages_30_39"], row["ages_70_79"]) for row in rows} == {
        ("file", "2", "1", "1")
    }
    packed = http.get(f"/v1/streams/{stream}/export", params={"format": "parquet", "limit": 2})
    assert packed.headers["content-type"] == "application/vnd.apache.parquet"
    table = parquet.read_table(io.BytesIO(packed.content))
    assert table.schema.names == [column.name for column in MINUTES]
    assert table.column("minute").to_pylist() == [start + 2 * MINUTE, start + MINUTE]
    older = parquet.read_table(io.BytesIO(http.get(packed.links["next"]["url"]).content))
    assert older.column("minute").to_pylist() == [start], "the link leads to what was left out"
    people = rows_of(http.get(f"/v1/streams/{stream}/export", params={"table": "people"}).content)
    assert [(row["age"], row["pictures"]) for row in people] == [("34.0", "9")]
    check_problem(http.get(f"/v1/streams/{stream}/export", params={"format": "xlsx"}), 422)
    check_problem(http.get("/v1/streams/No Stream/export"), 422)
