"""The ledger closes: every captured frame has exactly one fate, however often and in whatever order it is told."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from contracts.events import Outcome, SequenceRange
from producers.ledger import REMEMBERED, Ledger
from producers.window import Window

FATES = [("answered", None), ("dead_lettered", "truncated"), ("dropped", "expired"), ("dropped", "superseded")]


@given(st.lists(st.tuples(st.integers(0, 19), st.sampled_from(FATES)), max_size=80), st.randoms())
def test_order_and_repetition_change_nothing(told: list[tuple[int, tuple[str, str | None]]], random: object) -> None:
    def build(events: list[tuple[int, tuple[str, str | None]]]) -> tuple[object, ...]:
        ledger = Ledger("s", "c")
        for _ in range(20):
            ledger.capture()
        for sequence, (outcome, cause) in events:
            ledger.fate(sequence, outcome, cause)
        totals = ledger.totals()
        fated = totals.answered + totals.dead_lettered + sum(totals.dropped.values())
        assert totals.captured == fated + totals.unaccounted
        return totals.answered, totals.dead_lettered, sum(totals.dropped.values())

    shuffled = told + told
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert build(told) == build(shuffled)


def test_an_answer_outranks_the_drop_of_its_redelivery() -> None:
    ledger = Ledger("s", "c")
    ledger.capture()
    now = datetime.now(UTC)
    for outcome in ("answered", "dropped"):
        ledger.outcome(Outcome("s", "c", "processor", now, [SequenceRange(0, 0, outcome, None)]))  # type: ignore[arg-type]
    assert ledger.totals().answered == 1
    assert ledger.totals().dropped == {}


def test_other_connections_do_not_count() -> None:
    ledger = Ledger("s", "c")
    ledger.capture()
    ledger.outcome(Outcome("s", "old", "processor", datetime.now(UTC), [SequenceRange(0, 0, "answered")]))
    assert ledger.totals().unaccounted == 1


def test_in_flight_is_measured_not_the_remainder() -> None:
    ledger = Ledger("s", "c")
    for _ in range(3):
        ledger.capture()
    ledger.fate(0, "answered")
    assert ledger.totals(in_flight=1).unaccounted == 1
    assert not ledger.totals(in_flight=1).closes
    assert ledger.totals(in_flight=2).closes


def test_the_window_holds_back_and_forgets_after_the_budget() -> None:
    now = [0.0]
    window = Window(2, 0.5, clock=lambda: now[0])
    window.open(1)
    window.open(2)
    assert not window.wait(0.0)
    window.settle(1)
    assert window.wait(0.0)
    window.open(3)
    assert not window.wait(0.0)
    now[0] = 0.6
    assert window.wait(0.0), "an unanswered frame stops counting when its budget is over"
    assert len(window) == 0


def test_the_window_shrinks_while_frames_come_late_and_grows_again() -> None:
    now = [0.0]
    window = Window(4, 0.5, clock=lambda: now[0])

    def room() -> int:
        opened = 0
        while window.wait(0.0):
            window.open(1000 + opened)
            opened += 1
        for sequence in range(opened):
            window.settle(1000 + sequence)
        return opened

    assert room() == 4
    for _ in range(10):
        now[0] += 0.5
        window.late()
        window.late()
    assert room() == 1, "never below one, and one step a budget"
    for _ in range(20):
        window.early(0.1)
    assert room() == 4
    now[0] += 0.5
    window.early(0.48)
    assert room() == 3, "nearly too late counts as late"


def test_a_month_of_frames_takes_no_more_memory_than_minutes_and_the_ledger_still_closes() -> None:
    ledger = Ledger("s", "c")
    for sequence in range(REMEMBERED + 5000):
        ledger.capture()
        ledger.sent(sequence, 0, sequence)
        if sequence != 7:
            ledger.fate(sequence, "dropped" if sequence % 5 else "answered", "superseded" if sequence % 5 else None)
    assert len(ledger._fates) <= REMEMBERED
    assert len(ledger._places) <= REMEMBERED
    totals = ledger.totals(in_flight=1)
    assert (totals.answered, totals.dropped["superseded"]) == (5000, REMEMBERED - 1)
    assert totals.closes
    ledger.fate(3, "answered")  # long forgotten: counted once and for all
    ledger.fate(7, "answered")  # had no fate yet
    assert ledger.totals().answered == 5001
    assert ledger.totals().closes
