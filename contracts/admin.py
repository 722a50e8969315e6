"""Topics on a broker: make what is missing, mend what differs, wait until every partition has a leader."""

from collections.abc import Mapping, Sequence

import stamina
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from contracts.errors import FatalError, RetryableError
from contracts.kafka import KafkaSettings
from contracts.topics import TOPICS, Topic, scale_for, short_name

TIMEOUT = 15.0


def admin_client(kafka: KafkaSettings) -> AdminClient:
    """An admin client that does not write to stderr while the broker is away."""
    return AdminClient(kafka.librdkafka(socket_timeout_ms=10_000))


def apply_topics(
    kafka: KafkaSettings, retention: Mapping[str, float] | None = None, topics: Sequence[Topic] = TOPICS
) -> list[str]:
    """Bring the broker's topics in line with the table. Doing it again changes nothing.

    Args:
        kafka: where, and how many partitions and replicas.
        retention: seconds by short topic name, instead of the table's (drills and tests).
        topics: which topics.

    Returns:
        One line for each change made.

    Raises:
        RetryableError: the broker did not answer.
        FatalError: the broker refused a topic; the message names it.
    """
    admin = admin_client(kafka)
    scale = scale_for(None if kafka.total_gb is None else kafka.total_gb * 1e9, kafka.partitions)
    wanted = {topic.name: topic.config((retention or {}).get(short_name(topic)), scale) for topic in topics}
    try:
        present = admin.list_topics(timeout=TIMEOUT).topics
        changes = _create(admin, kafka, {name: config for name, config in wanted.items() if name not in present})
        for name in wanted.keys() & present.keys():
            if len(present[name].partitions) < kafka.partitions:
                admin.create_partitions([NewPartitions(name, kafka.partitions)])[name].result(TIMEOUT)
                changes.append(f"{name}: {len(present[name].partitions)} -> {kafka.partitions} partitions")
        changes += _mend(admin, {name: config for name, config in wanted.items() if name in present})
    except KafkaException as error:
        raise RetryableError(f"broker {kafka.bootstrap} did not apply the topics: {error}") from error
    wait_for_leaders(kafka, tuple(wanted))
    return changes


def _create(admin: AdminClient, kafka: KafkaSettings, missing: Mapping[str, dict[str, str]]) -> list[str]:
    if not missing:
        return []
    new = [
        NewTopic(name, num_partitions=kafka.partitions, replication_factor=kafka.replication, config=config)
        for name, config in missing.items()
    ]
    for name, future in admin.create_topics(new).items():
        try:
            future.result(TIMEOUT)
        except KafkaException as error:
            # somebody else applies the table at the same time, or our view of the cluster was a moment old
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise FatalError(f"topic {name} could not be made: {error}") from error
    return [f"{name}: made, {kafka.partitions} partitions" for name in missing]


def _mend(admin: AdminClient, wanted: Mapping[str, dict[str, str]]) -> list[str]:
    if not wanted:
        return []
    changes = []
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in wanted]
    found = {resource.name: future.result(TIMEOUT) for resource, future in admin.describe_configs(resources).items()}
    for name, config in wanted.items():
        differing = {key: value for key, value in config.items() if found[name][key].value != value}
        if not differing:
            continue
        entries = [
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in differing.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        for future in admin.incremental_alter_configs([resource]).values():
            future.result(TIMEOUT)
        changes += [f"{name}: {key} {found[name][key].value} -> {value}" for key, value in differing.items()]
    return changes


def leaderless(admin: AdminClient, names: Sequence[str], timeout: float = 5.0) -> list[str]:
    """Topics among `names` that are missing or have a partition without a leader.

    Raises:
        RetryableError: the broker does not answer.
    """
    try:
        present = admin.list_topics(timeout=timeout).topics
    except KafkaException as error:
        raise RetryableError(f"broker does not answer: {error}") from error
    return [
        name
        for name in names
        if name not in present
        or not present[name].partitions
        or any(partition.leader < 0 or partition.error for partition in present[name].partitions.values())
    ]


def _ask_every_partition(admin: AdminClient, names: Sequence[str]) -> None:
    """A leader named in the metadata may not serve yet; one that tells its offsets does."""
    present = admin.list_topics(timeout=5).topics
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    places = {TopicPartition(name, number): latest for name in names for number in present[name].partitions}
    try:
        for future in admin.list_offsets(places).values():
            future.result(5)
    except KafkaException as error:
        raise RetryableError(f"a partition is not served yet: {error}") from error


def wait_for_leaders(kafka: KafkaSettings, names: Sequence[str], timeout: float = 60.0) -> None:
    """Return when every partition of these topics has a leader ("server started" in a log is not that).

    Raises:
        RetryableError: not within `timeout` seconds; the message names the topics.
    """
    admin = admin_client(kafka)
    retrying = stamina.retry_context(
        on=RetryableError, attempts=None, timeout=timeout, wait_initial=0.1, wait_max=1.0, wait_jitter=0.1
    )
    for attempt in retrying:
        with attempt:
            waiting = leaderless(admin, names)
            if waiting:
                raise RetryableError(f"no leader yet for {', '.join(waiting)} on {kafka.bootstrap}")
            _ask_every_partition(admin, names)
