"""charts/mairror: helm lint, every ci values file rendered and checked, and what must agree with the code."""

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from contracts.settings import Settings
from contracts.strimzi import user_name
from contracts.topics import PROCESSOR_GROUP, TOPICS
from tests.deploy import dockerfile, kubernetes, rules
from tests.deploy.tools import KUBERNETES, Tools

RELEASE = "mairror"
SECRETS = "/run/secrets/mairror"
PLACEHOLDERS = {
    "MAIRROR_MONGO__URI": "mongodb://user:password@mongo:27017/mairror",
    "MAIRROR_GATEWAY__KEYS": f"ci:read:{'0123456789abcdef' * 4}",
}
COMPONENTS = {
    "processor": "processor",
    "sink-mongo": "sinkMongo",
    "gateway": "gateway",
    "dashboard": "dashboard",
    "producer": "producer",
}
"""Component of the topic table -> key of `kafka.users` in the chart's values."""


@dataclass(frozen=True)
class Pod:
    """One container of ours as a Deployment or Job would run it."""

    name: str
    target: str
    arguments: list[str]
    environment: dict[str, str]
    """Of the image, of the manifest, and the secret files by the setting they are named after."""
    files: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    """Path below MAIRROR_SECRETS_DIR -> Secret and key."""


def check(root: Path, tools: Tools) -> list[str]:
    """What is wrong."""
    chart = root / "charts" / "mairror"
    cases = sorted((chart / "ci").glob("*-values.yaml"))
    found = [] if cases else ["charts/mairror/ci has no *-values.yaml"]
    found += _defaults(yaml.safe_load((chart / "values.yaml").read_text()))
    for case in cases:
        linted = _helm(tools, "lint", str(chart), "--strict", "--quiet", "--values", str(case))
        if linted.returncode:
            found.append(f"helm lint with {case.name}: {(linted.stdout + linted.stderr).strip()}")
        try:
            text = render(root, tools, case)
        except ValueError as error:
            found.append(f"helm template with {case.name}: {error}")
            continue
        where = f"charts/mairror with {case.name}"
        found += kubernetes.conform(where, text, tools)
        found += [f"{where}: {problem}" for problem in _problems(root, list(yaml.safe_load_all(text)))]
    return found


def render(root: Path, tools: Tools, *values: Path, release: str = RELEASE) -> str:
    """The manifests of a values file.

    Raises:
        ValueError: helm refuses; the message is helm's.
    """
    arguments = [part for file in values for part in ("--values", str(file))]
    done = _helm(tools, "template", release, str(root / "charts" / "mairror"), *arguments)
    if done.returncode:
        raise ValueError(done.stderr.strip())
    return done.stdout


