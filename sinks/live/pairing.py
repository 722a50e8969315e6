"""Brings a frame and its answer together by frame id, for viewers who want to see both.

Guarantee: never goes back (a late pair of the same connection is left out), and holds at most `MAX_FRAMES` frames of
`MAX_BYTES` in all and `MAX_ANSWERS` answers, whatever is missing.
"""

from collections import OrderedDict
from dataclasses import dataclass

import structlog

from contracts.answers import Answer, decode_answer
from contracts.errors import InvalidInput
from contracts.limits import MIB
from contracts.topics import AGES, FRAMES_LIVE
from sinks.live.subscription import LiveItem

log = structlog.get_logger()

MAX_FRAMES = 90
"""Three seconds of the fastest stream: an answer later than that is none of live."""
MAX_BYTES = 16 * MIB
MAX_ANSWERS = 30


@dataclass(frozen=True, slots=True)
class Pair:
    """A frame as it was sent (JPEG) and its answer."""

    jpeg: bytes
    answer: Answer


class Pairing:
    """The pairs of one stream. Feed it from one thread."""

    def __init__(self) -> None:
        self._frames: OrderedDict[str, bytes] = OrderedDict()
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._bytes = 0
        self._last = ("", -1)

    def take(self, item: LiveItem) -> Pair | None:
        """Take a frame or an answer; returns the pair it completes, if it is newer than the last one."""
        if item.topic == FRAMES_LIVE.name:
            return self._frame(item.headers.get("ce_id", b"").decode("ascii", "replace"), item.value)
        if item.topic == AGES.name:
            try:
                return self._answer(decode_answer(item.value))
            except InvalidInput as error:
                log.warning("answer_refused", stream=item.stream, error=str(error))
        return None

    def _frame(self, identity: str, jpeg: bytes) -> Pair | None:
        answer = self._answers.pop(identity, None)
        if answer is not None:
            return self._newer(Pair(jpeg, answer))
        self._bytes += len(jpeg) - len(self._frames.pop(identity, b""))
        self._frames[identity] = jpeg
        while len(self._frames) > MAX_FRAMES or self._bytes > MAX_BYTES:
            self._bytes -= len(self._frames.popitem(last=False)[1])
        return None

    def _answer(self, answer: Answer) -> Pair | None:
        jpeg = self._frames.pop(answer.frame.id, None)
        if jpeg is not None:
            self._bytes -= len(jpeg)
            return self._newer(Pair(jpeg, answer))
        # topics are read side by side, so an answer may come a moment before its frame
        self._answers[answer.frame.id] = answer
        if len(self._answers) > MAX_ANSWERS:
            self._answers.popitem(last=False)
        return None

    def _newer(self, pair: Pair) -> Pair | None:
        connection, sequence = pair.answer.frame.connection, pair.answer.frame.sequence
        if connection == self._last[0] and sequence <= self._last[1]:
            return None
        self._last = (connection, sequence)
        return pair
