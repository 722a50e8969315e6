"""A frame's headers survive the way through Kafka, and nothing malformed gets in."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import ids
from contracts.errors import InvalidInput, Reason
from contracts.frames import Frame, check_size
from contracts.limits import HEADER_ROOM, MAX_FRAME_BYTES
from contracts.topics import FRAMES_LIVE, check_stream_id

NOW = datetime(2026, 11, 21, 10, 0, 0, 123000, UTC)


def frame(**changes: object) -> Frame:
    fields: dict[str, object] = {
        "stream": "cam-42",
        "connection": "c-9f31",
        "sequence": 1812,
        "captured_at": NOW,
        "width": 640,
        "height": 480,
        "origin": "webcam",
        "consent": "yes-1",
        "spent_ms": 4.25,
        "expires_at": NOW + timedelta(milliseconds=500),
        "traceparent": ids.new_traceparent(),
    }
    return Frame(**{**fields, **changes})  # type: ignore[arg-type]


@given(
    st.integers(0, 10**12 - 1),
    st.integers(1, 10000),
    st.floats(0, 3.5e6),
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),
)
def test_headers_round_trip(sequence: int, width: int, spent: float, taken: datetime) -> None:
    captured = taken.replace(microsecond=taken.microsecond // 1000 * 1000, tzinfo=UTC)
    sent = frame(sequence=sequence, width=width, spent_ms=round(spent, 3), captured_at=captured)
    assert Frame.from_headers(sent.headers(), b"cam-42") == sent


def test_id_is_a_function_of_stream_connection_and_sequence() -> None:
    assert frame().id == frame(spent_ms=9.0, width=320).id
    others = {frame(stream="b").id, frame(connection="c-2").id, frame(sequence=1).id}
    assert len(others | {frame().id}) == 4
    assert ids.answer_id(frame().id, "a" * 64) != ids.answer_id(frame().id, "b" * 64)


def test_cloudevents_attributes_are_there() -> None:
    names = {name for name, _ in frame().headers()}
    wanted = "specversion id source type subject time dataschema partitionkey sequence expirytime consentid traceparent"
    assert {f"ce_{name}" for name in wanted.split()} <= names
    assert {"traceparent", "content-type"} <= names


@pytest.mark.parametrize("missing", ["ce_id", "ce_source", "ce_sequence", "ce_time", "mairror-width", "mairror-origin"])
def test_a_missing_header_is_refused_by_name(missing: str) -> None:
    headers = [(name, value) for name, value in frame().headers() if name != missing]
    with pytest.raises(InvalidInput) as caught:
        Frame.from_headers(headers, b"cam-42")
    assert caught.value.reason is Reason.BAD_HEADER
    assert missing in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"consent": None}, Reason.NO_CONSENT),
        ({"origin": "satellite"}, Reason.BAD_HEADER),
        ({"spent_ms": -1.0}, Reason.BAD_HEADER),
        ({"stream": "Not Allowed"}, Reason.BAD_STREAM_ID),
    ],
)
def test_what_breaks_a_rule_is_refused(changes: dict[str, object], reason: Reason) -> None:
    with pytest.raises(InvalidInput) as caught:
        Frame.from_headers(frame(**changes).headers(), b"k")
    assert caught.value.reason is reason


def test_a_forged_id_is_refused() -> None:
    headers = [
        (name, b"11111111-1111-1111-1111-111111111111" if name == "ce_id" else v) for name, v in frame().headers()
    ]
    with pytest.raises(InvalidInput, match="is not the id of this frame"):
        Frame.from_headers(headers, b"k")


def test_one_byte_over_the_limit_is_refused_and_named() -> None:
    headers = frame().headers()
    check_size(FRAMES_LIVE, bytes(MAX_FRAME_BYTES), headers)
    with pytest.raises(InvalidInput, match=str(MAX_FRAME_BYTES)) as caught:
        check_size(FRAMES_LIVE, bytes(MAX_FRAME_BYTES + 1), headers)
    assert caught.value.reason is Reason.TOO_MANY_BYTES
    with pytest.raises(InvalidInput, match="headers are"):
        check_size(FRAMES_LIVE, b"", [("x", bytes(HEADER_ROOM))])


@pytest.mark.parametrize("good", ["a", "0", "cam-42", "front.door_1", "a" * 64])
def test_stream_ids_that_are_allowed(good: str) -> None:
    assert check_stream_id(good) == good


@pytest.mark.parametrize("bad", ["", "-a", ".a", "A", "a b", "a/b", "a" * 65, "ä", "a\n"])
def test_stream_ids_that_are_not(bad: str) -> None:
    with pytest.raises(InvalidInput):
        check_stream_id(bad)
