"""How the Faust application joins its group."""

from contracts.settings import ProcessorSettings, Settings
from processors.app import create_app


def test_a_processor_without_an_instance_is_no_static_member() -> None:
    """An empty id would be one: two processors with it evict each other for ever (seen on a real broker)."""
    assert create_app(Settings()).conf.consumer_group_instance_id is None
    static = create_app(Settings(processor=ProcessorSettings(instance="local")))
    assert static.conf.consumer_group_instance_id == "local"


def test_the_group_is_the_setting() -> None:
    app = create_app(Settings(processor=ProcessorSettings(group="somewhere-else")))
    assert app.conf.id == "somewhere-else"
