"""The consumers of the README run exactly as printed, and get valid answers."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import jsonschema
import pytest

from contracts.documents import schemas
from contracts.settings import Settings
from producers.camera import Play, Replay
from producers.sample import SampleSource
from tests.kafka.sending import unique
from tests.services import Service

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
WANTED = 10


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", README, re.S)
    assert found, f"the README has no {language} block"
    return found[1]


def command(language: str, folder: Path) -> list[str]:
    code = block(language)
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    if language == "python":
        return [sys.executable, "-u", "-c", code]
    if language == "sh":
        assert shutil.which("kcat"), "kcat is not installed: apt-get install kcat"
        return ["sh", "-c", f"exec {code}"]
    assert shutil.which("npm"), "Node.js is not installed: apt-get install nodejs npm"
    install = re.search(r"`npm install (\S+)`", README)
    assert install
    npm = ["npm", "install", "--no-audit", "--no-fund", "--silent", install[1]]
    subprocess.run(npm, cwd=folder, check=True, timeout=120, capture_output=True)
    (folder / "consumer.mjs").write_text(code)
    return ["node", str(folder / "consumer.mjs")]


@pytest.mark.parametrize("language", ["python", "js", "sh"])
def test_a_consumer_of_the_readme_gets_valid_answers(
    settings: Settings, processor: Service, tmp_path: Path, language: str
) -> None:
    stream = unique("readme")
    environment = os.environ | {"BOOTSTRAP": settings.kafka.bootstrap}
    consumer = subprocess.Popen(
        command(language, tmp_path), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    replay = Replay(settings, SampleSource(15), Play(stream, "public-domain", seconds=60))
    playing = threading.Thread(target=replay.run, daemon=True)
    playing.start()
    watchdog = threading.Timer(60, consumer.kill)
    watchdog.start()
    lines: list[str] = []
    assert consumer.stdout is not None
    for line in consumer.stdout:
        if stream in line:
            lines.append(line)
        if len(lines) == WANTED:
            break
    watchdog.cancel()
    consumer.kill()
    errors = consumer.communicate()[1]
    replay.stop()
    playing.join(20)
    assert len(lines) == WANTED, errors[-2000:]
    for line in lines:
        answer = json.loads(line)
        if language == "sh":
            jsonschema.Draft202012Validator(schemas()["answer.v1.json"]).validate(answer)
        else:
            assert answer["stream"] == stream
            assert all(age is None or 0 < age < 120 for age in answer["ages"])
    assert any(json.loads(line).get("ages") or json.loads(line).get("faces") for line in lines)
