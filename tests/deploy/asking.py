"""What a broker says of itself: its properties, its topics' properties, who has which partitions."""

from typing import Any

from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType


def configs(bootstrap: str, kind: ResourceType, name: str) -> dict[str, str | None]:
    """Every property of a broker (`1`) or topic, with its value."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    (future,) = admin.describe_configs([ConfigResource(kind, name)]).values()
    return {key: entry.value for key, entry in future.result(15).items()}


def assigned(bootstrap: str, group: str) -> list[set[tuple[str, int]]]:
    """The partitions of every member of a group."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    found: Any = admin.describe_consumer_groups([group])[group].result(15)
    return [
        {(place.topic, place.partition) for place in member.assignment.topic_partitions} for member in found.members
    ]
