"""The System page's numbers: what each is now, what it means, and what to do when it is not what it should be."""

from typing import NamedTuple

from apps.dashboard.health import Facts, dropped, dropped_share

UNKNOWN = "?"
CAUSES = {
    "superseded": "a newer picture was taken before this one could be sent",
    "expired": "it waited for more than half a second and was not looked at any more",
    "late": "it was answered, but too late to be of use",
    "retention": "it was deleted unread after two minutes; nothing was answering",
}
"""Why a picture is dropped."""
STAGES = {
    "capture_to_ingest": "taken, packed and sent to the message broker",
    "queue": "waiting for the processor",
    "decode": "unpacking the picture",
    "detect": "finding faces",
    "estimate": "estimating ages",
    "publish": "the broker confirming the answers",
}
"""What happens in each stage."""


class Number(NamedTuple):
    """One number for people."""

    name: str
    value: str
    means: str
    act: str


def numbers(facts: Facts) -> list[Number]:
    """All of them, most looked at first."""
    waiting, total, state = facts.waiting, facts.pulse.total, facts.state
    answered = sum(entry.fps for entry in facts.online)
    dead = None if waiting.dead_letters is None else sum(waiting.dead_letters.values())
    return [
        Number(
            "Streams",
            f"{len(facts.online)}",
            "Cameras, files and webcams that send pictures now.",
            "A stream you expect is missing: look at the program that sends it; it is offline after 15 s of silence.",
        ),
        Number(
            "Answers a second",
            f"{answered:.0f}",
            "Live pictures answered a second, all streams together.",
            "Lower than the cameras send: the difference is dropped; see the causes.",
        ),
        Number(
            "Time to answer",
            UNKNOWN if total is None else f"{total.p95:.0f} ms",
            "95 of 100 answers of the last minute were there sooner, counted from when the picture was taken.",
            "Over 400 ms: see which stage is slow. Queue: add a processor. Detect, estimate: fewer pictures a second.",
        ),
        Number(
            "Dropped",
            f"{dropped_share(facts.online):.0%}",
            "Pictures left out on purpose since the streams began, so that the others are answered in time.",
            "A high share is no fault: the model is slower than the cameras. Lower their rate or add a processor.",
        ),
        Number(
            "Live waiting",
            _count(waiting.live),
            "Sent and not yet answered, as the broker counts.",
            "Some dozens are normal. Growing: no processor is running, or it is stuck; look at the services.",
        ),
        Number(
            "Photos waiting",
            _count(waiting.uploads),
            "Uploaded pictures not yet answered. They are never dropped.",
            "Growing: more photos come than are answered; they will all be answered, later.",
        ),
        Number(
            "Results to store",
            _count(waiting.to_store),
            "Answers not yet in the history.",
            "Thousands, and growing: the store is away or slow. Nothing is lost; it is written when the store is back.",
        ),
        Number(
            "Not answerable",
            _count(dead),
            "Pictures of the last day that could not be answered, with a reason each.",
            "`mairror tail --topic dead-letters` shows them. Broken files are normal, everything else is worth a look.",
        ),
        Number(
            "Disk",
            UNKNOWN if state is None or not state.data_cap_mb else f"{state.data_mb / state.data_cap_mb:.0%}",
            "Of the space the data folder may take"
            + (f": {state.data_mb:,.0f} of {state.data_cap_mb:,.0f} MB." if state else ".")
            + " Old records go by themselves.",
            "Near 100 %: raise `MAIRROR_DATA_CAP_GB`, or begin anew with `mairror reset`.",
        ),
    ]


def _count(number: int | None) -> str:
    return UNKNOWN if number is None else f"{number:,}"


def dropped_rows(facts: Facts) -> list[dict[str, str | int]]:
    """Drops by cause."""
    return [
        {"cause": cause, "pictures": number, "what happened": CAUSES[cause]}
        for cause, number in dropped(facts.online).items()
    ]


def dead_letter_rows(facts: Facts) -> list[dict[str, str | int]]:
    """Dead letters by reason, most frequent first."""
    found = facts.waiting.dead_letters or {}
    rows = sorted(found.items(), key=lambda item: -item[1])
    return [{"reason": reason.replace("_", " "), "pictures": number} for reason, number in rows]


def stage_rows(facts: Facts) -> list[dict[str, str | float]]:
    """Milliseconds by stage, in the order a picture goes through them."""
    return [
        {
            "stage": stage.name.replace("_", " "),
            "half are below, ms": round(stage.p50, 1),
            "95 % are below, ms": round(stage.p95, 1),
            "what happens": STAGES[stage.name],
        }
        for stage in facts.pulse.stages
    ]
