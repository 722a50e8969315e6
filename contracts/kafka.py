"""Kafka connection settings: one object yields the arguments of librdkafka and of Faust/aiokafka.

Plain, TLS and SASL (SCRAM) are settings only; no code path differs. Size limits come from
`contracts.limits`, so that broker, topic, producer and consumer cannot disagree.
"""

import ssl
from pathlib import Path
from typing import Any, Literal, Self

import structlog
from confluent_kafka import KafkaError
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from contracts.limits import MAX_FETCH_BYTES, MAX_REQUEST_BYTES

log = structlog.get_logger()

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

UNDERSCORED = frozenset({"log_level", "stats_cb", "error_cb", "throttle_cb", "on_delivery"})
"""Names that librdkafka and its Python client spell with underscores; all others have dots."""


def log_error(error: KafkaError) -> None:
    """Client-wide problems, which librdkafka goes on to solve by itself, as log lines."""
    log.warning("kafka_client_error", error=error.str(), fatal=error.fatal())


class KafkaSettings(BaseModel):
    """Where the brokers are and how to prove who we are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bootstrap: str = Field("127.0.0.1:9092", description="host:port[,host:port...] of the brokers.")
    security_protocol: Protocol = Field("PLAINTEXT", description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.")
    sasl_mechanism: Mechanism = Field("SCRAM-SHA-512", description="Mechanism when the protocol is SASL_*.")
    sasl_username: str | None = Field(None, description="User of the service.")
    sasl_password: SecretStr | None = Field(None, description="Password of the service; never logged.")
    ca_file: Path | None = Field(None, description="PEM file of the authority that signed the brokers.")
    cert_file: Path | None = Field(None, description="PEM client certificate (mutual TLS).")
    key_file: Path | None = Field(None, description="PEM client key (mutual TLS).")
    partitions: int = Field(6, ge=1, le=1000, description="Partitions of every topic that `topics apply` makes.")
    total_gb: float | None = Field(
        None, gt=0, description="Most disk all topics together may take, GB; unset: as much as the topic table says."
    )
    replication: int = Field(1, ge=1, le=7, description="Replicas of every topic that `topics apply` makes.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.security_protocol.startswith("SASL") and not (self.sasl_username and self.sasl_password):
            raise ValueError(f"{self.security_protocol} needs sasl_username and sasl_password")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together")
        return self

    def librdkafka(self, **extra: Any) -> dict[str, Any]:
        """Arguments of `confluent_kafka` clients; `extra` keys use underscores for dots and win."""
        config: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": self.security_protocol,
            # librdkafka would write every failed connection to stderr, ten a second; `error_cb` tells us once
            "log_level": 0,
            "reconnect.backoff.max.ms": 2000,
            "error_cb": log_error,
        }
        if self.security_protocol.startswith("SASL"):
            assert self.sasl_password is not None
            config |= {
                "sasl.mechanism": self.sasl_mechanism,
                "sasl.username": self.sasl_username,
                "sasl.password": self.sasl_password.get_secret_value(),
            }
        if self.security_protocol.endswith("SSL"):
            files = {"ssl.ca.location": self.ca_file, "ssl.certificate.location": self.cert_file}
            files["ssl.key.location"] = self.key_file
            config |= {key: str(path) for key, path in files.items() if path is not None}
        return config | {key if key in UNDERSCORED else key.replace("_", "."): value for key, value in extra.items()}

    def librdkafka_producer(self, **extra: Any) -> dict[str, Any]:
        """A producer for frames and answers: no linger, every replica confirms, JPEG is not compressed again."""
        return self.librdkafka(
            **{
                "linger_ms": 0,
                "acks": "all",
                "enable_idempotence": True,
                "compression_type": "none",
                "message_max_bytes": MAX_REQUEST_BYTES,
                # the partitioner of Java and aiokafka clients: a stream has one partition number everywhere
                "partitioner": "murmur2_random",
                "queue_buffering_max_kbytes": 65536,
                "allow_auto_create_topics": False,
            }
            | extra
        )

    def librdkafka_consumer(self, group: str, **extra: Any) -> dict[str, Any]:
        """A consumer that commits only what its owner says is done."""
        return self.librdkafka(
            **{
                "group_id": group,
                "enable_auto_commit": False,
                "enable_auto_offset_store": False,
                "auto_offset_reset": "earliest",
                # partitions that were added are read after this long
                "topic_metadata_refresh_interval_ms": 10_000,
                "fetch_message_max_bytes": MAX_FETCH_BYTES,
                "allow_auto_create_topics": False,
            }
            | extra
        )

    def ssl_context(self) -> ssl.SSLContext | None:
        """TLS context for asyncio clients, or None for plain protocols."""
        if not self.security_protocol.endswith("SSL"):
            return None
        context = ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
        if self.cert_file and self.key_file:
            context.load_cert_chain(str(self.cert_file), str(self.key_file))
        return context

    def faust(self) -> dict[str, Any]:
        """Arguments of `faust.App` that concern the connection and its size limits."""
        from faust.auth import SASLCredentials, SSLCredentials

        arguments: dict[str, Any] = {
            "broker": [f"aiokafka://{address}" for address in self.bootstrap.split(",")],
            "producer_max_request_size": MAX_REQUEST_BYTES,
            "consumer_max_fetch_size": MAX_FETCH_BYTES,
            "producer_linger": 0,
        }
        context = self.ssl_context()
        if self.security_protocol.startswith("SASL"):
            assert self.sasl_username is not None
            assert self.sasl_password is not None
            arguments["broker_credentials"] = SASLCredentials(
                username=self.sasl_username,
                password=self.sasl_password.get_secret_value(),
                ssl_context=context,
                mechanism=self.sasl_mechanism,
            )
        elif context is not None:
            arguments["broker_credentials"] = SSLCredentials(context)
        return arguments
