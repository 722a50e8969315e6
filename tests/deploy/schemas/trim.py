"""Makes the schemas of this folder from published ones: the same rules, without the prose.

    python -m tests.deploy.schemas.trim FOLDER_OF_CRD_SCHEMAS GATEWAY_API_CRD.yaml

FOLDER has GROUP/KIND_VERSION.json; the Gateway API ships CustomResourceDefinitions, from which the schema is taken.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
WANTED = (
    "kafka.strimzi.io/kafka_v1",
    "kafka.strimzi.io/kafkanodepool_v1",
    "kafka.strimzi.io/kafkatopic_v1",
    "kafka.strimzi.io/kafkauser_v1",
    "keda.sh/scaledobject_v1alpha1",
    "keda.sh/triggerauthentication_v1alpha1",
    "monitoring.coreos.com/podmonitor_v1",
)
HTTP_ROUTE = "gateway.networking.k8s.io/httproute_v1"
PROSE = ("description", "example", "x-kubernetes-validations", "x-kubernetes-list-type", "x-kubernetes-list-map-keys")


def trimmed(schema: Any, names: bool = False) -> Any:
    """The schema without descriptions and without rules that JSON Schema does not know.

    `names`: the keys of this object are names of properties, not keywords.
    """
    if isinstance(schema, list):
        return [trimmed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: trimmed(value, names=key == "properties" and not names)
        for key, value in schema.items()
        if names or key not in PROSE
    }


def closed(schema: Any) -> Any:
    """As kubeconform's own converter: what an object does not name, it may not have."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    if (
        isinstance(found.get("properties"), dict)
        and "additionalProperties" not in found
        and found.get("type") == "object"
    ):
        found["additionalProperties"] = False
    return found


def http_route(crd: Path) -> Any:
    """Schema of HTTPRoute v1 out of the Gateway API's definition."""
    definition = yaml.safe_load(crd.read_text())
    version = next(entry for entry in definition["spec"]["versions"] if entry["name"] == "v1")
    schema = closed(version["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"].pop("additionalProperties", None)
    return schema


def text(schema: Any) -> str:
    """As it is committed."""
    return json.dumps(trimmed(schema), separators=(",", ":"), sort_keys=True) + "\n"


def main(folder: Path, route: Path) -> None:
    """Write every schema."""
    found = {name: json.loads((folder / f"{name}.json").read_text()) for name in WANTED}
    for name, schema in (found | {HTTP_ROUTE: http_route(route)}).items():
        path = HERE / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text(schema))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
