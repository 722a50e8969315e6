"""Streams take turns, expired frames are dropped unread, batches fit the oldest frame's budget."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from contracts.frames import Frame
from processors.frames import Held
from processors.scheduling import Batch, Schedule

BUDGET = 500.0


def held(stream: str, sequence: int, *, age_ms: float = 0.0, upload: bool = False, partition: int = 0) -> Held:
    now = datetime.now(UTC)
    frame = Frame(
        stream=f"upload/{stream}" if upload else stream,
        connection="c-1",
        sequence=sequence,
        captured_at=now,
        width=1,
        height=1,
        origin="upload" if upload else "camera",
        consent="yes",
        expires_at=None if upload else now + timedelta(seconds=0.5),
    )
    return Held(frame, b"", "t", partition, sequence, time.time() - age_ms / 1000, None)


def take(frames: list[Held], most: int = 8, ms_per_frame: float = 0.0) -> Batch:
    async def go() -> Batch:
        schedule = Schedule(BUDGET, capacity=1000)
        for item in frames:
            await schedule.put(item)
        return await schedule.take(most, lambda n: n * ms_per_frame)

    return asyncio.run(go())


def names(batch: Batch) -> list[tuple[str, int]]:
    return [(item.frame.stream, item.frame.sequence) for item in batch.frames]


def test_a_flooding_stream_does_not_starve_the_others() -> None:
    flood = [held("flood", number) for number in range(50)]
    batch = take([*flood, held("quiet", 0), held("other", 0)], most=6)
    assert names(batch)[:3] == [("flood", 0), ("quiet", 0), ("other", 0)]
    assert len(batch.frames) == 6


def test_uploads_and_live_frames_take_turns() -> None:
    live = [held("live", number) for number in range(5)]
    uploads = [held(f"u{number}", 0, upload=True) for number in range(5)]
    batch = take([*uploads, *live], most=4)
    assert [item.frame.is_upload for item in batch.frames] == [True, False, True, False]
    full = take([*uploads, *live], most=32)
    assert [item.frame.is_upload for item in full.frames].count(True) == 2, "live frames do not wait for many photos"
    assert len(full.frames) == 7
    assert len(take(uploads, most=32).frames) == 2


def test_expired_frames_are_dropped_and_uploads_never_expire() -> None:
    batch = take([held("a", 0, age_ms=600), held("a", 1), held("u", 0, age_ms=10_000, upload=True)])
    assert [item.frame.sequence for item in batch.dropped] == [0]
    assert batch.dropped[0].cause == "expired"
    assert names(batch) == [("a", 1), ("upload/u", 0)]


def test_the_batch_stops_growing_when_the_oldest_frame_would_be_late() -> None:
    old = held("a", 0, age_ms=400)
    batch = take([old, *(held("b", number) for number in range(7))], ms_per_frame=30.0)
    assert 1 <= len(batch.frames) <= 3
    assert batch.frames[0] is old


def test_a_frame_is_taken_even_when_the_model_is_too_slow_for_it() -> None:
    assert len(take([held("a", 0)], ms_per_frame=10_000).frames) == 1


def test_frames_that_failed_are_taken_alone_and_first() -> None:
    async def go() -> tuple[Batch, Batch]:
        schedule = Schedule(BUDGET, capacity=10)
        await schedule.put(held("a", 1))
        schedule.retry(held("a", 0))
        return await schedule.take(8, lambda n: 0.0), await schedule.take(8, lambda n: 0.0)

    first, second = asyncio.run(go())
    assert names(first) == [("a", 0)]
    assert names(second) == [("a", 1)]


def test_put_waits_for_room_and_revoked_partitions_make_room() -> None:
    async def go() -> None:
        schedule = Schedule(BUDGET, capacity=2)
        await schedule.put(held("a", 0, partition=1))
        await schedule.put(held("b", 0, partition=2))
        third = asyncio.create_task(schedule.put(held("c", 0, partition=3)))
        await asyncio.wait([third], timeout=0.05)
        assert not third.done()
        schedule.forget({("t", 1)})
        await asyncio.wait_for(third, 1)
        batch = await schedule.take(8, lambda n: 0.0)
        assert {item.partition for item in batch.frames} == {2, 3}

    asyncio.run(go())
