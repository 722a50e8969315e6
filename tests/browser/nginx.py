"""A real nginx before a dashboard, with the configuration that docs/reverse-proxy.md prints."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from apps.local.ports import listens
from tests.services import wait_for

DOCUMENT = Path(__file__).parents[2] / "docs" / "reverse-proxy.md"
PORT, DASHBOARD, BASE = "listen 80;", "http://127.0.0.1:8501;", "/mairror"

MAIN = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log stderr warn;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {block}
}}
"""


def documented_block() -> str:
    """The block of the document."""
    found = re.findall(r"```nginx\n(.*?)```", DOCUMENT.read_text(), re.S)
    assert len(found) == 1, f"{DOCUMENT} has one nginx block"
    return str(found[0])


def configuration(folder: Path, port: int, dashboard_port: int, base_path: str) -> str:
    """The document's block with the ports and the path of this test, in a frame that writes to this folder only."""
    block = documented_block()
    for old, new in (
        (PORT, f"listen 127.0.0.1:{port};"),
        (DASHBOARD, f"http://127.0.0.1:{dashboard_port};"),
        (BASE, f"/{base_path}"),
    ):
        assert old in block, f"the document does not say {old!r} any more"
        block = block.replace(old, new)
    # workers of root would be nobody, who may not write to the test's folder
    return MAIN.format(folder=folder, block=block, user="user root;" if os.geteuid() == 0 else "")


@pytest.fixture
def proxied(free_port: Callable[[], int], tmp_path: Path) -> Iterator[Callable[[int, str], str]]:
    """`proxied(dashboard_port, base_path)`: the address below which an nginx of this test shows that dashboard."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say("no nginx on this machine: apt-get install -y --no-install-recommends nginx-light")
    running: list[subprocess.Popen[bytes]] = []

    def start(dashboard_port: int, base_path: str) -> str:
        port = free_port()
        file = tmp_path / f"nginx-{port}.conf"
        file.write_text(configuration(tmp_path, port, dashboard_port, base_path))
        with (tmp_path / "nginx.log").open("ab") as log:
            running.append(subprocess.Popen([str(program), "-p", str(tmp_path), "-c", str(file)], stderr=log))
        wait_for(
            lambda: listens("127.0.0.1", port) or running[-1].poll() is not None, 10, f"nginx serves, see {tmp_path}"
        )
        assert running[-1].poll() is None, (tmp_path / "nginx.log").read_text()
        return f"http://127.0.0.1:{port}/{base_path}"

    yield start
    for process in running:
        process.terminate()
        process.wait(10)
