"""Reads what the sink has written: answers of uploads, history and newest answers of streams.

The only place outside the sink that talks to the store. Answers come back as they were on their topic.
"""

from datetime import datetime

import msgspec
from pymongo import DESCENDING
from pymongo.errors import PyMongoError

from contracts.answers import Answer
from contracts.errors import RetryableError
from contracts.settings import MongoSettings
from sinks.mongo.history import History, answer_of
from sinks.mongo.store import Document, connect

MAX_HISTORY = 1000
"""Most answers of one call."""
MAX_STREAMS = 1000


class StoreReader:
    """Safe from several threads. Makes no connection before the first question."""

    def __init__(self, settings: MongoSettings) -> None:
        self._client = connect(settings)
        self._database = self._client[settings.database]
        self.history = History(self._database)
        """What was seen over time."""

    def find_upload(self, upload: str) -> Answer | None:
        """The newest answer to an upload, or None.

        Raises:
            RetryableError: the store does not answer.
        """
        found = self._find("uploads", {"stream": f"upload/{upload}"}, "frame.captured_at", 1)
        return answer_of(found[0]) if found else None

    def stream_history(
        self, stream: str, since: datetime | None = None, until: datetime | None = None, limit: int = 100
    ) -> list[Answer]:
        """Answers of a stream captured in `since` <= t < `until`, newest first, at most `limit` (1..1000).

        Raises:
            RetryableError: the store does not answer.
        """
        span = {key: value for key, value in (("$gte", since), ("$lt", until)) if value is not None}
        query: Document = {"stream": stream} | ({"frame.captured_at": span} if span else {})
        return [answer_of(document) for document in self._find("frames", query, "frame.captured_at", limit)]

    def latest(self, stream: str) -> Answer | None:
        """The newest answer of a stream, however old, or None.

        Raises:
            RetryableError: the store does not answer.
        """
        found = self._find("latest", {"_id": stream}, "_id", 1)
        return msgspec.convert(found[0]["answer"], Answer) if found else None

    def streams(self) -> list[str]:
        """Ids of the streams that were ever answered, those captured last first; at most `MAX_STREAMS`.

        Raises:
            RetryableError: the store does not answer.
        """
        return [str(document["_id"]) for document in self._find("latest", {}, "captured_at", MAX_STREAMS)]

    def _find(self, collection: str, query: Document, newest_by: str, limit: int) -> list[Document]:
        most = max(1, min(limit, MAX_HISTORY))
        try:
            return list(self._database[collection].find(query).sort(newest_by, DESCENDING).limit(most))
        except PyMongoError as error:
            raise RetryableError(f"the store does not answer: {error}"[:300]) from error

    def close(self) -> None:
        """Free the connections."""
        self._client.close()
