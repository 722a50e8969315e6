"""The batcher: takes frames from the schedule through three overlapping stages, one batch in each.

    look      decode, detect, align        thread pool, one frame a thread
    estimate  ages of all faces at once    one thread
    publish   answers, tracks, outcomes    confirmed by the broker, then acknowledged in order

Every exception is caught here: the frames of the batch come back one by one, and a frame that keeps failing is
dead-lettered with its reason. A `FatalError` ends the process with nothing acknowledged.
"""

import asyncio
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import structlog

from contracts.answers import Face
from contracts.errors import FatalError, InvalidInput, Reason
from contracts.events import Kind, TrackEvent
from contracts.metrics import (
    BATCH_FACES,
    BATCH_FRAMES,
    BATCH_RETRIES,
    FACES_DETECTED,
    FRAMES_ANSWERED,
    FRAMES_DROPPED,
    FRAMES_HELD,
    LATENCY_SECONDS,
    STAGE_SECONDS,
    counter,
    gauge,
    histogram,
)
from contracts.publishing import Publisher
from contracts.records import Record
from contracts.settings import ProcessorSettings
from model.abstention import decide
from model.faces import Abstention, AgeEstimate
from processors import answering, publishing
from processors.acknowledgement import Acknowledgeable, Acknowledgements, Partition
from processors.frames import Held
from processors.pacing import Pace
from processors.pipeline import Looked, Pipeline
from processors.reuse import AgeMemory
from processors.scheduling import Batch, Schedule
from processors.streams import Stream, Streams
from processors.tracking import Tracked

log = structlog.get_logger()

QUEUED = 256
"""Frames held in the schedule before Kafka has to wait."""

EXIT_FATAL = 70
"""sysexits.h EX_SOFTWARE: the supervisor starts the process again."""


@dataclass
class Flight:
    """One batch on its way through the stages."""

    frames: list[Held]
    dropped: list[Held]
    looked: dict[Held, Looked] = field(default_factory=dict)
    refused: dict[Held, InvalidInput] = field(default_factory=dict)
    queue_ms: dict[Held, float] = field(default_factory=dict)
    events: list[TrackEvent] = field(default_factory=list)
    retried: int = 0
    published: bool = False
    estimated: int = 0
    """Faces that were, or are being, estimated; the others have their age from a frame before."""


Stage = Callable[[Flight], Awaitable[None]]