def _helm(tools: Tools, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [tools.path("helm"), *arguments, "--kube-version", KUBERNETES]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def pods(root: Path, resources: list[dict[str, Any] | None]) -> Iterator[Pod]:
    """Every container of ours in these manifests."""
    stages = dockerfile.stages(root / "docker" / "Dockerfile")
    for resource in filter(None, resources):
        if resource["kind"] not in ("Deployment", "Job"):
            continue
        spec = resource["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        target = container["image"].rpartition(":")[0].rpartition("/")[2]
        files = _files(spec)
        inside = stages[target].environment
        given = {entry["name"]: entry.get("value", "-") for entry in container["env"]}
        mounted = {name: PLACEHOLDERS.get(name, "secret") for name in files if name.startswith("MAIRROR_")}
        yield Pod(resource["metadata"]["name"], target, container["args"], inside | given | mounted, files)


def _files(spec: Mapping[str, Any]) -> dict[str, tuple[str, str | None]]:
    found: dict[str, tuple[str, str | None]] = {}
    for volume in spec["volumes"]:
        for source in volume.get("projected", {}).get("sources", []):
            secret = source["secret"]
            for item in secret.get("items", []):
                found[item["path"]] = (secret["name"], item["key"])
    return found


def _problems(root: Path, resources: list[dict[str, Any] | None]) -> list[str]:
    found = []
    every = list(pods(root, resources))
    for pod in every:
        found += rules.problems(pod.name, pod.arguments, pod.environment)
        found += [
            f"{pod.name}: {key} is {value}, and no secret is mounted there"
            for key, value in pod.environment.items()
            if value.startswith(f"{SECRETS}/") and key == "MAIRROR_KAFKA__CA_FILE" and Path(value).name not in pod.files
        ]
    for resource in filter(None, resources):
        if resource["kind"] in ("Deployment", "Job"):
            found += _hardened(resource)
        if resource["kind"] == "Deployment":
            found += _probed(resource)
        if resource["kind"] == "ScaledObject":
            found += _scaled(resource, every)
    return found


def _hardened(resource: Mapping[str, Any]) -> list[str]:
    name, spec = resource["metadata"]["name"], resource["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    wrong = []
    if not spec["securityContext"].get("runAsNonRoot") or spec.get("automountServiceAccountToken") is not False:
        wrong.append(f"{name} may run as root, or gets a token of the cluster")
    security = container["securityContext"]
    if not security.get("readOnlyRootFilesystem") or security.get("capabilities") != {"drop": ["ALL"]}:
        wrong.append(f"{name} may write to its root file system, or keeps capabilities")
    if "memory" not in container["resources"].get("limits", {}):
        wrong.append(f"{name} has no memory limit")
    return wrong


def _probed(resource: Mapping[str, Any]) -> list[str]:
    (container,) = resource["spec"]["template"]["spec"]["containers"]
    wanted = {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    return [
        f"{resource['metadata']['name']}: {probe} does not ask {path}"
        for probe, path in wanted.items()
        if container.get(probe, {}).get("httpGet", {}).get("path") != path
    ]


def _scaled(resource: Mapping[str, Any], every: list[Pod]) -> list[str]:
    """KEDA looks at the group the processors are in, at topics that are there, and stays within the partitions."""
    processor = next(pod for pod in every if pod.arguments == ["serve", "processor"])
    group = processor.environment.get("MAIRROR_PROCESSOR__GROUP", PROCESSOR_GROUP)
    bootstrap = processor.environment.get("MAIRROR_KAFKA__BOOTSTRAP")
    topics = {topic.name for topic in TOPICS if topic.readers.get("processor")}
    found = []
    seen = set()
    for trigger in resource["spec"]["triggers"]:
        metadata = trigger["metadata"]
        seen.add(metadata["topic"])
        if metadata["consumerGroup"] != group:
            found.append(f"KEDA looks at group {metadata['consumerGroup']}, processors are in {group}")
        if metadata["bootstrapServers"] != bootstrap:
            found.append(f"KEDA asks {metadata['bootstrapServers']}, processors {bootstrap}")
        if metadata.get("allowIdleConsumers") != "false":
            found.append("KEDA may start more processors than there are partitions")
    if seen != topics:
        found.append(f"KEDA looks at {sorted(seen)}, processors read {sorted(topics)} in their group")
    return found


def _defaults(values: Mapping[str, Any]) -> list[str]:
    """Values that must equal the code's own."""
    ours = Settings.model_construct()
    wanted = {
        "processor.group": (values["processor"]["group"], ours.processor.group),
        "processor.preset": (values["processor"]["preset"], ours.model.preset),
        "kafka.partitions": (values["kafka"]["partitions"], ours.kafka.partitions),
        "mongo.database": (values["mongo"]["database"], ours.mongo.database),
    }
    for component, key in COMPONENTS.items():
        user = values["kafka"]["users"][key]
        wanted[f"kafka.users.{key}"] = ((user["username"], user["secretName"]), (user_name(component),) * 2)
    return [
        f"charts/mairror/values.yaml: {name} is {found}, the code says {code}"
        for name, (found, code) in wanted.items()
        if found != code
    ]
