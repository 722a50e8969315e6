"""Sends records and tells when the broker has confirmed them. Used by every process that writes to Kafka.

Guarantee: a confirmed record is on every in-sync replica (acks=all, idempotent producer). Order per key is kept.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from contracts.cloudevents import Headers
from contracts.errors import InvalidInput, Reason, RetryableError
from contracts.kafka import KafkaSettings
from contracts.records import Record

OnDelivery = Callable[[KafkaError | None, Message], None]

REFUSED = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD})


class Publisher:
    """A producer whose delivery reports are served by a thread of its own. Safe to use from any thread."""

    def __init__(self, kafka: KafkaSettings, **extra: Any) -> None:
        self._producer = Producer(kafka.librdkafka_producer(**extra))
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="delivery", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._closing.is_set():
            self._producer.poll(0.1)

    def send(self, topic: str, key: str | bytes, value: bytes, headers: Headers, on_delivery: OnDelivery) -> None:
        """Hand a record over; `on_delivery(error, message)` is called from the delivery thread.

        Raises:
            InvalidInput: the record is larger than the client may send.
            RetryableError: the client's own queue is full (the broker is slow or away).
        """
        try:
            self._producer.produce(topic, key=key, value=value, headers=list(headers), on_delivery=on_delivery)
        except BufferError as error:
            raise RetryableError(f"{topic}: the send queue is full, the broker is slow or away") from error
        except KafkaException as error:
            raise _translated(topic, error.args[0]) from error

    def deliver(self, record: Record, seconds: float) -> Message:
        """Send a record and wait, in this thread, until the broker has confirmed it; returns it with its place.

        Raises:
            InvalidInput: the broker refuses the record for what it is.
            RetryableError: not confirmed in time; it may or may not be there.
        """
        settled: Future[Message] = Future()

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is None:
                settled.set_result(message)
            else:
                settled.set_exception(_translated(record[0], error))

        self.send(*record, delivered)
        try:
            return settled.result(seconds)
        except TimeoutError as late:
            raise RetryableError(f"{record[0]}: the broker did not confirm within {seconds:.0f} s") from late

    async def confirm(self, topic: str, key: str | bytes, value: bytes, headers: Headers) -> None:
        """Send a record and wait until the broker has confirmed it.

        Raises:
            InvalidInput: the broker refuses the record for what it is.
            RetryableError: not confirmed in time.
        """
        loop = asyncio.get_running_loop()
        confirmed: asyncio.Future[None] = loop.create_future()

        def settle(error: KafkaError | None) -> None:
            if confirmed.done():
                return
            if error is None:
                confirmed.set_result(None)
            else:
                confirmed.set_exception(_translated(topic, error))

        def delivered(error: KafkaError | None, _message: Message) -> None:
            _wake(loop, partial(settle, error))

        self.send(topic, key, value, headers, delivered)
        await confirmed

    async def confirm_all(self, records: Sequence[Record]) -> list[Exception | None]:
        """Send records and wait until each is confirmed (None) or failed (its error); wakes the loop once for all."""
        loop = asyncio.get_running_loop()
        results: list[Exception | None] = [None] * len(records)
        if not records:
            return results
        finished: asyncio.Future[None] = loop.create_future()
        left = len(records)
        lock = threading.Lock()

        def finish() -> None:
            if not finished.done():
                finished.set_result(None)

        def settled(index: int, error: Exception | None) -> None:
            nonlocal left
            results[index] = error
            with lock:
                left -= 1
                last = left == 0
            if last:
                _wake(loop, finish)

        def delivered(index: int, error: KafkaError | None, message: Message) -> None:
            settled(index, None if error is None else _translated(str(message.topic()), error))

        for index, (topic, key, value, headers) in enumerate(records):
            try:
                self.send(topic, key, value, headers, partial(delivered, index))
            except (RetryableError, InvalidInput) as error:
                settled(index, error)
        await finished
        return results

    def flush(self, seconds: float) -> int:
        """Wait for outstanding confirmations; returns how many are still missing."""
        return int(self._producer.flush(seconds))

    def close(self, seconds: float = 5.0) -> int:
        """Flush and stop; returns how many records were never confirmed."""
        missing = self.flush(seconds)
        self._closing.set()
        self._thread.join(timeout=2)
        # closing waits for whatever is left; what is left has had its time
        self._producer.purge()
        self._producer.close()
        return missing


def _wake(loop: asyncio.AbstractEventLoop, then: Callable[[], None]) -> None:
    # a record that is given up while everything ends: the loop may have ended before, and nobody waits any more
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(then)


def _translated(topic: str, error: KafkaError) -> InvalidInput | RetryableError:
    if error.code() in REFUSED:
        return InvalidInput(Reason.TOO_MANY_BYTES, f"{topic} refused a record: {error.str()}")
    return RetryableError(f"{topic}: {error.str()}")
