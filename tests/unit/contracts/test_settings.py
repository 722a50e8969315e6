"""Settings: typing errors are refused, secrets stay secret, one object feeds both Kafka clients."""

import pytest

from contracts.errors import FatalError
from contracts.kafka import KafkaSettings
from contracts.settings import known_keys, load_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for key in [key for key in os.environ if key.startswith("MAIRROR_")]:
        monkeypatch.delenv(key)


@pytest.mark.parametrize("key", ["MAIRROR_KAFKA__BOOTSTRP", "MAIRROR_NOPE", "MAIRROR_PROCESSOR__BATCHSIZES"])
def test_unknown_keys_are_refused_by_name(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv(key, "x")
    with pytest.raises(FatalError, match=key):
        load_settings()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("MAIRROR_KAFKA__PARTITIONS", "0"),
        ("MAIRROR_PROCESSOR__BATCH_SIZES", "4,2"),
        ("MAIRROR_PROCESSOR__BUDGET_MS", "soon"),
        ("MAIRROR_LOG_LEVEL", "loud"),
        ("MAIRROR_KAFKA__SECURITY_PROTOCOL", "SASL_SSL"),
    ],
)
def test_values_out_of_range_are_refused_by_name(monkeypatch: pytest.MonkeyPatch, key: str, value: str) -> None:
    monkeypatch.setenv(key, value)
    with pytest.raises(FatalError, match="MAIRROR_"):
        load_settings()


def test_every_known_key_is_accepted_by_name() -> None:
    assert "MAIRROR_KAFKA__BOOTSTRAP" in known_keys()
    assert "MAIRROR_PROCESSOR__BATCH_SIZES" in known_keys()


def test_lists_and_nested_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIRROR_PROCESSOR__BATCH_SIZES", "1,8,32")
    monkeypatch.setenv("MAIRROR_KAFKA__BOOTSTRAP", "a:1,b:2")
    settings = load_settings()
    assert settings.processor.batch_sizes == (1, 8, 32)
    assert settings.kafka.bootstrap == "a:1,b:2"
    assert settings.kafka.partitions == 6


def test_scram_reaches_both_clients_and_no_log(tmp_path: object) -> None:
    kafka = KafkaSettings(
        bootstrap="b:9093",
        security_protocol="SASL_SSL",
        sasl_username="processor",
        sasl_password="s3cret",  # type: ignore[arg-type]
    )
    librdkafka = kafka.librdkafka_producer()
    assert librdkafka["sasl.password"] == "s3cret"
    assert librdkafka["sasl.mechanism"] == "SCRAM-SHA-512"
    faust = kafka.faust()
    assert faust["broker_credentials"].mechanism.value == "SCRAM-SHA-512"
    assert faust["broker_credentials"].ssl_context is not None
    assert "s3cret" not in repr(kafka)
    assert "s3cret" not in str(kafka.model_dump())


def test_both_clients_share_one_size_limit() -> None:
    kafka = KafkaSettings()
    assert kafka.librdkafka_producer()["message.max.bytes"] == kafka.faust()["producer_max_request_size"]
    assert kafka.faust()["consumer_max_fetch_size"] >= kafka.librdkafka_producer()["message.max.bytes"]


def test_secrets_come_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    (folder / "mairror_log_level").write_text("error")
    monkeypatch.setenv("MAIRROR_SECRETS_DIR", str(folder))
    assert load_settings().log_level == "error"


def test_nested_secrets_come_from_files_as_kubernetes_mounts_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    from pathlib import Path

    from contracts.settings import given

    folder = Path(str(tmp_path))
    version = folder / "..2026_11_22"
    version.mkdir()
    (version / "MAIRROR_KAFKA__SASL_PASSWORD").write_text("s3cret\n")
    (version / "MAIRROR_GATEWAY__KEYS").write_text("a:read:" + "0" * 64)
    (version / "cameras.toml").write_text("# not a setting")
    (folder / "..data").symlink_to(version.name)
    for name in ("MAIRROR_KAFKA__SASL_PASSWORD", "MAIRROR_GATEWAY__KEYS", "cameras.toml"):
        (folder / name).symlink_to(f"..data/{name}")
    monkeypatch.setenv("MAIRROR_SECRETS_DIR", str(folder))
    monkeypatch.setenv("MAIRROR_KAFKA__SASL_USERNAME", "processor")
    monkeypatch.setenv("MAIRROR_KAFKA__SECURITY_PROTOCOL", "SASL_PLAINTEXT")
    settings = load_settings()
    assert settings.kafka.sasl_password is not None
    assert settings.kafka.sasl_password.get_secret_value() == "s3cret"
    assert settings.kafka.sasl_username == "processor", "the environment's part of the same group stays"
    assert settings.gateway.keys == ("a:read:" + "0" * 64,)
    assert given("MAIRROR_KAFKA__SASL_PASSWORD")
    assert not given("MAIRROR_MONGO__URI")


def test_the_environment_wins_over_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    from pathlib import Path

    (Path(str(tmp_path)) / "MAIRROR_MONGO__DATABASE").write_text("file")
    monkeypatch.setenv("MAIRROR_SECRETS_DIR", str(tmp_path))
    assert load_settings().mongo.database == "file"
    monkeypatch.setenv("MAIRROR_MONGO__DATABASE", "environment")
    assert load_settings().mongo.database == "environment"
