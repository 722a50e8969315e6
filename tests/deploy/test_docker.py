"""What goes into the images and beside them: weights, secrets, locks, metrics."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from apps.gateway.auth import LEAST_KEY, KeyRing
from contracts.settings import Settings
from model.weights import fetch, weights_folder
from tests.deploy import compose, dockerfile
from tests.deploy.check import ROOT
from tests.deploy.tools import Tools

WEIGHTS = [sys.executable, str(ROOT / "docker" / "weights.py")]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A folder as an image build begins with: what was fetched, in the form it was published in too."""
    cache = Settings().cache
    fetch(cache)
    shutil.copytree(weights_folder(cache), weights_folder(tmp_path))
    return tmp_path


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Our packages as an image has them installed; the model's may be changed."""
    root = tmp_path / "site-packages"
    root.mkdir()
    (root / "contracts").symlink_to(ROOT / "contracts")
    shutil.copytree(ROOT / "model", root / "model", ignore=shutil.ignore_patterns("__pycache__"))
    return root


def keep_only(package: Path, preset: str) -> None:
    """Take out the other presets' weights, as the Dockerfile does."""
    for file in (package / "model/presets").glob("*/weights.npz"):
        if file.parent.name != preset:
            file.unlink()


def run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=env, check=False)


def test_an_image_gets_the_named_weights_and_nothing_else(weights: Path, package: Path) -> None:
    keep_only(package, "cydral")
    done = run([*WEIGHTS, "fetch", str(weights), "cydral"], PIP_NO_INDEX="1", PYTHONPATH=str(package))
    assert done.returncode == 0, done.stderr
    kept = sorted(path.name for path in weights_folder(weights).iterdir())
    assert kept == sorted(done.stdout.split())
    assert len(kept) == 2
    assert any(name.endswith("age-v1.npz") for name in kept)
    assert any(name.endswith("yunet_2023mar.onnx") for name in kept)


def test_a_preset_that_brings_its_weights_needs_only_the_detector_beside(weights: Path, package: Path) -> None:
    preset = Settings().model.preset
    keep_only(package, preset)
    done = run([*WEIGHTS, "fetch", str(weights), preset], PIP_NO_INDEX="1", PYTHONPATH=str(package))
    assert done.returncode == 1
    assert "age-v1" in done.stderr, "the other preset's weights lie there"
    for stray in weights_folder(weights).glob("*age-v1*"):
        stray.unlink()
    done = run([*WEIGHTS, "check", str(weights), preset], PYTHONPATH=str(package))
    assert done.returncode == 0, done.stderr
    assert f"model/presets/{preset}/weights.npz" in done.stdout
    (package / "model/presets" / preset / "weights.npz").unlink()
    missing = run([*WEIGHTS, "check", str(weights), preset], PYTHONPATH=str(package))
    assert missing.returncode != 0
    assert "weights of preset" in missing.stderr


def test_another_presets_weights_fail_the_build(weights: Path, package: Path) -> None:
    done = run([*WEIGHTS, "fetch", str(weights), "cydral"], PIP_NO_INDEX="1", PYTHONPATH=str(package))
    assert done.returncode == 1
    assert "more than the named weights: model/presets/mairror-age-1, model/presets/mairror-age-1-fast" in done.stderr


def test_a_stray_or_damaged_weight_fails_the_build(weights: Path, package: Path) -> None:
    keep_only(package, "cydral")
    run([*WEIGHTS, "fetch", str(weights), "cydral"], PIP_NO_INDEX="1", PYTHONPATH=str(package))
    stray = weights_folder(weights) / "more.onnx"
    stray.write_bytes(b"x")
    done = run([*WEIGHTS, "check", str(weights), "cydral"], PYTHONPATH=str(package))
    assert done.returncode != 0
    assert "more.onnx" in done.stderr
    stray.unlink()
    damaged = next(weights_folder(weights).glob("*.onnx"))
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    done = run([*WEIGHTS, "check", str(weights), "cydral"], PYTHONPATH=str(package))
    assert done.returncode != 0
    assert "not the listed ones" in done.stderr


def test_new_env_makes_secrets_the_gateway_accepts_and_keeps_them(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    first = run(["sh", str(ROOT / "docker/new-env.sh"), str(file)])
    assert first.returncode == 0, first.stderr
    key = first.stdout.split()[-1]
    values = dict(line.split("=", 1) for line in file.read_text().splitlines())
    assert len(key) >= LEAST_KEY
    client = KeyRing((values["GATEWAY_KEYS"],)).client(key)
    assert client is not None
    assert client.may("upload")
    assert key not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    again = run(["sh", str(ROOT / "docker/new-env.sh"), str(file)])
    assert again.returncode == 1
    assert "there already" in again.stderr


def test_secrets_never_enter_an_image_or_the_repository() -> None:
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored, "everything is left out but what is named"
    assert not any(line.startswith("!.env") or line == "!." for line in ignored)


def test_what_the_dockerfile_copies_is_in_its_context() -> None:
    included = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    stages = dockerfile.stages(ROOT / "docker" / "Dockerfile")
    for stage in stages.values():
        for copied in stage.copied:
            if copied.startswith("--from="):
                continue
            for source in copied.replace("${PRESET}", stage.arguments.get("PRESET", "")).split()[:-1]:
                assert (ROOT / source).exists(), source
                assert any(source == name or source.startswith(f"{name}/") for name in included), source


def test_health_is_readiness(tmp_path: Path) -> None:
    from contracts.health import HealthServer
    from contracts.settings import WebSettings

    state: dict[str, str | None] = {"problem": "waiting for the topics"}
    server = HealthServer(WebSettings(), live=lambda: None, ready=lambda: state["problem"])
    command = [sys.executable, str(ROOT / "docker" / "healthy.py")]
    try:
        waiting = run(command, MAIRROR_WEB__PORT=str(server.port))
        assert waiting.returncode == 1
        assert "waiting for the topics" in waiting.stderr
        state["problem"] = None
        assert run(command, MAIRROR_WEB__PORT=str(server.port)).returncode == 0
    finally:
        server.close()
    assert "no answer" in run(command, MAIRROR_WEB__PORT=str(server.port)).stderr


def test_prometheus_asks_every_service_of_ours(tools: Tools) -> None:
    project = compose.load(ROOT, tools, [compose.BASE, compose.OBSERVABILITY])
    wanted = {container.name for container in compose.containers(ROOT, project)} - {"topics"}
    jobs = yaml.safe_load((ROOT / "docker/observability/prometheus.yml").read_text())["scrape_configs"]
    by_name = {name for job in jobs for entry in job.get("dns_sd_configs", []) for name in entry["names"]}
    fixed = {target for job in jobs for entry in job.get("static_configs", []) for target in entry["targets"]}
    assert by_name | {target.partition(":")[0] for target in fixed} == wanted
    assert {target.partition(":")[2] for target in fixed} == {"8600"}
    assert {entry["port"] for job in jobs for entry in job.get("dns_sd_configs", [])} == {8600}


def test_the_brokers_version_is_the_tested_one() -> None:
    from apps.local.resolver import COORDINATES

    tested = re.search(r"kafka_2\.13:([\d.]+)", COORDINATES["kafka"][0][0])
    assert tested
    assert f"image: apache/kafka:{tested[1]}\n" in (ROOT / compose.BASE).read_text()
