"""The store: collections, indexes, retention. Works on MongoDB and on the built-in server alike.

Only what both have is used: no transactions, no change streams, no update pipelines. TTL indexes exist for
MongoDB; the built-in server does not act on them, so old documents are also deleted here.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel, MongoClient
from pymongo.errors import BulkWriteError, ConfigurationError, PyMongoError
from pymongo.operations import UpdateOne

from contracts.errors import FatalError, RetryableError
from contracts.metrics import SINK_DOCUMENTS, counter
from contracts.settings import MongoSettings

Document = dict[str, Any]
Write = tuple[str, UpdateOne]
"""Collection and operation."""

SERVER_TIMEOUT_MS = 3000
DUPLICATE_KEY = 11000

EXPIRES = IndexModel([("expires_at", ASCENDING)], name="expires", expireAfterSeconds=0)

INDEXES: dict[str, list[IndexModel]] = {
    "frames": [IndexModel([("stream", ASCENDING), ("frame.captured_at", DESCENDING)], name="stream_time"), EXPIRES],
    "uploads": [
        IndexModel([("frame.captured_at", DESCENDING)], name="time"),
        IndexModel([("stream", ASCENDING)], name="stream"),
        EXPIRES,
    ],
    "latest": [],
    "tracks": [
        IndexModel([("stream", ASCENDING), ("last_seen", DESCENDING)], name="stream_time"),
        IndexModel([("last_seen", DESCENDING)], name="time"),
        EXPIRES,
    ],
    "minutes": [
        IndexModel([("stream", ASCENDING), ("minute", DESCENDING)], name="stream_minute"),
        IndexModel([("minute", DESCENDING)], name="minute"),
        EXPIRES,
    ],
    "outcomes": [IndexModel([("stream", ASCENDING), ("at", DESCENDING)], name="stream_time"), EXPIRES],
    "streams": [IndexModel([("at", DESCENDING)], name="time")],
    "corrections": [IndexModel([("answer", ASCENDING)], name="answer"), EXPIRES],
    "dead_letters": [IndexModel([("at", DESCENDING)], name="time"), EXPIRES],
}
"""Every collection and its indexes, besides `_id`."""


def connect(settings: MongoSettings) -> MongoClient[Document]:
    """A client that gives up on a silent server after 3 s and keeps UTC times aware.

    Raises:
        FatalError: the connection string makes no sense.
    """
    try:
        return MongoClient(
            settings.uri,
            tz_aware=True,
            serverSelectionTimeoutMS=SERVER_TIMEOUT_MS,
            connectTimeoutMS=SERVER_TIMEOUT_MS,
            appname="mairror",
        )
    except (ConfigurationError, ValueError) as error:
        raise FatalError(f"MAIRROR_MONGO__URI is not a usable connection string: {error}") from error


def ping(uri: str) -> bool:
    """Whether a store answers at this address."""
    client: MongoClient[Document] = MongoClient(uri, serverSelectionTimeoutMS=1000, connectTimeoutMS=1000)
    try:
        client.admin.command("ping")
    except PyMongoError:
        return False
    finally:
        client.close()
    return True


class Store:
    """Writes documents. One thread owns it.

    Guarantee: `write` returns when the server has taken all of it; doing it again changes nothing.
    """

    def __init__(self, settings: MongoSettings) -> None:
        self._client = connect(settings)
        self.database = self._client[settings.database]

    def prepare(self) -> None:
        """Make the indexes that are missing.

        Raises:
            RetryableError: the store does not answer.
        """
        try:
            for collection, indexes in INDEXES.items():
                if indexes:
                    self.database[collection].create_indexes(indexes)
        except PyMongoError as error:
            raise RetryableError(f"the store does not answer: {error}") from error

    def answers(self) -> bool:
        """Whether the server answers now."""
        try:
            self._client.admin.command("ping")
        except PyMongoError:
            return False
        return True

    def write(self, writes: Sequence[Write]) -> None:
        """Write in bulk, one round trip a collection.

        Raises:
            RetryableError: the store is away or refused to write; nothing may be assumed written.
        """
        grouped: dict[str, list[UpdateOne]] = {}
        for collection, operation in writes:
            grouped.setdefault(collection, []).append(operation)
        for collection, operations in grouped.items():
            try:
                self.database[collection].bulk_write(operations, ordered=False)
            except BulkWriteError as error:
                _refuse_unless_stale(collection, error)
            except PyMongoError as error:
                raise RetryableError(f"the store did not take {len(operations)} {collection}: {error}") from error
            counter(SINK_DOCUMENTS).labels(collection=collection).inc(len(operations))

    def sweep(self, now: datetime | None = None) -> int:
        """Delete what has expired; returns how many documents.

        Raises:
            RetryableError: the store does not answer.
        """
        moment = now or datetime.now(UTC)
        deleted = 0
        try:
            for collection, indexes in INDEXES.items():
                if EXPIRES in indexes:
                    deleted += self.database[collection].delete_many({"expires_at": {"$lt": moment}}).deleted_count
        except PyMongoError as error:
            raise RetryableError(f"the store does not answer: {error}") from error
        return deleted

    def close(self) -> None:
        """Free the connections."""
        self._client.close()


def _refuse_unless_stale(collection: str, error: BulkWriteError) -> None:
    """Guarded by time: an older record finds no match and collides on `_id`. That is meant, and no failure."""
    details = error.details or {}
    problems = [item for item in details.get("writeErrors", []) if item.get("code") != DUPLICATE_KEY]
    if problems or details.get("writeConcernErrors"):
        raise RetryableError(f"the store refused {len(problems)} {collection}: {str(problems[:1])[:300]}") from error
