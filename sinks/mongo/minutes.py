"""One document per stream and minute, made from the frame documents before they expire.

Recomputed whole and upserted, so doing it twice changes nothing; late answers make their minute due again.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from pymongo.errors import PyMongoError
from pymongo.operations import UpdateOne

from contracts.errors import RetryableError
from contracts.settings import MongoSettings
from sinks.mongo.store import Document, Store

SETTLE = timedelta(seconds=5)
"""A minute is summed up when it is over for this long."""
BUCKET_YEARS = 10


class Minutes:
    """Which minutes are due, and their summing up."""

    def __init__(self, store: Store, settings: MongoSettings) -> None:
        self._store, self._settings = store, settings
        self._due: set[tuple[str, datetime]] = set()

    def touch(self, stream: str, captured_at: datetime) -> None:
        """An answer of this minute was written."""
        self._due.add((stream, captured_at.astimezone(UTC).replace(second=0, microsecond=0)))

    def sum_up(self, now: datetime | None = None) -> int:
        """Write the minutes that are over; returns how many.

        A minute whose frames may already have expired is left as it was written before.

        Raises:
            RetryableError: the store does not answer.
        """
        moment = now or datetime.now(UTC)
        oldest = moment - timedelta(minutes=self._settings.frame_minutes) + timedelta(minutes=1)
        over = {due for due in self._due if due[1] + timedelta(minutes=1) + SETTLE <= moment}
        try:
            for stream, minute in over:
                if minute >= oldest:
                    self._write(stream, minute)
        except PyMongoError as error:
            raise RetryableError(f"the store does not answer: {error}") from error
        self._due -= over
        return len(over)

    def _write(self, stream: str, minute: datetime) -> None:
        found = self._store.database["frames"].find(
            {"stream": stream, "frame.captured_at": {"$gte": minute, "$lt": minute + timedelta(minutes=1)}},
            {"faces": 1, "timing_ms.total": 1},
        )
        fields = summary(found) | {"stream": stream, "minute": minute}
        fields["expires_at"] = minute + timedelta(days=self._settings.history_days)
        id = f"{stream}/{minute.isoformat()}"
        self._store.database["minutes"].bulk_write([UpdateOne({"_id": id}, {"$set": fields}, upsert=True)])


def summary(answers: Iterable[Document]) -> dict[str, Any]:
    """Counts, ages by decade and latency of some answers."""
    frames = faces = abstained = 0
    decades: Counter[str] = Counter()
    ages: list[float] = []
    latencies: list[float] = []
    tracks: set[str] = set()
    for answer in answers:
        frames += 1
        latency = answer.get("timing_ms", {}).get("total")
        if latency is not None:
            latencies.append(latency)
        for face in answer.get("faces", []):
            faces += 1
            if face.get("track"):
                tracks.add(face["track"])
            if face.get("age") is None:
                abstained += 1
            else:
                ages.append(face["age"]["years"])
                decades[str(int(face["age"]["years"]) // BUCKET_YEARS * BUCKET_YEARS)] += 1
    return {
        "frames": frames,
        "faces": faces,
        "abstained": abstained,
        "tracks": len(tracks),
        "decades": dict(decades),
        "median_age": round(median(ages), 2) if ages else None,
        "median_latency_ms": round(median(latencies), 1) if latencies else None,
    }
