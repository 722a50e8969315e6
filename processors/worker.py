"""Runs a processor as a process: weights, warm-up, topics, Faust, health.

Start order matters: the model is warm before the first frame is taken, and Faust starts only when every
partition it will read has a leader.
"""

import logging
from typing import Any

import cv2
import faust
import structlog

from contracts.admin import wait_for_leaders
from contracts.health import HealthServer
from contracts.lag import LagReader
from contracts.metrics import MODEL_INFO, gauge
from contracts.publishing import Publisher
from contracts.settings import Settings
from contracts.topics import AGES, DEAD_LETTERS, FRAMES_LIVE, FRAMES_UPLOAD, OUTCOMES, STREAMS, TRACKS
from model.detector import FaceDetector
from model.manifest import load_preset
from model.thorough import ThoroughDetector
from model.weights import path_of, weights_folder
from processors.app import attach, create_app
from processors.engine import Engine
from processors.liveness import StallWatch
from processors.pipeline import Pipeline

log = structlog.get_logger()

READ = (FRAMES_LIVE.name, FRAMES_UPLOAD.name)
WRITTEN = (AGES.name, TRACKS.name, OUTCOMES.name, STREAMS.name, DEAD_LETTERS.name)
TOPICS_SECONDS = 300.0


def build_pipeline(settings: Settings) -> Pipeline:
    """The model named by the settings, warmed up.

    Raises:
        FatalError: no such preset, or its weights are not there.
    """
    from model.backend import configure_backend

    configure_backend(settings.processor.model_threads)
    # frames are decoded and detected side by side in our own pool: threads inside each would only get in its way
    cv2.setNumThreads(1)
    from model.estimator import AgeEstimator

    manifest = load_preset(settings.model.preset)
    yunet = path_of("yunet", settings.cache)
    edge, score = settings.model.detector_edge, settings.model.detector_score
    estimator = AgeEstimator(
        manifest, weights_folder(settings.cache), settings.processor.batch_sizes, settings.model.heads
    )
    pipeline = Pipeline(
        FaceDetector(yunet, edge, score),
        ThoroughDetector(yunet, edge, score),
        estimator,
        manifest,
        settings.model,
        threads=settings.processor.decode_threads,
        max_faces=settings.processor.max_faces,
    )
    pipeline.warm_up()
    gauge(MODEL_INFO).labels(preset=manifest.name, sha256=manifest.sha256).set(1)
    return pipeline


class _Worker(faust.Worker):
    """Faust's own worker, without its logging set-up (ours is in place) and with a drain before it stops."""

    def __init__(self, app: faust.App, engine: Engine, **kwargs: Any) -> None:
        super().__init__(app, **kwargs)
        self._engine = engine

    def _setup_logging(self) -> None:
        """Ours is in place."""

    async def on_execute(self) -> None:
        """Faust prints a banner here; a service has a log."""

    async def maybe_start_blockdetection(self) -> None:
        """Off: it reports a model that computes as a blocked loop."""


def run(settings: Settings) -> int:
    """Serve until a signal; returns the exit code."""
    state = {"ready": "the model is loading"}
    watch: StallWatch | None = None
    health = HealthServer(
        settings.web,
        live=lambda: watch.problem() if watch else None,
        ready=lambda: state.get("ready"),
    )
    log.info("processor_starting", port=health.port, preset=settings.model.preset)
    pipeline = build_pipeline(settings)
    state["ready"] = "waiting for the topics"
    wait_for_leaders(settings.kafka, [*READ, *WRITTEN], timeout=TOPICS_SECONDS)
    publisher = Publisher(settings.kafka)
    engine = Engine(pipeline, publisher, settings.processor)
    app = create_app(settings)
    attach(app, engine)
    watch = StallWatch(
        LagReader(settings.kafka, settings.processor.group, READ),
        lambda: engine.acknowledgements.acknowledged,
        settings.processor.stall_seconds,
    )
    state["ready"] = "waiting for partitions"

    async def assigned(_sender: Any, /, *args: Any, **_kwargs: Any) -> None:
        log.info("partitions_assigned", count=len(args[0]))
        state.pop("ready", None)

    async def draining(_sender: Any, /, *_args: Any, **_kwargs: Any) -> None:
        log.info("processor_draining", held=len(engine.acknowledgements))
        await engine.stop()

    app.on_partitions_assigned.connect(assigned, weak=False)
    app.on_before_shutdown.connect(draining, weak=False)
    watch.start()
    code = 1
    try:
        _Worker(app, engine, loglevel=logging.WARNING, redirect_stdouts=False).execute_from_commandline()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        watch.close()
        publisher.close()
        health.close()
    return code
