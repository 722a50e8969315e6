"""A broker as strimzi/ asks for one: TLS, SCRAM-SHA-512, no right that strimzi/base/users.yaml does not give.

Beside it a plain listener for the test itself, which is nobody else's.
"""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from pydantic import SecretStr

from apps.local.broker import BrokerSpec
from apps.local.java import Jars
from apps.local.ports import HOST
from contracts.kafka import KafkaSettings

USERS = Path(__file__).parents[2] / "strimzi" / "base" / "users.yaml"
RESOURCES = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP}


@dataclass(frozen=True)
class Secured:
    """Where it listens, and the authority that signed it."""

    spec: BrokerSpec
    port: int
    ca: Path

    @property
    def bootstrap(self) -> str:
        """What services connect to."""
        return f"{HOST}:{self.port}"

    def kafka(self, user: str) -> KafkaSettings:
        """A client that is this user."""
        return KafkaSettings(
            bootstrap=self.bootstrap,
            security_protocol="SASL_SSL",
            sasl_username=user,
            sasl_password=SecretStr(password(user)),
            ca_file=self.ca,
        )


def password(user: str) -> str:
    """What the user operator would have made."""
    return f"{user}-password-of-this-test"


def prepare(folder: Path, jars: Jars, free_port: Callable[[], int]) -> Secured:
    """The broker's certificate and properties; it is not started."""
    folder.mkdir(parents=True, exist_ok=True)
    key, certificate, both = folder / "key.pem", folder / "ca.crt", folder / "server.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=mairror-kafka"]
    command += ["-addext", f"subjectAltName=IP:{HOST}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    both.write_text(key.read_text() + certificate.read_text())
    plain, secure, controller = free_port(), free_port(), free_port()
    places = f"PLAINTEXT://{HOST}:{plain},SECURE://{HOST}:{secure}"
    overrides = {
        "listeners": f"{places},CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": places,
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL",
        "listener.name.secure.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.secure.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "listener.name.secure.ssl.keystore.type": "PEM",
        "listener.name.secure.ssl.keystore.location": str(both),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": "User:ANONYMOUS",
    }
    spec = BrokerSpec(folder / "kafka", plain, controller, jars, heap_mb=320, overrides=overrides)
    return Secured(spec, secure, certificate)


def grant(secured: Secured) -> list[str]:
    """Make the users of strimzi/base/users.yaml with exactly their rights; returns their names."""
    admin = AdminClient({"bootstrap.servers": secured.spec.bootstrap})
    users: list[dict[str, Any]] = list(yaml.safe_load_all(USERS.read_text()))
    bindings = []
    for user in users:
        name = user["metadata"]["name"]
        credential = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        made = admin.alter_user_scram_credentials(
            [UserScramCredentialUpsertion(name, credential, password(name).encode())]
        )
        made[name].result(15)
        bindings += [
            AclBinding(
                RESOURCES[acl["resource"]["type"]],
                acl["resource"]["name"],
                ResourcePatternType.LITERAL,
                f"User:{name}",
                "*",
                AclOperation[operation.upper()],
                AclPermissionType.ALLOW,
            )
            for acl in user["spec"]["authorization"]["acls"]
            for operation in acl["operations"]
        ]
    for future in admin.create_acls(bindings).values():
        future.result(15)
    return [user["metadata"]["name"] for user in users]