class Engine:
    """Owned by one event loop. `start` begins, `stop` drains what is in flight."""

    def __init__(self, pipeline: Pipeline, publisher: Publisher, settings: ProcessorSettings) -> None:
        self._pipeline = pipeline
        self._publisher = publisher
        self._settings = settings
        self._lookers = ThreadPoolExecutor(settings.decode_threads, "look")
        self._estimator = ThreadPoolExecutor(1, "estimate")
        self.acknowledgements = Acknowledgements()
        self.streams = Streams(pipeline.manifest.name)
        self.schedule = Schedule(settings.budget_ms, capacity=QUEUED)
        self._pace = Pace()
        self._memory = AgeMemory(settings.reuse_ms / 1000)
        self._tasks: list[asyncio.Task[None]] = []
        self._telling: set[asyncio.Task[None]] = set()
        self._to_estimate: asyncio.Queue[Flight] = asyncio.Queue(maxsize=1)
        self._to_publish: asyncio.Queue[Flight] = asyncio.Queue(maxsize=1)

    def start(self) -> None:
        """Begin taking frames."""
        steps = (self._looking(), self._estimating(), self._publishing(), self._reporting())
        self._tasks = [asyncio.get_running_loop().create_task(self._guard(step)) for step in steps]

    async def stop(self, seconds: float = 3.0) -> None:
        """Take no more, finish what is in flight within `seconds`; the rest is delivered again."""
        if self._tasks:
            self._tasks[0].cancel()
        deadline = time.monotonic() + seconds
        while len(self.acknowledgements) > len(self.schedule) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._lookers.shutdown(wait=False)
        self._estimator.shutdown(wait=False)

    async def take(self, held: Held) -> None:
        """Accept a frame from Kafka; waits while the schedule is full."""
        self.acknowledgements.hold(held)
        gauge(FRAMES_HELD).set(len(self.acknowledgements))
        await self.schedule.put(held)

    async def refuse(self, item: Acknowledgeable, letter: Record) -> None:
        """Dead-letter a record that could not even be read as a frame."""
        self.acknowledgements.hold(item)
        await publishing.publish(self._publisher, [letter])
        self.acknowledgements.done(item)

    def forget(self, partitions: set[Partition]) -> list[TrackEvent]:
        """Partitions were taken away."""
        self.schedule.forget(partitions)
        self.acknowledgements.forget(partitions)
        return self.streams.forget(partitions)

    def tell(self, events: list[TrackEvent]) -> None:
        """Publish news of tracks outside a batch, without waiting: a rebalance must not wait for the broker."""
        records = [publishing.track_record(event) for event in events]
        task = asyncio.get_running_loop().create_task(publishing.publish(self._publisher, records))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _guard(self, step: Awaitable[None]) -> None:
        """A stage that ends by itself ends the process: nothing was acknowledged that was not answered."""
        try:
            await step
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # logged, then the process exits
            log.critical("processor_failed", error=str(error), exc_info=error)
            os._exit(EXIT_FATAL)

    async def _looking(self) -> None:
        while True:
            await self._pace.model_nearly_free()
            batch = await self.schedule.take(self._settings.gather, self._predict_ms)
            started = time.perf_counter()
            flight = await self._attempt(self._board(batch), self._look)
            if flight:
                self._pace.looked((time.perf_counter() - started) * 1000)
                await self._to_estimate.put(flight)

    async def _estimating(self) -> None:
        while True:
            waiting = await self._to_estimate.get()
            self._pace.estimating()
            flight = await self._attempt(waiting, self._estimate)
            self._pace.estimated(self._pipeline.estimate_ms(waiting.estimated))
            if flight:
                await self._to_publish.put(flight)

    def _predict_ms(self, frames: int) -> float:
        return self._pace.predict_ms(self._pipeline.predict_ms(frames))

    async def _publishing(self) -> None:
        while True:
            flight: Flight | None = await self._to_publish.get()
            while flight:
                flight = await self._attempt(flight, self._publish)
                if flight and flight.published:
                    break
                if flight and flight.frames == [] and flight.retried > self._settings.retries:
                    raise FatalError("dead letters and outcomes cannot be published: see the warnings above")

    async def _reporting(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            statuses, events = self.streams.news()
            records = [publishing.stream_record(status) for status in statuses]
            records += [publishing.track_record(event) for event in events]
            await publishing.publish(self._publisher, records)

    async def _attempt(self, flight: Flight, stage: Stage) -> Flight | None:
        """Run a stage; on an exception every frame of the batch is tried again alone, or dead-lettered."""
        try:
            await stage(flight)
        except (FatalError, MemoryError):
            raise
        except Exception as error:  # logged; the frames are retried, then dead-lettered
            counter(BATCH_RETRIES).inc()
            log.warning("batch_failed", frames=len(flight.frames), error=repr(error), exc_info=error)
            self._retry(flight, error)
            if not (flight.refused or flight.dropped or flight.events):
                return None
        return flight

    def _retry(self, flight: Flight, error: Exception) -> None:
        flight.retried += 1
        self._memory.drop_unfinished()
        for held in flight.frames:
            if held in flight.refused:
                continue
            held.attempts += 1
            if held.attempts <= self._settings.retries:
                self.schedule.retry(held)
            else:
                detail = f"failed {held.attempts} times, last with {type(error).__name__}: {error}"
                flight.refused[held] = InvalidInput(Reason.PROCESSING_FAILED, detail)
        flight.frames = []

    def _board(self, batch: Batch) -> Flight:
        flight = Flight(batch.frames, batch.dropped)
        for held in batch.dropped:
            stream, ended = self.streams.of(held)
            flight.events += ended
            stream.drop("expired")
        flight.queue_ms = {held: answering.queue_ms(held) for held in batch.frames}
        return flight

    async def _look(self, flight: Flight) -> None:
        loop = asyncio.get_running_loop()
        started = time.perf_counter()
        waiting, found = deque(flight.frames), dict[Held, Looked | Exception]()
        threads = min(self._settings.decode_threads, len(waiting))
        # one call a thread, not one a frame: every return from the pool wakes the event loop
        calls = (loop.run_in_executor(self._lookers, self._look_at, waiting, found) for _ in range(threads))
        await asyncio.gather(*calls)
        for held in flight.frames:
            result = found[held]
            if isinstance(result, InvalidInput):
                flight.refused[held] = result
            elif isinstance(result, Exception):
                raise result
            else:
                flight.looked[held] = result
        if flight.looked:
            histogram(STAGE_SECONDS).labels(stage="look").observe(time.perf_counter() - started)
            for held, looked in flight.looked.items():
                histogram(STAGE_SECONDS).labels(stage="queue").observe(flight.queue_ms[held] / 1000)
                histogram(STAGE_SECONDS).labels(stage="decode").observe(looked.decode_ms / 1000)
                histogram(STAGE_SECONDS).labels(stage="detect").observe(looked.detect_ms / 1000)

    def _look_at(self, waiting: deque[Held], found: dict[Held, Looked | Exception]) -> None:
        """In a thread of the pool: take frames until none waits. What goes wrong with one stays with that one."""
        while True:
            try:
                held = waiting.popleft()
            except IndexError:
                return
            try:
                found[held] = self._pipeline.look(held.jpeg, held.frame.is_upload)
            except Exception as error:  # noqa: BLE001  # `_look` raises it where the batch is handled
                found[held] = error

    async def _estimate(self, flight: Flight) -> None:
        seen = [held for held in flight.frames if held in flight.looked and held.answer is None]
        if not seen:
            return
        seen.sort(key=lambda held: held.frame.sequence)
        looked = [flight.looked[held] for held in seen]
        started = time.perf_counter()
        planned, wanted = self._memory.plan_batch(list(zip(seen, looked, strict=True)))
        flight.estimated = sum(map(len, wanted))
        loop = asyncio.get_running_loop()
        ages = await loop.run_in_executor(self._estimator, self._pipeline.estimate, looked, wanted)
        took = time.perf_counter() - started
        histogram(STAGE_SECONDS).labels(stage="estimate").observe(took)
        histogram(BATCH_FRAMES).observe(len(seen))
        histogram(BATCH_FACES).observe(flight.estimated)
        for looks, numbers, answers in zip(planned, wanted, ages, strict=True):
            for number, estimate in zip(numbers, answers, strict=True):
                looks[number].estimate = estimate
        for held, found, looks, numbers in zip(seen, looked, planned, wanted, strict=True):
            estimates = [look.estimate for look in looks if look.estimate is not None]
            fresh = [number in numbers for number in range(len(looks))]
            self._answer(flight, held, found, estimates, fresh, took * 1000)

    def _answer(
        self,
        flight: Flight,
        held: Held,
        looked: Looked,
        estimates: list[AgeEstimate],
        fresh: list[bool],
        estimate_ms: float,
    ) -> None:
        abstentions = [
            decide(quality, estimate, self._pipeline.settings)
            for quality, estimate in zip(looked.qualities, estimates, strict=True)
        ]
        tracked: list[Tracked | None] = [None] * len(estimates)
        dropped: dict[str, int] = {}
        if not held.frame.is_upload:
            stream, ended = self.streams.of(held)
            flight.events += ended
            tracked = self._track(flight, stream, held, looked, estimates, abstentions, fresh)
            if not held.expires or held.remaining_ms(self._settings.budget_ms) > 0:
                dropped = stream.take_drops()
        faces = [
            answering.face_of(looked, index, estimate, abstention, track, reused=not fresh[index])
            for index, (estimate, abstention, track) in enumerate(zip(estimates, abstentions, tracked, strict=True))
        ]
        timing = answering.timing_of(
            held,
            looked,
            queue_ms=flight.queue_ms[held],
            estimate_ms=estimate_ms,
            publish_ms=self._pace.publish_ms,
        )
        held.answer = answering.answer_of(held, looked, faces, self._pipeline.manifest, timing, dropped)
        _count_faces(faces)

    @staticmethod
    def _track(
        flight: Flight,
        stream: Stream,
        held: Held,
        looked: Looked,
        estimates: list[AgeEstimate],
        abstentions: list[Abstention | None],
        fresh: list[bool],
    ) -> list[Tracked | None]:
        """A frame that comes again, or out of order, moves no track."""
        if held.frame.sequence <= stream.tracker.last_sequence:
            return [None] * len(estimates)
        stream.tracker.last_sequence = held.frame.sequence
        stream.width, stream.height = looked.width, looked.height
        boxes = [answering.box_of(found, looked.width, looked.height) for found in looked.detections]
        ages = [None if abstained else estimate for estimate, abstained in zip(estimates, abstentions, strict=True)]
        tracked, events = stream.tracker.update(
            held.frame.captured_at, boxes, looked.detections, ages, looked.qualities, fresh
        )
        flight.events += events
        return tracked

    async def _publish(self, flight: Flight) -> None:
        started = time.perf_counter()
        answered, fates = self._settle(flight)
        records = publishing.answer_records(answered)
        records += [
            publishing.dead_letter(held.topic, held.partition, held.offset, held.key, held.jpeg, held.headers, problem)
            for held, problem in flight.refused.items()
        ]
        records += [publishing.track_record(event) for event in flight.events]
        records += publishing.outcome_records(fates)
        await publishing.publish(self._publisher, records)
        flight.published = True
        took = time.perf_counter() - started
        self._pace.published(took * 1000)
        histogram(STAGE_SECONDS).labels(stage="publish").observe(took)
        for held, kind, cause in fates:
            self._finish(held, kind, cause)
        gauge(FRAMES_HELD).set(len(self.acknowledgements))

    def _settle(self, flight: Flight) -> tuple[list[Held], list[tuple[Held, Kind, str | None]]]:
        """Decide every frame's fate. An answer that comes too late to be of use is dropped as `late`."""
        answered: list[Held] = []
        fates: list[tuple[Held, Kind, str | None]] = [(held, "dropped", held.cause) for held in flight.dropped]
        fates += [(held, "dead_lettered", problem.reason.value) for held, problem in flight.refused.items()]
        for held in flight.frames:
            if held in flight.refused:
                continue
            if held.remaining_ms(self._settings.budget_ms) <= 0:
                held.cause = "late"
                fates.append((held, "dropped", "late"))
            else:
                answered.append(held)
                fates.append((held, "answered", None))
        return answered, fates

    def _finish(self, held: Held, kind: Kind, cause: str | None) -> None:
        self.acknowledgements.done(held)
        if not held.frame.is_upload:
            stream, _ = self.streams.of(held)
            if cause == "late":
                stream.drop("late")
            elif kind != "dropped":
                stream.count(kind)
        if kind == "dropped":
            counter(FRAMES_DROPPED).labels(stage="processor", cause=cause).inc()
        elif kind == "answered":
            counter(FRAMES_ANSWERED).labels(origin=held.frame.origin).inc()
            if not held.skewed:
                histogram(LATENCY_SECONDS).labels(origin=held.frame.origin).observe(held.age_ms() / 1000)


def _count_faces(faces: list[Face]) -> None:
    for face in faces:
        counter(FACES_DETECTED).labels(result=face.abstained.reason if face.abstained else "aged").inc()
