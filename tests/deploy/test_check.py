"""The one command sees every kind of mistake: each file is broken once."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.errors import FatalError
from tests.deploy import check, rules
from tests.deploy.tools import Tools

TEMPLATES = "charts/mairror/templates"
BREAKS = {
    # kind, file, what is written there, what is written instead, what the command says
    "a base that moves": ("docker", "docker/Dockerfile", "python:3.11.14-slim-bookworm", "python:latest", "DL3007"),
    "a container that is root": (
        "docker",
        "docker/Dockerfile",
        'USER 10001:10001\nCMD ["serve", "gateway"]',
        'CMD ["serve", "gateway"]',
        "target gateway runs as root",
    ),
    "an image nobody tested": (
        "docker",
        "docker/requirements/sinks.lock",
        "pymongo==4",
        "pymongo==3",
        "sinks.lock: pymongo==3",
    ),
    "a key compose does not know": ("compose", "docker-compose.yml", "read_only: true", "readonly: true", "readonly"),
    "a condition on a service that is not there": (
        "compose",
        "docker-compose.yml",
        "mongo: {condition: service_healthy}",
        "mango: {condition: service_healthy}",
        "mango",
    ),
    "a port for everybody": (
        "compose",
        "docker-compose.yml",
        '"127.0.0.1:8600:8600"',
        '"8600:8600"',
        "port 8600 is not on loopback",
    ),
    "a misspelt setting": (
        "compose",
        "docker-compose.yml",
        "MAIRROR_KAFKA__BOOTSTRAP:",
        "MAIRROR_KAFKA__BOOTSTRP:",
        "MAIRROR_KAFKA__BOOTSTRP is no setting",
    ),
    "a value no process accepts": (
        "compose",
        "docker-compose.gpu.yml",
        'MAIRROR_PROCESSOR__GATHER: "64"',
        'MAIRROR_PROCESSOR__GATHER: "640"',
        "MAIRROR_PROCESSOR__GATHER",
    ),
    "an overlay compose does not know": (
        "compose",
        "docker-compose.gpu.yml",
        "reservations:",
        "reservation:",
        "reservation",
    ),
    "another overlay": (
        "compose",
        "docker-compose.observability.yml",
        "healthcheck:",
        "health_check:",
        "health_check",
    ),
    "a topic that is not the table's": (
        "strimzi",
        "strimzi/base/topics.yaml",
        "retention.ms: '120000'",
        "retention.ms: '86400000'",
        "topics.yaml differs",
    ),
    "a right nobody gave": (
        "strimzi",
        "strimzi/base/users.yaml",
        "      - Describe\n      - Read\n",
        "      - All\n",
        "users.yaml differs",
    ),
    "a key Strimzi does not know": (
        "strimzi",
        "strimzi/prod/kafka.yaml",
        "topologyKey: topology.kubernetes.io/zone\n    config:",
        "topologykey: topology.kubernetes.io/zone\n    config:",
        "topologykey",
    ),
    "a file kustomize does not find": (
        "strimzi",
        "strimzi/dev/kustomization.yaml",
        "- kafka.yaml",
        "- cluster.yaml",
        "cluster.yaml",
    ),
    "a listener without TLS": ("strimzi", "strimzi/dev/kafka.yaml", "tls: true", "tls: false", "has no TLS"),
    "a template that is none": ("chart", f"{TEMPLATES}/gateway.yaml", "{{- end }}", "", "parse error"),
    "a key Kubernetes does not know": (
        "chart",
        f"{TEMPLATES}/_helpers.tpl",
        "readOnlyRootFilesystem",
        "readOnlyRootFileSystem",
        "readOnlyRootFileSystem",
    ),
    "a misspelt setting in a template": (
        "chart",
        f"{TEMPLATES}/processor.yaml",
        "MAIRROR_PROCESSOR__GATHER",
        "MAIRROR_PROCESSOR__GATHERS",
        "MAIRROR_PROCESSOR__GATHERS is no setting",
    ),
    "a required setting that is not set": (
        "chart",
        f"{TEMPLATES}/_helpers.tpl",
        "path: MAIRROR_MONGO__URI",
        "path: uri",
        "mairror-sink-mongo: MAIRROR_MONGO__URI is not set",
    ),
    "KEDA at another group": (
        "chart",
        f"{TEMPLATES}/processor-scaling.yaml",
        "consumerGroup: {{ $processor.group | quote }}",
        "consumerGroup: mairror",
        "KEDA looks at group mairror, processors are in mairror-processor",
    ),
    "a value that is not the code's": (
        "chart",
        "charts/mairror/values.yaml",
        "group: mairror-processor",
        "group: processors",
        "processor.group is processors",
    ),
    "a value the schema does not know": (
        "chart",
        "charts/mairror/ci/gpu-values.yaml",
        "gather: 64",
        "gathers: 64",
        "gathers",
    ),
    "more processors than partitions": (
        "chart",
        "charts/mairror/ci/gpu-values.yaml",
        "maxReplicas: 6",
        "maxReplicas: 60",
        "processors beyond the partitions",
    ),
    "KEDA's own key misspelt": (
        "chart",
        f"{TEMPLATES}/processor-scaling.yaml",
        "maxReplicaCount",
        "maxReplicasCount",
        "maxReplicasCount",
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_the_one_command_fails_and_names_the_mistake(
    name: str, copy: Path, tools: Tools, capsys: pytest.CaptureFixture[str]
) -> None:
    kind, file, old, new, said = BREAKS[name]
    text = (copy / file).read_text()
    assert old in text, "the test breaks something that is there"
    (copy / file).write_text(text.replace(old, new))
    assert check.main(["--root", str(copy), kind]) == 1
    assert said in capsys.readouterr().err


def test_an_unbroken_copy_passes(copy: Path, tools: Tools, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["--root", str(copy)]) == 0
    assert capsys.readouterr().err == ""


def test_tools_that_cannot_be_had_are_told_and_fail(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # a real attempt: an empty cache, and no way to the Python index
    monkeypatch.setenv("MAIRROR_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    assert check.main([]) == 1
    assert "NOT CHECKED: docker, compose, strimzi, chart: hadolint cannot be had" in capsys.readouterr().err
    assert check.main(["--without-tools"]) == 0
    assert "NOT CHECKED" in capsys.readouterr().err


def test_without_go_the_check_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from tests.deploy.tools import GO_TOOLS, _build

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FatalError, match="there is no Go on PATH"):
        _build(GO_TOOLS[0], tmp_path)


def test_every_required_setting_is_a_setting() -> None:
    from contracts.settings import known_keys

    for command, required in rules.REQUIRED.items():
        assert set(required) <= known_keys(), command


def test_the_check_is_a_command(copy: Path, tools: Tools) -> None:
    (copy / "docker/Dockerfile").write_text("FROM scratch AS nothing\n")
    command = [sys.executable, "-m", "tests.deploy.check", "--root", str(copy), "docker"]
    done = subprocess.run(command, cwd=check.ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "has no target gateway" in done.stderr
    shutil.rmtree(copy)
