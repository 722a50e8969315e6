"""Every metric of Mairror: name, meaning, and what to do when it is high.

docs/metrics.md is made from this table. Labels are of low cardinality on purpose: no frame, stream or
session id. Collectors are built on first use, so importing this module twice registers nothing twice.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from prometheus_client import Counter, Gauge, Histogram

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.5, 5.0)
BATCH = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
BYTES = tuple(1024.0 * size for size in (4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096))


@dataclass(frozen=True)
class Metric:
    """One metric."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    if_high: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


FRAMES_CAPTURED = Metric(
    "mairror_frames_captured_total",
    "counter",
    "Frames taken from a source.",
    "Nothing: it is the demand. Compare with mairror_frames_published_total.",
    ("origin",),
)
FRAMES_PUBLISHED = Metric(
    "mairror_frames_published_total",
    "counter",
    "Frames handed to Kafka, by outcome of the delivery.",
    "outcome=failed above 0: the broker refuses or is away; look at the producer's log and the broker.",
    ("origin", "outcome"),
)
FRAMES_DROPPED = Metric(
    "mairror_frames_dropped_total",
    "counter",
    "Frames dropped on purpose, by cause (superseded, expired, late, retention).",
    "The model is slower than the sources: add processors or partitions, lower fps, or use a faster preset.",
    ("stage", "cause"),
)
FRAME_BYTES = Metric(
    "mairror_frame_bytes",
    "histogram",
    "Size of published frames.",
    "Lower MAIRROR_PRODUCER__JPEG_QUALITY or MAIRROR_PRODUCER__MAX_EDGE.",
    ("origin",),
    BYTES,
)
FRAMES_UNANSWERED = Metric(
    "mairror_frames_unanswered",
    "gauge",
    "Frames of this producer sent and not yet answered (the window).",
    "At its limit all the time: the processor is the bottleneck, or its answers do not come back.",
)
STREAMS_ONLINE = Metric(
    "mairror_streams_online", "gauge", "Streams this process sends or serves right now.", "Nothing: it is the load."
)
FRAMES_ANSWERED = Metric(
    "mairror_frames_answered_total", "counter", "Frames answered.", "Nothing: it is the work done.", ("origin",)
)
FACES_DETECTED = Metric(
    "mairror_faces_detected_total",
    "counter",
    "Faces found, by what became of them (aged, or the reason there is no age).",
    "Many abstained: cameras too far away, too dark or badly focused; the reason says which.",
    ("result",),
)
STAGE_SECONDS = Metric(
    "mairror_stage_duration_seconds",
    "histogram",
    "Time of one batch in a stage (queue, decode, detect, estimate, publish).",
    "queue: too few processors. detect, estimate: too few cores, or a slower preset. publish: the broker is slow.",
    ("stage",),
    SECONDS,
)
BATCH_FRAMES = Metric(
    "mairror_batch_frames",
    "histogram",
    "Frames answered together.",
    "High while latency is low: good. High and late: lower MAIRROR_PROCESSOR__GATHER.",
    (),
    BATCH,
)
BATCH_FACES = Metric(
    "mairror_batch_faces",
    "histogram",
    "Faces estimated together, before padding.",
    "As mairror_batch_frames.",
    (),
    BATCH,
)
LATENCY_SECONDS = Metric(
    "mairror_end_to_end_latency_seconds",
    "histogram",
    "From capture to the hand-over of the answer; frames with skewed clocks are left out.",
    "Above 0.5 answers are dropped as late: see mairror_stage_duration_seconds for the stage that is slow.",
    ("origin",),
    SECONDS,
)
DEAD_LETTERS = Metric(
    "mairror_dead_letters_total",
    "counter",
    "Records that could not be answered, by reason.",
    "`mairror tail --topic dead-letters` shows them with topic, partition, offset and reason.",
    ("reason",),
)
BATCH_RETRIES = Metric(
    "mairror_batch_retries_total",
    "counter",
    "Batches tried again after an exception.",
    "The processor's log has the exception; a frame that keeps failing is dead-lettered.",
)
CONSUMER_LAG = Metric(
    "mairror_consumer_lag_records",
    "gauge",
    "Records waiting: end offset minus committed offset.",
    "Grows: too few processors (or sinks) for the load. Stands still above 0: see /livez of that process.",
    ("topic",),
)
FRAMES_HELD = Metric(
    "mairror_frames_held",
    "gauge",
    "Frames taken from Kafka and not yet acknowledged.",
    "At its limit: the model is the bottleneck.",
)
SINK_SECONDS = Metric(
    "mairror_sink_write_duration_seconds",
    "histogram",
    "Time of one bulk write.",
    "The store is slow: look at its disk and indexes.",
    ("sink",),
    SECONDS,
)
SINK_DOCUMENTS = Metric(
    "mairror_sink_documents_total", "counter", "Documents written, by collection.", "Nothing.", ("collection",)
)
SINK_PAUSED = Metric(
    "mairror_sink_paused", "gauge", "1 while the sink waits for its store.", "The store is away: start or mend it."
)
LIVE_SUBSCRIBERS = Metric(
    "mairror_live_subscribers", "gauge", "Viewers of live streams in this process.", "Nothing: it is the load."
)
LIVE_SKIPPED = Metric(
    "mairror_live_skipped_total",
    "counter",
    "Live records a viewer did not see because a newer one came first, by topic.",
    "Viewers are slower than the streams: their network, or too many of them for this process.",
    ("topic",),
)
WEBCAMS = Metric(
    "mairror_webcams", "gauge", "Webcams that send through this dashboard right now.", "Nothing: it is load."
)
WEBCAM_TRANSPORT = Metric(
    "mairror_webcam_transport_total",
    "counter",
    "Webcams by the way their pictures came first: webrtc, or websocket and why (chosen, no_connection, lost).",
    "Many no_connection: UDP does not reach the dashboard; open it, or set MAIRROR_DASHBOARD__ICE_SERVERS to a TURN.",
    ("transport", "why"),
)
HTTP_REQUESTS = Metric(
    "mairror_http_requests_total",
    "counter",
    "Requests the gateway answered, by route and status.",
    "status 5xx above 0: the gateway's log has a line for each, with the id the client was told.",
    ("route", "method", "status"),
)
HTTP_SECONDS = Metric(
    "mairror_http_request_duration_seconds",
    "histogram",
    "From a request's first byte to the last byte of its answer, by route; waiting and live routes wait on purpose.",
    "Uploads: see Server-Timing for the part that is slow; raise MAIRROR_UPLOAD__WORKERS when it is decode.",
    ("route",),
    SECONDS,
)
MODEL_INFO = Metric(
    "mairror_model_info", "gauge", "1, with the model's name and hash as labels.", "Nothing.", ("preset", "sha256")
)
BUILD_INFO = Metric("mairror_build_info", "gauge", "1, with the version as label.", "Nothing.", ("version",))

