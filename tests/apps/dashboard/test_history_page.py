"""The History page: what it shows, what its address says, who sees whom, what it says when the store is away."""

import io
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyarrow import parquet
from streamlit.testing.v1 import AppTest

from apps.dashboard import history
from apps.dashboard.choosing import OWN_STREAMS
from apps.dashboard.history import Asked, Seen, merged, step_of
from apps.dashboard.history_charts import ages, ages_over_time, as_rows, in_words
from apps.dashboard.views import history as page
from apps.dashboard.views import history_tables, live, system
from apps.dashboard.wiring import Dashboard
from apps.tables import WRITERS
from contracts.settings import MongoSettings
from sinks.mongo.history import Bucket, Person, Span
from sinks.mongo.reading import StoreReader
from sinks.mongo.store import Store
from tests.kafka.keeping import keep, person, photo, seen, speaks

MINUTE = timedelta(minutes=1)
SCRIPT = "from apps.dashboard.views import history\nhistory.page()\n"


def begin() -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0) - 5 * MINUTE


@pytest.fixture
def mongo(mongo_uri: str) -> MongoSettings:
    return MongoSettings(uri=mongo_uri, database=f"t{uuid.uuid4().hex[:10]}")


@pytest.fixture
def stored(mongo: MongoSettings, dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store of this test alone, which the page reads. In it: a camera, somebody's webcam, and a photo."""
    store, reader, start = Store(mongo), StoreReader(mongo), begin()
    store.prepare()
    monkeypatch.setattr(dashboard, "store", reader)
    keep(store, mongo, [speaks("cam-a"), speaks("webcam-mine", "webcam"), person("webcam-mine", 7, start, 60, 23.0)])
    keep(store, mongo, [seen("cam-a", start + timedelta(seconds=n), 31.0, 72.0, track="cam-a:c-1:1:4") for n in (0, 9)])
    keep(store, mongo, [person("cam-a", 4, start, 20), seen("webcam-mine", start, 23.0)])
    keep(store, mongo, [photo("5d589103-secret", start, 55.0, None)])
    yield store
    reader.close()
    store.close()


def opened(own: list[str] | None = None, **address: str) -> AppTest:
    app = AppTest.from_string(SCRIPT, default_timeout=60)
    app.query_params.update(address)
    if own is not None:
        app.session_state[OWN_STREAMS] = own
    return again(app)


def again(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception, app.exception
    return app


def words(app: AppTest) -> str:
    kinds = (app.title, app.subheader, app.markdown, app.caption, app.info, app.warning)
    found = [element.value for kind in kinds for element in kind]
    return "\n".join([*found, *(str(element.proto.body) for element in app.get("html"))])


def drawn(chart: Any) -> list[dict[str, Any]]:
    """The rows of a chart."""
    (rows,) = chart.to_dict()["datasets"].values()
    return list(rows)


def numbers(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def test_everything_of_the_last_hour_is_shown_and_charts_have_words(stored: Store) -> None:
    app = opened()
    assert numbers(app) == {"Pictures": "3", "Faces": "6", "People": "1", "Photos": "1"}
    charts = app.get("vega_lite_chart") or app.get("arrow_vega_lite_chart")
    assert len(charts) == 6
    assert all(chart.proto.alt for chart in charts), "who cannot see a chart hears it"
    table = app.dataframe[0].value
    assert (table["pictures"].sum(), table["30-39 years"].sum(), table["70-79 years"].sum()) == (3, 2, 2)
    assert app.dataframe[1].value["stream"].tolist() == ["cam-a"]
    assert dict(app.query_params) == {}, "what is the default is not in the address"


def test_a_link_shows_the_same_view_and_every_choice_is_in_the_address(stored: Store) -> None:
    app = opened(span="15m", of="cam-a", kind="camera", table="people")
    assert [box.value for box in app.selectbox][:2] == ["cam-a", "camera"]
    assert numbers(app) == {"Pictures": "2", "Faces": "4", "People": "1"}
    assert app.dataframe[1].value["pictures"].tolist() == [9]
    app.selectbox(key="kind").select("photos")
    again(app)
    assert app.query_params["kind"] == "photos"
    assert "Nothing was seen in this time" in words(app), "a stream has no photos"
    app.selectbox(key="of").select("all")
    again(app)
    assert "of" not in app.query_params
    assert numbers(app)["Photos"] == "1"
    assert app.query_params["span"] == "15m"
    assert app.query_params["table"] == "people"


def test_an_address_that_makes_no_sense_shows_the_default(stored: Store) -> None:
    app = opened(span="<script>", of="nobody", kind="x", table="y", person="z")
    assert numbers(app)["Pictures"] == "3"
    assert dict(app.query_params) in ({}, {"person": "z"})


def test_a_fixed_time_is_in_the_address_in_utc(stored: Store) -> None:
    start = begin()
    link = {"span": "dates", "from": f"{start:%Y-%m-%dT%H:%M}", "to": f"{start + MINUTE:%Y-%m-%dT%H:%M}"}
    app = opened(**link)
    assert numbers(app)["Pictures"] == "3"
    assert dict(app.query_params) == link
    app = opened(**(link | {"to": link["from"], "from": f"{start - 9 * MINUTE:%Y-%m-%dT%H:%M}"}))
    assert numbers(app)["Pictures"] == "0"
    assert "beginning is not before the end" in words(opened(**(link | {"to": link["from"]})))


def test_a_webcam_is_in_the_history_of_its_owner_only(stored: Store) -> None:
    track = "webcam-mine:c-1:1:7"
    for address in ({}, {"of": "webcam-mine"}, {"kind": "webcam"}, {"table": "people", "person": track}):
        app = opened(**address)
        shown = words(app) + str([frame.value for frame in app.dataframe]) + str([box.options for box in app.selectbox])
        assert "webcam-mine" not in shown, address
        assert numbers(app)["Pictures"] in ("0", "3")
    assert "not yours to see" in words(opened(table="people", person=track))
    mine = opened(own=["webcam-mine"], of="webcam-mine", table="people", person=track)
    assert numbers(mine) == {"Pictures": "1", "Faces": "1", "People": "1"}
    assert "Somebody in `webcam-mine`" in words(mine)


def test_a_person_leads_to_the_sum_and_to_the_newest_answer_in_full(stored: Store) -> None:
    app = opened(table="people", person="cam-a:c-1:1:4")
    shown = words(app)
    assert "Somebody in `cam-a`" in shown
    assert "from all pictures: 29 to 40" in shown
    assert "number 1 of 2 from the left" in shown
    assert "80 % sure" in shown, "faces of the newest picture as cards"
    assert '"captured_at"' in app.code[0].value
    assert app.query_params["person"] == "cam-a:c-1:1:4"
    stored.database["frames"].delete_many({})
    again(app)
    assert "of this person only the sum is left" in words(app)


def test_a_photo_leads_to_its_answer_and_not_to_its_picture(stored: Store) -> None:
    app = opened(table="photos", photo="photo-5d589103-secret")
    shown = words(app)
    assert "80 % sure: 50 to 61" in shown
    assert "face 18 px, needs 28" in shown
    assert "upload/" not in app.code[0].value
    assert '"stream": "upload"' in app.code[0].value
    app.selectbox(key="photo").set_value(None)
    again(app)
    assert "photo" not in app.query_params
    assert not app.code


def test_the_filtered_table_is_what_is_taken_away(stored: Store) -> None:
    app = opened(of="cam-a")
    assert [button.proto.label for button in app.get("download_button")] == ["CSV", "Parquet"]
    table = history_tables._read("minutes", Asked(("cam-a",), False, timedelta(hours=1)), {"cam-a": "camera"})
    found = parquet.read_table(io.BytesIO(WRITERS["parquet"](table.columns, table.rows))).to_pylist()
    assert found == table.rows
    assert [(row["stream"], row["pictures"]) for row in found] == [("cam-a", 2)]


def test_a_store_that_is_away_is_said_in_plain_words_and_the_page_comes_back(
    stored: Store, dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = StoreReader(MongoSettings(uri="mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200"))
    with monkeypatch.context() as patch:
        patch.setattr(dashboard, "store", away)
        app = opened(of="cam-a", table="people")
        assert "the store is away" in words(app)
        assert not app.metric
        assert app.query_params["of"] == "cam-a", "the address is kept for when it is back"
    again(app)
    assert numbers(app)["Pictures"] == "2"
    with monkeypatch.context() as patch:
        patch.setattr(dashboard.store.history, "seen", away.history.seen)
        assert "The store does not answer" in words(again(app))
    away.close()


def test_charts_are_drawn_no_faster_than_every_two_seconds() -> None:
    assert min(page.REFRESH_SECONDS, page.RETRY_SECONDS, system.REFRESH_SECONDS, live.REFRESH_SECONDS) >= 2


def test_pieces_of_time_are_few_and_sums_add_up() -> None:
    end = datetime(2026, 1, 2, tzinfo=UTC)
    for length, step in ((15, 60), (60, 60), (360, 600), (1440, 600), (10_080, 3600), (300_000, 86_400)):
        assert step_of(Span(end - timedelta(minutes=length), end)) == step
    one, two = Bucket(end, 2, 3, {30: 2}), Bucket(end, 1, 1, {30: 1, 0: 1})
    assert merged([one], [two], [Bucket(end - MINUTE)]) == (Bucket(end - MINUTE), Bucket(end, 3, 4, {30: 3, 0: 1}))


def test_people_count_in_every_piece_of_time_they_were_in_view() -> None:
    end = datetime(2026, 1, 2, tzinfo=UTC)
    span = Span(end - 10 * MINUTE, end)

    def somebody(first: float, last: float) -> Person:
        times = (end - first * MINUTE, end - last * MINUTE)
        return Person("t", "s", *times, 1, None, None, None, "cydral", False)

    found = Seen(span, 60, (), 0, (somebody(99, 8.5), somebody(9.5, 9.2), somebody(1, 0)), {})
    assert found.people_at() == {
        end - 10 * MINUTE: 2,
        end - 9 * MINUTE: 1,
        end - MINUTE: 1,
    }


def test_charts_hold_the_numbers_of_the_store() -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    found = Seen(Span(at, at + MINUTE), 60, (Bucket(at, 2, 5, {30: 3, 70: 1}),), 0, (), {})
    rows = drawn(ages_over_time(found))
    assert [(row["decade"], row["low"], row["high"]) for row in rows] == [("30-39", 0, 3), ("70-79", 3, 4)]
    assert {row["decade"]: row["share"] for row in drawn(ages(found.decades()))}["30-39"] == 0.75
    assert "most are 30-39 years old: 75%" in in_words(found)
    assert as_rows(found) == [{"from": at, "pictures": 2, "faces": 5, "people": 0, "30-39 years": 3, "70-79 years": 1}]


def test_only_streams_that_fit_are_asked_for() -> None:
    origins = {"a": "camera", "f": "file", "webcam-x": "webcam", "webcam-y": "webcam"}
    assert history.streams_of(origins, (), "all", "all") == ("a", "f")
    assert history.streams_of(origins, ["webcam-x"], "all", "webcam") == ("webcam-x",)
    assert history.streams_of(origins, (), "webcam-x", "all") == ()
    assert history.streams_of(origins, (), "a", "file") == ()
