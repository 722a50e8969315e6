"""Everything the processor writes: answers, tracks, outcomes, stream status, dead letters.

Guarantee: `publish` returns when the broker has confirmed every record of a batch; only then are its frames
acknowledged. While the broker is away it tries again with growing pauses, so nothing is lost and nothing skipped.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import stamina

from contracts.errors import InvalidInput, RetryableError
from contracts.events import Kind, Outcome, SequenceRange, StreamStatus, TrackEvent
from contracts.metrics import DEAD_LETTERS as DEAD_LETTERS_TOTAL
from contracts.metrics import counter
from contracts.publishing import Publisher
from contracts.records import Record, json_record
from contracts.topics import AGES, DEAD_LETTERS, OUTCOMES, STREAMS, TRACKS
from processors.frames import Held

SOURCE = "/processors"


def answer_records(done: Iterable[Held]) -> list[Record]:
    """The answers of a batch."""
    found = []
    for held in done:
        assert held.answer is not None
        frame = held.frame
        found.append(
            json_record(
                AGES,
                frame.key,
                held.answer,
                id=held.answer.id,
                source=SOURCE,
                traceparent=frame.traceparent,
                at=frame.captured_at,
            )
        )
    return found


def track_record(event: TrackEvent) -> Record:
    """One piece of news of a track."""
    id = f"{event.track}:{event.event}:{event.frames}"
    return json_record(TRACKS, event.track, event, id=id, source=SOURCE, at=event.last_seen)


def stream_record(status: StreamStatus) -> Record:
    """The status of a stream."""
    key = f"{status.stream}/{status.writer}"
    return json_record(STREAMS, key, status, id=f"{key}:{status.at.timestamp()}", source=SOURCE, at=status.at)


def outcome_records(frames: Iterable[tuple[Held, Kind, str | None]]) -> list[Record]:
    """One record for each stream and connection: sequence ranges and what became of them."""
    grouped: dict[tuple[str, str, str], list[tuple[int, Kind, str | None]]] = defaultdict(list)
    for held, kind, cause in frames:
        grouped[held.frame.stream, held.frame.key, held.frame.connection].append((held.frame.sequence, kind, cause))
    now = datetime.now(UTC)
    found = []
    for (stream, key, connection), fates in grouped.items():
        outcome = Outcome(stream, connection, "processor", now, ranges_of(fates))
        id = f"{stream}:{connection}:{fates[0][0]}:{now.timestamp()}"
        found.append(json_record(OUTCOMES, key, outcome, id=id, source=SOURCE, at=now))
    return found


def ranges_of(fates: Sequence[tuple[int, Kind, str | None]]) -> list[SequenceRange]:
    """Neighbouring sequences of the same fate as one range, ascending."""
    ranges: list[SequenceRange] = []
    for sequence, kind, cause in sorted(fates, key=lambda fate: fate[0]):
        last = ranges[-1] if ranges else None
        if last and last.last + 1 == sequence and (last.outcome, last.cause) == (kind, cause):
            ranges[-1] = SequenceRange(last.first, sequence, kind, cause)
        else:
            ranges.append(SequenceRange(sequence, sequence, kind, cause))
    return ranges


def dead_letter(
    topic: str,
    partition: int,
    offset: int,
    key: bytes | None,
    value: bytes,
    headers: Iterable[tuple[str, bytes]],
    problem: InvalidInput,
) -> Record:
    """The original record, with where it was and why nobody could answer it."""
    counter(DEAD_LETTERS_TOTAL).labels(reason=problem.reason.value).inc()
    own = {
        "mairror-reason": problem.reason.value,
        "mairror-detail": problem.detail[:2000],
        "mairror-topic": topic,
        "mairror-partition": str(partition),
        "mairror-offset": str(offset),
        "mairror-failed-at": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    original = [(name, content) for name, content in headers if name not in own]
    return DEAD_LETTERS.name, key or b"", value, [*original, *((name, text.encode()) for name, text in own.items())]


async def publish(publisher: Publisher, records: Sequence[Record]) -> None:
    """Send records and wait for all confirmations, trying again while the broker is away.

    Raises:
        InvalidInput: the broker refuses one of the records for what it is.
    """
    waiting = list(records)
    retrying = stamina.retry_context(
        on=RetryableError, attempts=None, timeout=None, wait_initial=0.05, wait_max=2.0, wait_jitter=0.05
    )
    async for attempt in retrying:
        with attempt:
            results = await publisher.confirm_all(waiting)
            failed = [(item, result) for item, result in zip(waiting, results, strict=True) if result is not None]
            waiting = [item for item, _ in failed]
            refused = [result for _, result in failed if not isinstance(result, RetryableError)]
            if refused:
                raise refused[0]
            if failed:
                raise failed[0][1]
