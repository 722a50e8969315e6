"""What must hold for the environment of every container of ours, whichever file sets it.

A variable must be a known setting, its value must be one the settings accept, and what a process cannot do its work
without must be set.
"""

import os
from collections.abc import Mapping
from unittest.mock import patch

from contracts.errors import FatalError
from contracts.settings import PREFIX, Settings, known_keys, load_settings

EVERYWHERE = ("MAIRROR_KAFKA__BOOTSTRAP", "MAIRROR_WEB__HOST", "MAIRROR_WEB__PORT")
STORE = ("MAIRROR_MONGO__URI",)
REQUIRED: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("serve", "processor"): (*EVERYWHERE, "MAIRROR_CACHE", "MAIRROR_MODEL__PRESET"),
    ("serve", "sink-mongo"): (*EVERYWHERE, *STORE),
    # it binds all addresses of its container: without keys it refuses to start
    ("serve", "gateway"): (*EVERYWHERE, *STORE, "MAIRROR_GATEWAY__KEYS"),
    ("serve", "dashboard"): (*EVERYWHERE, *STORE),
    ("serve", "sample"): EVERYWHERE,
    ("serve", "camera"): (*EVERYWHERE, "MAIRROR_CAMERAS"),
    ("topics", "apply"): ("MAIRROR_KAFKA__BOOTSTRAP", "MAIRROR_KAFKA__PARTITIONS"),
}
"""Command -> settings without which it would start with a default that is wrong in a container."""
SASL = ("MAIRROR_KAFKA__SASL_USERNAME", "MAIRROR_KAFKA__SASL_PASSWORD")
LEFT_BY_KUBERNETES = {"$(POD_IP)": "10.0.0.1"}


def problems(where: str, command: list[str], environment: Mapping[str, str]) -> list[str]:
    """What is wrong with this container's environment; secrets count as set, with any value."""
    required = REQUIRED.get(tuple(command[:2]))
    if required is None:
        return [f"{where}: `mairror {' '.join(command)}` is no command this check knows"]
    if environment.get("MAIRROR_KAFKA__SECURITY_PROTOCOL", "").startswith("SASL"):
        required = (*required, *SASL)
    unknown = sorted(key for key in environment if key.startswith(PREFIX) and key not in known_keys())
    found = [f"{where}: {key} is no setting (docs/settings.md lists them)" for key in unknown]
    found += [f"{where}: {key} is not set" for key in required if not environment.get(key)]
    if not unknown:
        try:
            settings_of(environment)
        except FatalError as error:
            found.append(f"{where}: {error}")
    return found


def settings_of(environment: Mapping[str, str]) -> Settings:
    """The settings a process would have with exactly this environment.

    Raises:
        FatalError: it would refuse to start.
    """
    ours = {key: value for key, value in environment.items() if key.startswith(PREFIX)}
    for written, value in LEFT_BY_KUBERNETES.items():
        ours = {key: text.replace(written, value) for key, text in ours.items()}
    ours.pop("MAIRROR_SECRETS_DIR", None)
    others = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
    with patch.dict(os.environ, others | ours, clear=True):
        return load_settings()
