"""Who may do what on Kafka: one user a component, with exactly what the topic table gives it.

Strimzi's KafkaUsers are made from this; a test runs every service on a real broker that grants nothing else.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from contracts.topics import MONGO_GROUP, PROCESSOR_GROUP, READER_GROUP, TOPICS

Resource = Literal["topic", "group"]
Operation = Literal["Describe", "Read", "Write"]

WATCHED_GROUPS: dict[str, tuple[str, ...]] = {
    "producer": (PROCESSOR_GROUP,),
    "gateway": (PROCESSOR_GROUP,),
    "dashboard": (PROCESSOR_GROUP, MONGO_GROUP),
    "cli": (PROCESSOR_GROUP, MONGO_GROUP),
}
"""Component -> groups whose committed offsets it looks at (`contracts.lag`) without being a member."""


@dataclass(frozen=True, order=True)
class Right:
    """One thing a component may do. Names are literal, never prefixes."""

    resource: Resource
    name: str
    operations: tuple[Operation, ...]


def components() -> tuple[str, ...]:
    """Every component that reads or writes a topic, in alphabetical order."""
    return tuple(sorted({name for topic in TOPICS for name in (*topic.writers, *topic.readers)}))


def rights_of(component: str) -> tuple[Right, ...]:
    """What this component's user is allowed, topics first."""
    return tuple(sorted(_on_topics(component), key=lambda right: right.name)) + tuple(sorted(_on_groups(component)))


def _on_topics(component: str) -> Iterator[Right]:
    for topic in TOPICS:
        operations: list[Operation] = []
        if component in topic.readers:
            operations.append("Read")
        if component in topic.writers:
            operations.append("Write")
        if operations:
            # wait_for_leaders and lag readers ask for metadata and offsets
            yield Right("topic", topic.name, ("Describe", *operations))


def _on_groups(component: str) -> Iterator[Right]:
    joined = {topic.readers[component] for topic in TOPICS if component in topic.readers} - {None}
    for group in joined:
        assert group is not None
        yield Right("group", group, ("Describe", "Read"))
    looked_at = set(WATCHED_GROUPS.get(component, ()))
    if any(component in topic.readers and topic.readers[component] is None for topic in TOPICS):
        # readers that assign() join no group, but the client still looks up who coordinates the one they name
        looked_at.add(READER_GROUP)
    for group in sorted(looked_at - joined):
        yield Right("group", group, ("Describe",))
