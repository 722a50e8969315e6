"""kubeconform -strict over manifests, with schemas that lie here and in the tools' folder: nothing is fetched."""

import json
import subprocess
from pathlib import Path

from tests.deploy.tools import KUBERNETES, Tools

CUSTOM = Path(__file__).with_name("schemas")


def conform(where: str, manifests: str, tools: Tools) -> list[str]:
    """What kubeconform finds; a resource without a schema is a finding too."""
    done = subprocess.run(
        [
            tools.path("kubeconform"),
            "-strict",
            "-output=json",
            "-summary",
            f"-kubernetes-version={KUBERNETES}",
            f"-schema-location={tools.kubernetes_schemas}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json",
            f"-schema-location={CUSTOM}/{{{{ .Group }}}}/{{{{ .ResourceKind }}}}_{{{{ .ResourceAPIVersion }}}}.json",
            "-",
        ],
        input=manifests,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        answer = json.loads(done.stdout)
    except json.JSONDecodeError:
        return [f"{where}: kubeconform: {(done.stderr or done.stdout).strip()[-500:]}"]
    found = [
        f"{where}: kubeconform: {entry['kind']} {entry['name']}: {entry['msg']}"
        for entry in answer.get("resources") or []
        if entry["status"] != "statusValid"
    ]
    if not found and (done.returncode or not answer["summary"]["valid"]):
        found = [f"{where}: kubeconform: {answer['summary']}"]
    return found
