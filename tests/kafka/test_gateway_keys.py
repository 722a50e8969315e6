"""API keys: who may do what, and when the gateway refuses to start."""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from apps.gateway.app import create_app
from apps.gateway.auth import KeyRing, key_ring
from contracts.errors import FatalError
from contracts.settings import GatewaySettings, Settings, WebSettings
from tests.kafka.serving import COMMAND, check_problem, client_of, part, start_gateway
from tests.services import Service

UPLOAD, READ, BOTH, ADMIN = (secrets.token_urlsafe(32) for _ in range(4))


def entry(name: str, scopes: str, key: str) -> str:
    return f"{name}:{scopes}:{hashlib.sha256(key.encode()).hexdigest()}"


KEYS = ",".join(
    [
        entry("u", "upload", UPLOAD),
        entry("r", "read", READ),
        entry("b", "upload+read", BOTH),
        entry("a", "admin", ADMIN),
    ]
)


@pytest.fixture(scope="module")
def _gateway(
    environment: dict[str, str], free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    # all addresses, as in a container: allowed because there are keys
    extra = {"MAIRROR_GATEWAY__KEYS": KEYS, "MAIRROR_WEB__HOST": "0.0.0.0"}
    yield from start_gateway(environment, free_port, tmp_path_factory.mktemp("gateway"), **extra)


@pytest.fixture
def gateway(_gateway: Service, processor: Service) -> Service:
    return _gateway


@pytest.fixture
def http(gateway: Service) -> Iterator[httpx2.Client]:
    with client_of(gateway) as client:
        yield client


def test_no_key_and_a_wrong_key_are_told_how_to_send_one(http: httpx2.Client, hopper: bytes) -> None:
    wrong = [{}, {"X-Api-Key": "x"}, {"X-Api-Key": secrets.token_urlsafe(32)}, {"Authorization": "Bearer nope"}]
    wrong += [{"Authorization": f"Basic {UPLOAD}"}, {"X-Api-Key": ""}]
    for headers in wrong:
        for found in (
            http.post("/v1/images", files=[part(hopper)], headers=headers),
            http.get("/v1/streams", headers=headers),
            http.get("/live", headers=headers),
            http.post("/v1/images/0123456789/correction", json={"face": 0}, headers=headers),
        ):
            check_problem(found, 401, "unauthorized")
            assert found.headers["www-authenticate"].startswith("Bearer")


def test_a_scope_opens_its_routes_and_no_other(http: httpx2.Client, hopper: bytes) -> None:
    picture = [part(hopper)]
    assert http.post("/v1/images", files=picture, headers={"X-Api-Key": UPLOAD}).status_code == 202
    check_problem(http.get("/v1/streams", headers={"X-Api-Key": UPLOAD}), 403, "forbidden")
    assert http.get("/v1/streams", headers={"Authorization": f"Bearer {READ}"}).status_code == 200
    check_problem(http.post("/v1/images", files=picture, headers={"X-Api-Key": READ}), 403, "forbidden")
    for key in (BOTH, ADMIN):
        headers = {"X-Api-Key": key}
        taken = http.post("/v1/images", files=picture, headers=headers)
        assert taken.status_code == 202
        assert http.get(taken.headers["location"], params={"wait": 20}, headers=headers).status_code == 200


def test_ids_of_the_same_key_and_picture_differ_between_clients(http: httpx2.Client, hopper: bytes) -> None:
    ids = {
        http.post("/v1/images", files=[part(hopper)], headers={"X-Api-Key": key, "Idempotency-Key": "same"}).json()[0][
            "id"
        ]
        for key in (UPLOAD, BOTH, ADMIN)
    }
    assert len(ids) == 3


def test_probes_and_documents_need_no_key(http: httpx2.Client) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/v1/info", "/openapi.json", "/asyncapi.json"):
        assert http.get(path).status_code == 200


def test_no_key_is_ever_logged(gateway: Service, http: httpx2.Client) -> None:
    http.get("/v1/streams", headers={"X-Api-Key": BOTH})
    assert not any(key in gateway.log() for key in (UPLOAD, READ, BOTH, ADMIN))


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::", "gateway.example"])
def test_beyond_loopback_it_needs_keys(host: str) -> None:
    with pytest.raises(FatalError, match="MAIRROR_GATEWAY__KEYS"):
        create_app(Settings(web=WebSettings(host=host)))
    keys = GatewaySettings(keys=(entry("a", "read", READ),))
    assert not key_ring(Settings(web=WebSettings(host=host), gateway=keys)).empty


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_on_loopback_it_may_go_without(host: str) -> None:
    assert key_ring(Settings(web=WebSettings(host=host))).empty


@pytest.mark.parametrize("key", ["changeme", "", "mairror", "secret" * 6, "0" * 32])
def test_a_well_known_key_is_refused(key: str) -> None:
    with pytest.raises(FatalError, match="well-known"):
        KeyRing((entry("a", "read", key),))


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "a:read",
        f"a:read:{READ}",
        f"a:root:{'0' * 64}",
        f"a b:read:{'0' * 64}",
        f"a:read:{'g' * 64}",
        f":read:{'0' * 64}",
    ],
)
def test_a_malformed_entry_is_refused_without_repeating_it(wrong: str) -> None:
    with pytest.raises(FatalError, match="entry 2") as refusal:
        KeyRing((entry("ok", "read", READ), wrong))
    assert READ not in str(refusal.value)


def test_a_key_twice_is_refused() -> None:
    with pytest.raises(FatalError, match="twice"):
        KeyRing((entry("a", "read", READ), entry("b", "upload", READ)))


def test_a_short_key_never_opens_anything() -> None:
    assert KeyRing((entry("a", "read", "short-but-configured"),)).client("short-but-configured") is None


def test_the_process_ends_at_once_and_names_the_setting(
    environment: dict[str, str], free_port: Callable[[], int], tmp_path: Path
) -> None:
    service = Service(COMMAND, environment | {"MAIRROR_WEB__HOST": "0.0.0.0"}, free_port(), tmp_path / "log")
    service.start(ready=False)
    assert service.process is not None
    assert service.process.wait(30) != 0
    assert "MAIRROR_GATEWAY__KEYS" in service.log()
