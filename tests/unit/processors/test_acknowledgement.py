"""The committed offset is never above the lowest frame that is not done, in whatever order frames are done."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from processors.acknowledgement import Acknowledgements


@dataclass
class Event:
    acked: list[int]
    offset: int

    def ack(self) -> None:
        self.acked.append(self.offset)


@dataclass(eq=False)
class Item:
    topic: str
    partition: int
    event: Event
    done: bool = False


@dataclass
class Partition:
    acked: list[int] = field(default_factory=list)


@given(st.permutations(range(12)), st.integers(0, 12))
def test_acknowledged_in_order_and_never_past_a_gap(order: list[int], finished: int) -> None:
    acked: list[int] = []
    ledger = Acknowledgements()
    items = [Item("t", 0, Event(acked, offset)) for offset in range(12)]
    for item in items:
        ledger.hold(item)
    for offset in order[:finished]:
        ledger.done(items[offset])
        assert acked == sorted(acked)
        not_done = [index for index, item in enumerate(items) if not item.done]
        assert all(offset < min(not_done, default=12) for offset in acked)
    assert len(ledger) + len(acked) == 12
    assert ledger.acknowledged == len(acked)


def test_partitions_do_not_wait_for_each_other_and_revoked_ones_are_forgotten() -> None:
    acked: list[int] = []
    ledger = Acknowledgements()
    slow, fast = Item("t", 0, Event(acked, 1)), Item("t", 1, Event(acked, 2))
    ledger.hold(slow)
    ledger.hold(fast)
    ledger.done(fast)
    assert acked == [2]
    ledger.forget({("t", 0)})
    ledger.done(slow)
    assert acked == [2], "a frame of a partition that is gone is not acknowledged"
    assert len(ledger) == 0
