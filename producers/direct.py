"""Uploads files straight to Kafka and waits for their answers: what `mairror upload` does without a gateway.

Publishes to `mairror.frames.upload.v1`, reads `mairror.ages.v1` and `mairror.outcomes.v1` (no group).
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from msgspec import json

from contracts import events
from contracts.errors import InvalidInput, MairrorError, Reason, RetryableError
from contracts.events import Outcome
from contracts.reading import TopicReader
from contracts.settings import Settings
from contracts.topics import AGES, OUTCOMES
from producers.edge.pool import DecodePool
from producers.upload import UploadPublisher, new_upload_id

ANSWER_SECONDS = 30.0
SIDE_BY_SIDE = 4

Result = dict[str, Any]
"""{"file": ..., "answer": {...}} or {"file": ..., "error": {"reason": ..., "detail": ...}}."""


def read_file(path: Path, settings: Settings) -> bytes:
    """A file's bytes, never more than the limit.

    Raises:
        InvalidInput: it cannot be read, or is larger than the limit (named).
    """
    try:
        with path.open("rb") as file:
            data = file.read(settings.upload.max_bytes + 1)
    except OSError as error:
        raise InvalidInput(Reason.NOT_AN_IMAGE, f"cannot be read: {error.strerror}") from error
    if len(data) > settings.upload.max_bytes:
        raise InvalidInput(
            Reason.TOO_MANY_BYTES, f"the file is larger than {settings.upload.max_bytes} bytes, the most that is read"
        )
    return data


class _Answers:
    """Waits for the answers of uploads by key."""

    def __init__(self, settings: Settings) -> None:
        self._reader = TopicReader(settings.kafka, [AGES.name, OUTCOMES.name])
        self._found: dict[bytes, Result] = {}
        self._problem: str | None = None
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="upload-answers", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._closing.is_set():
            try:
                message = self._reader.poll(0.1)
            except RetryableError as error:
                with self._changed:
                    self._problem = str(error)
                    self._changed.notify_all()
                return
            key = message.key() if message else None
            if message is None or not isinstance(key, bytes):
                continue
            result = _result(str(message.topic()), message.value() or b"")
            if result:
                with self._changed:
                    self._found[key] = result
                    self._changed.notify_all()

    def wait(self, upload_id: str) -> Result:
        key = upload_id.encode()
        with self._changed:
            if not self._changed.wait_for(lambda: key in self._found or self._problem, timeout=ANSWER_SECONDS):
                raise RetryableError(f"no answer within {ANSWER_SECONDS:.0f} s: is a processor running?")
            if key not in self._found:
                raise RetryableError(self._problem or "the answers could not be read")
            return self._found[key]

    def close(self) -> None:
        self._closing.set()
        self._thread.join(timeout=2)
        self._reader.close()


def _result(topic: str, body: bytes) -> Result | None:
    if topic == AGES.name:
        return {"answer": json.decode(body)}
    for span in events.decode(Outcome, body).ranges:
        if span.outcome == "dead_lettered":
            return {"error": {"reason": span.cause, "detail": "the processor could not answer this picture"}}
    return None


def upload_files(paths: Sequence[Path], settings: Settings, on_result: Callable[[], None]) -> Iterator[Result]:
    """Decode, publish and wait for every file, a few side by side.

    Args:
        paths: files.
        settings: broker and limits.
        on_result: called once for every finished file.

    Yields:
        One result a file, in the order of the files.
    """
    pool, publisher, answers = DecodePool(settings.upload), UploadPublisher(settings.kafka), _Answers(settings)

    def one(path: Path) -> Result:
        try:
            upload_id = new_upload_id()
            publisher.publish(upload_id, pool.decode(read_file(path, settings)))
            return {"file": str(path), **answers.wait(upload_id)}
        except InvalidInput as problem:
            return {"file": str(path), "error": {"reason": problem.reason.value, "detail": problem.detail}}
        except MairrorError as problem:
            return {"file": str(path), "error": {"reason": "unavailable", "detail": str(problem)}}

    try:
        with ThreadPoolExecutor(SIDE_BY_SIDE) as threads:
            waiting = [threads.submit(one, path) for path in paths]
            for finished in as_completed(waiting):
                finished.result()
                on_result()
            yield from (found.result() for found in waiting)
    finally:
        answers.close()
        publisher.close()
        pool.close()
