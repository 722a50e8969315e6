"""What is generated equals what is committed, and the schemas mean what they say."""

import json
from pathlib import Path

import jsonschema
import pytest

from contracts import documents
from contracts.topics import TOPICS, by_short_name, scale_for

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", sorted(documents.documents()))
def test_committed_documents_are_current(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == documents.documents()[name], "run `make docs`"


@pytest.mark.parametrize("name", sorted(documents.schemas()))
def test_schemas_are_valid_schemas(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(documents.schemas()[name])


def test_asyncapi_names_every_topic() -> None:
    document = json.loads((ROOT / "docs/asyncapi.json").read_text())
    assert document["asyncapi"] == "3.0.0"
    assert {channel["address"] for channel in document["channels"].values()} == {topic.name for topic in TOPICS}


def test_topic_limits_leave_room_for_headers() -> None:
    for topic in TOPICS:
        assert topic.max_message_bytes - topic.max_bytes >= 64 * 1024
        assert int(topic.config()["segment.bytes"]) >= topic.max_message_bytes


def test_segments_are_young_enough_for_retention() -> None:
    """retention + segment age + the broker's check every 30 s stays within 1.5 x retention."""
    for topic in TOPICS:
        if topic.retention is not None:
            segment = int(topic.config()["segment.ms"]) / 1000
            assert segment <= topic.retention / 2
            assert topic.retention + segment + 30 <= 1.5 * topic.retention


def test_all_topics_fit_the_disk_they_are_given() -> None:
    for total in (1e9, 3e9, 1e13):
        scale = scale_for(total, partitions=6)
        limits = [topic.config(scale=scale) for topic in TOPICS if topic.retention is not None]
        worst = sum(int(config["retention.bytes"]) + int(config["segment.bytes"]) for config in limits) * 6
        assert worst <= max(total, 1e9) * 1.3


def test_unknown_topic_lists_those_that_exist() -> None:
    with pytest.raises(Exception, match=r"frames\.live"):
        by_short_name("nope")
