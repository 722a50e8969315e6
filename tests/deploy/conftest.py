"""The tools that check deployment files, copies of those files to break, and a store for the services they start."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from apps.local.java import Jars
from apps.local.server import Server
from apps.local.store import StoreSpec
from tests.deploy.check import ROOT
from tests.deploy.tools import Tools, fetch, installed

FILES = ("docker", "strimzi", "charts")


@pytest.fixture(scope="session")
def tools() -> Tools:
    """hadolint, kubeconform, helm, kustomize, the compose loader. In CI they must be there, elsewhere they may not."""
    found = installed()
    if found is None and not os.environ.get("CI"):
        pytest.skip("the tools are not here yet: `make deploy-check` fetches them")
    return found or fetch()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The deployment files of this checkout, to be broken; the chart with one values file."""
    root = tmp_path / "checkout"
    for name in FILES:
        shutil.copytree(ROOT / name, root / name)
    for file in (*ROOT.glob("docker-compose*.yml"), ROOT / "requirements.lock", ROOT / "pyproject.toml"):
        shutil.copy(file, root)
    for file in (root / "charts/mairror/ci").iterdir():
        if file.name != "gpu-values.yaml":
            file.unlink()
    return root


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, jars: Jars, free_port: Callable[[], int]) -> Iterator[Server]:
    """A store of this module alone."""
    server = Server.store(StoreSpec(tmp_path_factory.mktemp("store"), free_port(), jars))
    server.start()
    yield server
    server.stop()
