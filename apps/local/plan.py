"""What one start of the stack will run, and where: ports are chosen, addresses follow from them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import apps
from apps.local import ports, store
from apps.local.broker import BrokerSpec
from apps.local.folder import ServiceState, StackState
from apps.local.java import Jars
from apps.local.program import Service
from apps.local.resolver import Progress
from apps.local.services import BROKER, STORE, Row
from apps.local.store import StoreSpec
from contracts.settings import Settings, given
from model.manifest import load_preset
from model.weights import WEIGHTS, fetch
from producers import cameras

BROKER_PORT = 9092
CONTROLLER_PORT = 9093
STORE_PORT = 27017
SERVERS = (BROKER, STORE)
DETECTOR = "yunet"
PACKAGES = Path(apps.__file__).parent.parent
"""The folder of our packages: working directory of every service, so that none shadows them."""


@dataclass(frozen=True)
class Plan:
    """Services with their ports, and the addresses clients use."""

    services: tuple[Service, ...]
    ports: dict[str, int]
    bootstrap: str
    mongo_uri: str
    """With its password; `state` shows it without."""
    addresses: dict[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)
    """What every service of ours is told."""

    @property
    def names(self) -> list[str]:
        """Names of the services, servers first."""
        return [service.name for service in self.services]

    def state(self, settings: Settings) -> StackState:
        """The state before anything runs."""
        return StackState(
            ready=False,
            url=self.addresses.get("url"),
            gateway_url=self.addresses.get("gateway_url"),
            bootstrap=self.bootstrap,
            mongo_uri=without_password(self.mongo_uri),
            data_dir=str(Path(settings.data).expanduser().resolve()),
            services={name: ServiceState("stopped", port=self.ports[name]) for name in self.names},
        )


def make(settings: Settings, data_dir: Path, jars: Jars, rows: Sequence[Row], progress: Progress) -> Plan:
    """Choose ports, prepare broker and store (unless the environment names others), and line the services up."""
    taken: set[int] = set()

    def port(name: str, wanted: int) -> int:
        chosen = ports.choose(wanted, taken)
        if chosen != wanted:
            progress(f"port {wanted} is busy: {name} takes {chosen}", None)
        return chosen

    servers: list[Service] = []
    chosen: dict[str, int] = {}
    bootstrap, uri = settings.kafka.bootstrap, settings.mongo.uri
    # Servers named in the environment are inherited, so that their passwords are in no file of ours.
    shared = {"MAIRROR_DATA": str(data_dir), "MAIRROR_CACHE": str(settings.cache.expanduser().resolve())}
    # services have another working directory
    shared["MAIRROR_CAMERAS"] = str(cameras.file_of(settings))
    if not given("MAIRROR_KAFKA__BOOTSTRAP"):
        broker = BrokerSpec(
            data_dir / "kafka",
            port(BROKER, BROKER_PORT),
            port("controller", CONTROLLER_PORT),
            jars,
            logs=data_dir / "logs",
        )
        broker.prepare()
        bootstrap, chosen[BROKER] = broker.bootstrap, broker.port
        shared["MAIRROR_KAFKA__BOOTSTRAP"] = bootstrap
        servers.append(Service(BROKER, broker.command()))
    if not given("MAIRROR_MONGO__URI"):
        spec = StoreSpec(data_dir / "store", port(STORE, STORE_PORT), jars, mongod=store.found_mongod())
        spec.prepare()
        uri, chosen[STORE] = spec.uri, spec.port
        shared["MAIRROR_MONGO__URI"] = uri
        if spec.engine == "built-in":
            shared["MAIRROR_MONGO__REWIND_SECONDS"] = str(store.REWIND_SECONDS)
        servers.append(Service(STORE, spec.command()))
    chosen |= {row.name: port(row.name, row.port) for row in rows}
    ours = [row.service({**shared, **row.environment, "MAIRROR_WEB__PORT": str(chosen[row.name])}) for row in rows]
    addresses: dict[str, str] = {row.address: f"http://{ports.HOST}:{chosen[row.name]}" for row in rows if row.address}
    return Plan((*servers, *ours), chosen, bootstrap, uri, addresses, shared)


def fetch_weights(settings: Settings, rows: Sequence[Row], progress: Progress) -> None:
    """Bring the weights of the chosen preset into the cache, when a service of the table runs the model."""
    if not any(row.needs_weights for row in rows):
        return
    names = {DETECTOR, load_preset(settings.model.preset).weights.name} & WEIGHTS.keys()

    def tell(name: str, step: str) -> None:
        if step != "present":
            progress(f"weights {name}: {step}", None)

    fetch(settings.cache, sorted(names), tell)


def without_password(uri: str) -> str:
    """The same connection string for people and files."""
    return re.sub(r"(?<=//)([^/@:]*):[^/@]*@", r"\1:***@", uri)
