"""`This is wrong`: what a visitor says about one face, confirmed on `mairror.corrections.v1` before anybody is thanked.

Idempotent: the same words about the same face of the same answer are the same event, and the store keeps one document
for each answer and face, the newest words. No picture is in it.
"""

import threading
from datetime import UTC, datetime
from uuid import uuid5

from contracts.answers import Answer
from contracts.errors import InvalidInput, MairrorError, Reason
from contracts.events import Correction
from contracts.ids import NAMESPACE
from contracts.kafka import KafkaSettings
from contracts.publishing import Publisher
from contracts.records import json_record
from contracts.topics import CORRECTIONS

CONFIRM_SECONDS = 10.0
MAX_AGE = 120
MAX_COMMENT = 500


class Corrections:
    """Safe from several threads. Connects when the first correction is sent: most visitors send none."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._lock = threading.Lock()
        self._publisher: Publisher | None = None

    def send(self, answer: Answer, face: int, true_age: float | None = None, comment: str = "") -> None:
        """Say that the age of a face (counted from 0 as in the answer) is wrong; returns once the broker has it.

        Raises:
            InvalidInput: no such face, an age that is none, or too many words.
            RetryableError: not confirmed in time; the same may be sent again.
        """
        correction = checked(answer, face, true_age, comment)
        record = json_record(
            CORRECTIONS, answer.stream.removeprefix("upload/"), correction, id=event_id(correction), source="/dashboard"
        )
        self._open().deliver(record, CONFIRM_SECONDS + 1)

    def _open(self) -> Publisher:
        with self._lock:
            if self._publisher is None:
                self._publisher = Publisher(self._kafka, message_timeout_ms=int(CONFIRM_SECONDS * 1000))
            return self._publisher

    def close(self) -> None:
        """Flush and stop."""
        with self._lock:
            if self._publisher is not None:
                self._publisher.close(1.0)
                self._publisher = None


def checked(answer: Answer, face: int, true_age: float | None, comment: str) -> Correction:
    """The correction, when it keeps the contract's rules.

    Raises:
        InvalidInput: no such face, an age that is none, or too many words.
    """
    if not 0 <= face < len(answer.faces):
        raise InvalidInput(Reason.BAD_BODY, f"face {face} is not there: the picture has {len(answer.faces)}")
    if true_age is not None and not 0 <= true_age <= MAX_AGE:
        raise InvalidInput(Reason.BAD_BODY, f"an age is 0 to {MAX_AGE} years, not {true_age:g}")
    words = comment.strip()
    if len(words) > MAX_COMMENT:
        raise InvalidInput(Reason.BAD_BODY, f"the comment has {len(words)} letters, at most {MAX_COMMENT} are taken")
    return Correction(answer.id, face, datetime.now(UTC), None if true_age is None else float(true_age), words)


def event_id(correction: Correction) -> str:
    """The same for the same words about the same face: sent twice it is one event."""
    said = f"{correction.true_age}/{correction.comment}"
    return str(uuid5(NAMESPACE, f"correction/{correction.answer}/{correction.face}/{said}"))


def in_words(error: MairrorError) -> str:
    """A failure as the visitor reads it."""
    if isinstance(error, InvalidInput):
        return f"This was not taken: {error.detail}."
    return "Your correction could not be delivered: the broker does not answer. Please send it again in a moment."