METRICS: tuple[Metric, ...] = (
    FRAMES_CAPTURED,
    FRAMES_PUBLISHED,
    FRAMES_DROPPED,
    FRAME_BYTES,
    FRAMES_UNANSWERED,
    STREAMS_ONLINE,
    FRAMES_ANSWERED,
    FACES_DETECTED,
    STAGE_SECONDS,
    BATCH_FRAMES,
    BATCH_FACES,
    LATENCY_SECONDS,
    DEAD_LETTERS,
    BATCH_RETRIES,
    CONSUMER_LAG,
    FRAMES_HELD,
    SINK_SECONDS,
    SINK_DOCUMENTS,
    SINK_PAUSED,
    LIVE_SUBSCRIBERS,
    LIVE_SKIPPED,
    WEBCAMS,
    WEBCAM_TRANSPORT,
    HTTP_REQUESTS,
    HTTP_SECONDS,
    MODEL_INFO,
    BUILD_INFO,
)


@lru_cache(maxsize=None)
def counter(metric: Metric) -> Counter:
    """The counter of this row."""
    return Counter(metric.name.removesuffix("_total"), metric.help, metric.labels)


@lru_cache(maxsize=None)
def gauge(metric: Metric) -> Gauge:
    """The gauge of this row."""
    return Gauge(metric.name, metric.help, metric.labels)


@lru_cache(maxsize=None)
def histogram(metric: Metric) -> Histogram:
    """The histogram of this row."""
    return Histogram(metric.name, metric.help, metric.labels, buckets=metric.buckets)
