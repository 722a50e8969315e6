"""strimzi/: kubeconform -strict, kustomize, and topics, users and rights that equal the contracts' table."""

import subprocess
from pathlib import Path
from typing import Any

import yaml

from contracts import strimzi
from contracts.limits import MAX_REQUEST_BYTES
from tests.deploy import kubernetes
from tests.deploy.tools import Tools

OVERLAYS = ("dev", "prod")
KUSTOMIZATIONS = ("base", *OVERLAYS, "monitoring")


def check(root: Path, tools: Tools) -> list[str]:
    """What is wrong."""
    folder = root / "strimzi"
    found = []
    for name, wanted in strimzi.files().items():
        file = folder / "base" / name
        if not file.is_file() or file.read_text() != wanted:
            found.append(f"strimzi/base/{name} differs from contracts/topics.py and contracts/rights.py: `make docs`")
    for name in KUSTOMIZATIONS:
        built = subprocess.run(
            [tools.path("kustomize"), "build", str(folder / name)], capture_output=True, text=True, check=False
        )
        if built.returncode:
            found.append(f"kustomize build strimzi/{name}: {built.stderr.strip()}")
            continue
        found += kubernetes.conform(f"strimzi/{name}", built.stdout, tools)
        if name in OVERLAYS:
            found += [f"strimzi/{name}: {problem}" for problem in _cluster(list(yaml.safe_load_all(built.stdout)))]
    return found


def _cluster(resources: list[dict[str, Any]]) -> list[str]:
    kinds: dict[str, list[dict[str, Any]]] = {}
    for resource in resources:
        kinds.setdefault(resource["kind"], []).append(resource)
    (kafka,) = kinds["Kafka"]
    found = []
    if kafka["metadata"]["name"] != strimzi.CLUSTER:
        found.append(f"the cluster is {kafka['metadata']['name']}, topics and users belong to {strimzi.CLUSTER}")
    found += [
        f"{kind} {resource['metadata']['name']} belongs to no cluster {strimzi.CLUSTER}"
        for kind in ("KafkaNodePool", "KafkaTopic", "KafkaUser")
        for resource in kinds[kind]
        if resource["metadata"]["labels"].get("strimzi.io/cluster") != strimzi.CLUSTER
    ]
    spec = kafka["spec"]["kafka"]
    for key in ("message.max.bytes", "replica.fetch.max.bytes"):
        if spec["config"].get(key) != MAX_REQUEST_BYTES:
            found.append(f"{key} is {spec['config'].get(key)}, contracts/limits.py says {MAX_REQUEST_BYTES}")
    found += [
        f"listener {listener['name']} has no TLS or no SCRAM"
        for listener in spec["listeners"]
        if not listener["tls"] or listener.get("authentication", {}).get("type") != "scram-sha-512"
    ]
    brokers = sum(pool["spec"]["replicas"] for pool in kinds["KafkaNodePool"] if "broker" in pool["spec"]["roles"])
    if int(spec["config"]["default.replication.factor"]) > brokers:
        found.append(f"default.replication.factor is more than the {brokers} brokers")
    return found
