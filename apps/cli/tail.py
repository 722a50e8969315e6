"""`mairror tail`: the newest records of a topic, one a line."""

import signal
import sys
from types import FrameType
from typing import Annotated

import typer
from confluent_kafka import Message

from apps.cli.output import people, print_json
from apps.cli.stack import AsJson, running_settings
from contracts.answers import Answer, decode_answer
from contracts.cloudevents import header_texts
from contracts.reading import TopicReader
from contracts.topics import AGES, Topic, by_short_name


def tail(
    topic: Annotated[str, typer.Option(help="Topic, e.g. ages, tracks, outcomes, streams, dead-letters.")] = "ages",
    stream: Annotated[str | None, typer.Option(help="Only this stream.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="End after this many records.")] = None,
    since: Annotated[float | None, typer.Option(min=0, help="Begin this many seconds ago instead of now.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="End when nothing came for this long.")] = None,
    as_json: AsJson = False,
) -> None:
    """Follow a topic. For people on a terminal, JSON lines otherwise or with --json."""
    settings = running_settings()
    wanted = by_short_name(topic)
    start = None if since is None else _since(since)
    reader = TopicReader(settings.kafka, [wanted.name], start)
    stopping: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        stopping.append(number)

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    short = not as_json and sys.stdout.isatty()
    shown, silent = 0, 0.0
    try:
        while not stopping and (limit is None or shown < limit) and (seconds is None or silent < seconds):
            message = reader.poll(0.1)
            silent = silent + 0.1 if message is None else 0.0
            if message is None or not _of_stream(message, stream):
                continue
            shown += 1
            _show(wanted, message, short)
    finally:
        reader.close()
    if limit is not None and shown < limit and not stopping:
        raise typer.Exit(1)


def _since(seconds: float) -> float:
    import time

    return time.time() - seconds


def _of_stream(message: Message, stream: str | None) -> bool:
    """Keys are the stream, `stream/writer`, or a track id `stream:...`."""
    if stream is None:
        return True
    key = message.key() or b""
    text = key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key)
    return text == stream or text.startswith((f"{stream}/", f"{stream}:"))


def _show(topic: Topic, message: Message, short: bool) -> None:
    body = message.value() or b""
    headers = header_texts(message)
    if headers.get("content-type", "").startswith("image/") or "mairror-reason" in headers:
        # a picture is never printed; what is known about it is
        print_json({"topic": topic.name, "offset": message.offset(), "bytes": len(body), "headers": headers})
    elif short and topic is AGES:
        people.print(_sentence(decode_answer(body)), markup=False, soft_wrap=True)
    else:
        print(body.decode() if isinstance(body, bytes) else body, flush=True)


def _sentence(answer: Answer) -> str:
    faces = []
    for face in answer.faces:
        if face.age is None:
            faces.append(f"no age: {face.abstained.detail if face.abstained else 'unsure'}")
        else:
            years, low, high = face.age.for_people()
            faces.append(f"about {years:.0f} ({low:.0f}-{high:.0f})")
    total = answer.timing_ms.total
    latency = f"{total:.0f} ms" if total is not None else "clock?"
    return f"{answer.stream} #{answer.frame.sequence}  {latency:>8}  {'; '.join(faces) or 'no face'}"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(tail)
