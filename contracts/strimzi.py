"""KafkaTopics and KafkaUsers for Strimzi, made from the topic table and its rights.

`python -m contracts.strimzi strimzi/base` writes them; a test fails when what is committed differs. Replicas are left
out: a topic takes the cluster's `default.replication.factor`, so the same files fit one broker and three.
"""

import sys
from pathlib import Path
from typing import Any, Final

import yaml

from contracts.kafka import KafkaSettings
from contracts.limits import MIB
from contracts.rights import Right, components, rights_of
from contracts.topics import TOPICS, Topic

API: Final = "kafka.strimzi.io/v1"
CLUSTER: Final = "mairror"
"""Name of the Kafka resource; the operators find their topics and users by this label."""
HEADER: Final = "# Made from contracts/topics.py and contracts/rights.py by `make docs`; do not edit.\n"

PRODUCER_BYTES: Final = {
    "producer": 64 * MIB,
    "dashboard": 64 * MIB,
    "gateway": 64 * MIB,
    "processor": 32 * MIB,
    "sink-mongo": 8 * MIB,
    "cli": 8 * MIB,
}
"""Most bytes a second each user may write on one broker: a flood is slowed before it fills a disk."""
REQUEST_PERCENT: Final = 200
"""Most broker thread time one user may take on one broker, in percent of one thread."""


def kafka_topic(topic: Topic, partitions: int) -> dict[str, Any]:
    """One KafkaTopic. Numbers stay strings, as the broker reports them."""
    return {
        "apiVersion": API,
        "kind": "KafkaTopic",
        "metadata": {"name": topic.name, "labels": {"strimzi.io/cluster": CLUSTER}},
        "spec": {"partitions": partitions, "config": topic.config()},
    }


def user_name(component: str) -> str:
    """Name of a component's user, of its KafkaUser, and of the Secret with its password."""
    return f"mairror-{component}"


def kafka_user(component: str) -> dict[str, Any]:
    """One KafkaUser: SCRAM password made by the operator, rights from the table, quotas."""
    return {
        "apiVersion": API,
        "kind": "KafkaUser",
        "metadata": {"name": user_name(component), "labels": {"strimzi.io/cluster": CLUSTER}},
        "spec": {
            "authentication": {"type": "scram-sha-512"},
            "authorization": {"type": "simple", "acls": [_acl(right) for right in rights_of(component)]},
            "quotas": {"producerByteRate": PRODUCER_BYTES[component], "requestPercentage": REQUEST_PERCENT},
        },
    }


def _acl(right: Right) -> dict[str, Any]:
    resource = {"type": right.resource, "name": right.name, "patternType": "literal"}
    return {"resource": resource, "operations": list(right.operations)}


def files() -> dict[str, str]:
    """File name below strimzi/base -> content."""
    partitions = KafkaSettings().partitions
    return {
        "topics.yaml": _text(kafka_topic(topic, partitions) for topic in TOPICS),
        "users.yaml": _text(kafka_user(component) for component in components()),
    }


def _text(resources: Any) -> str:
    text: str = yaml.safe_dump_all(resources, sort_keys=False, explicit_start=True, width=120)
    return HEADER + text


def write(folder: Path) -> None:
    """Write the files below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        (folder / name).write_text(content)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
