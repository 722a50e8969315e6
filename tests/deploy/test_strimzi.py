"""Topics, users and rights in strimzi/ equal the contracts' table, read from the files and compared field by field."""

from typing import Any

import pytest
import yaml

from contracts.kafka import KafkaSettings
from contracts.rights import WATCHED_GROUPS, components, rights_of
from contracts.topics import MONGO_GROUP, PROCESSOR_GROUP, READER_GROUP, TOPICS
from tests.deploy.check import ROOT
from tests.deploy.schemas import trim

BASE = ROOT / "strimzi" / "base"
PUBLISHED = ROOT.parent / "shared" / "crds"


def resources(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((BASE / name).read_text()))


def test_topics_equal_the_table() -> None:
    written = {entry["metadata"]["name"]: entry["spec"] for entry in resources("topics.yaml")}
    assert written.keys() == {topic.name for topic in TOPICS}
    for topic in TOPICS:
        assert written[topic.name]["config"] == topic.config()
        assert written[topic.name]["partitions"] == KafkaSettings().partitions
        assert "replicas" not in written[topic.name], "the cluster's own replication factor"


def test_users_may_read_and_write_what_the_table_says_and_nothing_else() -> None:
    users = {entry["metadata"]["name"]: entry["spec"] for entry in resources("users.yaml")}
    assert users.keys() == {f"mairror-{name}" for name in components()}
    for component in components():
        spec = users[f"mairror-{component}"]
        assert spec["authentication"] == {"type": "scram-sha-512"}
        allowed = {
            (acl["resource"]["type"], acl["resource"]["name"], operation)
            for acl in spec["authorization"]["acls"]
            for operation in acl["operations"]
        }
        assert all(acl["resource"]["patternType"] == "literal" for acl in spec["authorization"]["acls"])
        table = {("topic", topic.name, "Write") for topic in TOPICS if component in topic.writers}
        table |= {("topic", topic.name, "Read") for topic in TOPICS if component in topic.readers}
        groups = {topic.readers[component] for topic in TOPICS if component in topic.readers} - {None}
        table |= {("group", str(group), "Read") for group in groups}
        assert {entry for entry in allowed if entry[2] != "Describe"} == table
        described = {(kind, name) for kind, name, operation in allowed if operation == "Describe"}
        assert described >= {(kind, name) for kind, name, _ in table}
        extra = described - {(kind, name) for kind, name, _ in table}
        assert extra <= {("group", name) for name in (*WATCHED_GROUPS.get(component, ()), READER_GROUP)}


def test_only_the_processor_and_the_sink_are_members_of_groups() -> None:
    members = {
        (component, right.name)
        for component in components()
        for right in rights_of(component)
        if right.resource == "group" and "Read" in right.operations
    }
    assert members == {("processor", PROCESSOR_GROUP), ("sink-mongo", MONGO_GROUP)}


def test_every_user_has_quotas() -> None:
    for user in resources("users.yaml"):
        assert user["spec"]["quotas"]["producerByteRate"] > 0
        assert user["spec"]["quotas"]["requestPercentage"] > 0


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published schemas are not beside this checkout")
@pytest.mark.parametrize("name", trim.WANTED)
def test_committed_schemas_are_the_published_ones_without_prose(name: str) -> None:
    import json

    published = json.loads((PUBLISHED / f"{name}.json").read_text())
    assert (trim.HERE / f"{name}.json").read_text() == trim.text(published)
