"""Logging of every process: structured, to stderr, an event name and fields; never image bytes or secrets."""

import logging
import sys
from typing import Any

import structlog

from contracts.settings import Settings

# Libraries that speak of every connection at info level.
NOISY = (
    "aioice",
    "aiokafka",
    "aiortc",
    "faust",
    "mode",
    "pymongo",
    "asyncio",
    "matplotlib",
    "PIL",
    "streamlit_webrtc",
    "urllib3",
)


def drop_bytes(_logger: Any, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Replace bytes by their length: a picture or a token in a log line is a leak, whoever wrote the line."""
    return {
        key: f"<{len(value)} bytes>" if isinstance(value, (bytes, bytearray, memoryview)) else value
        for key, value in event.items()
    }


def configure_logging(settings: Settings, service: str) -> None:
    """Set up structlog and the standard library's logging once, at the start of a process."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    console = settings.log_format == "console" or (settings.log_format == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        drop_bytes,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            renderer,
        ],
    )
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in NOISY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    structlog.contextvars.bind_contextvars(service=service)
