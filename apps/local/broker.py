"""A single-node Apache Kafka broker (KRaft) on this machine, from jars.

Guarantee: `prepare` may run before every start; it formats the storage once, keeps data, and rewrites the
properties, so that a changed port reaches clients and the controller quorum.
"""

import base64
import logging
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from apps.local import java
from apps.local.java import Jars
from apps.local.ports import HOST, listens
from contracts.errors import FatalError
from contracts.kafka import KafkaSettings
from contracts.limits import MAX_REQUEST_BYTES, MIB

FORMAT_SECONDS = 60
QUIET = logging.getLogger("apps.local.broker.librdkafka")

# One node, small disk: internal topics have one replica and small segments (the default 100 MB per partition
# would take most of the data folder's cap); files of deleted segments go at once, they hold faces.
FIXED = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "num.partitions": "1",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.segment.bytes": str(8 * MIB),
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.segment.bytes": str(8 * MIB),
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.segment.bytes": str(8 * MIB),
    "metadata.log.segment.bytes": str(8 * MIB),
    "metadata.max.retention.bytes": str(32 * MIB),
    # A broker killed with SIGKILL may not register again before its old session ends: 13 s to ready with the
    # default of 9 s, 6-7 s with this (measured).
    "broker.session.timeout.ms": "4000",
    "broker.heartbeat.interval.ms": "500",
    "group.initial.rebalance.delay.ms": "0",
    "auto.create.topics.enable": "false",
    "message.max.bytes": str(MAX_REQUEST_BYTES),
    "replica.fetch.max.bytes": str(MAX_REQUEST_BYTES),
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "num.recovery.threads.per.data.dir": "2",
    "log.retention.hours": "6",
    "log.retention.bytes": str(256 * MIB),
    "log.segment.bytes": str(64 * MIB),
    "log.segment.delete.delay.ms": "1000",
    "log.cleaner.dedupe.buffer.size": str(16 * MIB),
    "controlled.shutdown.enable": "true",
}

LOGGING = """\
status = error
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = ${sys:mairror.logs}/broker-server.log
appender.file.filePattern = ${sys:mairror.logs}/broker-server.log.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{ISO8601} %-5p %c{1} %m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 5MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 1
rootLogger.level = info
rootLogger.appenderRef.file.ref = file
"""


@dataclass(frozen=True)
class BrokerSpec:
    """Where the broker keeps its data, where it listens, and its limits."""

    data_dir: Path
    port: int
    controller_port: int
    jars: Jars
    logs: Path | None = None
    """Folder of its log files; default: `data_dir/logs`."""
    heap_mb: int = 384
    retention_check_ms: int = 30_000
    """How often old segments are looked for; also the delay of the first look after a start."""
    overrides: Mapping[str, str] = field(default_factory=dict)
    """Further broker properties; they win."""

    @property
    def bootstrap(self) -> str:
        """What clients connect to, host:port."""
        return f"{HOST}:{self.port}"

    @property
    def log_dir(self) -> Path:
        """Folder of the broker's own log files."""
        return self.logs or self.data_dir / "logs"

    def properties(self) -> dict[str, str]:
        """All broker properties of this start."""
        return {
            **FIXED,
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{HOST}:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.quorum.voters": f"1@{HOST}:{self.controller_port}",
            "log.dirs": str(self.data_dir / "log"),
            "log.retention.check.interval.ms": str(self.retention_check_ms),
            "log.initial.task.delay.ms": str(self.retention_check_ms),
            **self.overrides,
        }

    def prepare(self) -> None:
        """Write the configuration for the next start; format the storage if it never was.

        Raises:
            FatalError: the folder's name cannot be used, or formatting failed.
        """
        if "," in str(self.data_dir):
            raise FatalError(f"the data folder {self.data_dir} has a comma in its name: Kafka cannot use it, move it")
        self.log_dir.mkdir(parents=True, exist_ok=True)
        (self.data_dir / "log").mkdir(parents=True, exist_ok=True)
        (self.data_dir / "log4j2.properties").write_text(LOGGING)
        lines = (f"{key}={_escaped(value)}\n" for key, value in self.properties().items())
        (self.data_dir / "server.properties").write_text("".join(lines), encoding="ascii")
        if not (self.data_dir / "log" / "meta.properties").exists():
            self._format()

    def command(self) -> list[str]:
        """The broker's command line; it runs in the foreground and stops on SIGTERM."""
        return [
            *self._java(self.heap_mb),
            "-XX:MaxDirectMemorySize=128m",
            "kafka.Kafka",
            str(self.data_dir / "server.properties"),
        ]

    def _java(self, heap_mb: int) -> list[str]:
        return [
            str(java.find()),
            *java.FLAGS,
            f"-Xmx{heap_mb}m",
            f"-Dmairror.logs={self.log_dir}",
            f"-Dlog4j2.configurationFile={self.data_dir / 'log4j2.properties'}",
            "-cp",
            f"{self.jars.kafka}/*",
        ]

    def _format(self) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # The tool would read a leading "-" as an option.
        cluster = "m" + cluster[1:] if cluster.startswith("-") else cluster
        command = [*self._java(128), "kafka.tools.StorageTool", "format", "-t", cluster]
        command += ["-c", str(self.data_dir / "server.properties")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=FORMAT_SECONDS, check=False)
        if done.returncode != 0:
            raise FatalError(
                f"formatting {self.data_dir / 'log'} failed: {(done.stderr or done.stdout).strip()[-400:]}"
            )


def ready(kafka: str | KafkaSettings) -> bool:
    """Does the broker serve? Metadata answers, and the leader of every partition of every topic answers.

    A leader named in the metadata is not enough: right after an unclean start it may still refuse requests.
    """
    settings = kafka if isinstance(kafka, KafkaSettings) else KafkaSettings(bootstrap=kafka)
    # A plain connect first: librdkafka logs and retries a refused connection for seconds.
    addresses = (address.rpartition(":") for address in settings.bootstrap.split(","))
    if not any(listens(host.strip("[]"), int(port)) for host, _, port in addresses):
        return False
    client = AdminClient(settings.librdkafka(socket_timeout_ms=3000), logger=QUIET)
    try:
        metadata = client.list_topics(timeout=3)
        if not metadata.brokers:
            return False
        partitions = [
            (TopicPartition(name, number), partition.leader)
            for name, topic in metadata.topics.items()
            for number, partition in topic.partitions.items()
        ]
        if any(leader < 0 for _, leader in partitions):
            return False
        asked = {partition: OffsetSpec.latest() for partition, _ in partitions}  # type: ignore[no-untyped-call]
        answers = client.list_offsets(asked, request_timeout=3) if asked else {}
        return all(answer.result(timeout=4).offset >= 0 for answer in answers.values())
    except (KafkaException, TimeoutError):
        return False


def _escaped(value: str) -> str:
    """A value in the `.properties` syntax: ASCII, other characters as UTF-16 escapes."""
    units = value.replace("\\", "\\\\").encode("utf-16-be")
    codes = (int.from_bytes(units[i : i + 2], "big") for i in range(0, len(units), 2))
    return "".join(chr(code) if 0x20 <= code < 0x7F else f"\\u{code:04x}" for code in codes)
