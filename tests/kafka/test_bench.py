"""The bench measures what it says: every frame answered and estimated, the same work on both sides."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from apps.bench import measure
from apps.bench.frames import bench_frames
from apps.bench.load import Load
from apps.bench.machine import with_machine
from apps.bench.run import fastest
from apps.bench.sweep import BareLoop, Shape, Speed
from apps.bench.usage import PeakMemory, cpu_seconds
from contracts.answers import decode_answer
from contracts.errors import FatalError
from contracts.settings import Settings
from tests.services import Service, wait_for


@dataclass
class Running:
    """The session's Mairror as something to measure."""

    settings: Settings
    services: dict[str, Service]

    def pids(self) -> dict[str, int]:
        return {name: service.process.pid for name, service in self.services.items() if service.process}


@pytest.fixture(scope="module")
def frames() -> list[bytes]:
    return bench_frames(12)


def test_throughput_counts_answers_of_real_work(settings: Settings, processor: Service, frames: list[bytes]) -> None:
    found = measure.throughput(Running(settings, {"processor": processor}), frames, 2.0, os.getpid())
    assert found.answers > 10
    assert found.fps == pytest.approx(found.answers / 2.0, rel=0.2)
    assert set(found.cpu_ms) == {"processor", "bench"}
    assert found.cpu_ms["processor"] > found.stages_ms["decode"] > 0
    assert {"decode", "detect", "estimate", "publish"} <= set(found.stages_ms)


def test_frames_without_faces_are_refused_as_a_measurement(
    settings: Settings, processor: Service, no_face: bytes
) -> None:
    with pytest.raises(FatalError, match="no face with an age"):
        measure.throughput(Running(settings, {}), [no_face], 0.5, os.getpid())


def test_latency_is_end_to_end_without_the_model(settings: Settings, processor: Service, frames: list[bytes]) -> None:
    found = measure.latency(Running(settings, {}), frames, 2.0)
    assert found["sent"] == 90
    assert 0 < found["answered"] <= 90
    assert 0 < found["added"]["p50"] < found["end_to_end"]["p50"]
    assert found["added"]["p50"] <= found["added"]["p99"]


def test_stored_waits_for_the_store(settings: Settings, processor: Service, sink: Service, frames: list[bytes]) -> None:
    from sinks.mongo.store import connect

    client = connect(settings.mongo)
    before = client[settings.mongo.database]["frames"].count_documents({})
    rate = measure.stored(Running(settings, {}), frames, 1.5)
    after = client[settings.mongo.database]["frames"].count_documents({})
    client.close()
    assert rate > 0
    # warm-up and measurement are 3 s; the rate counts from the end of the warm-up to the last document
    assert after - before > rate


def test_load_sends_every_frame_once_and_gets_every_answer(
    settings: Settings, processor: Service, frames: list[bytes]
) -> None:
    with Load(settings, frames, streams=2) as load:
        for _ in range(20):
            load.send(expires=False)
        load.drain()
        answers = [decode_answer(body) for _, body in load.received]
    assert load.sent == 20
    seen = sorted((answer.stream, answer.frame.sequence) for answer in answers)
    assert seen == sorted({(answer.stream, number) for answer in answers for number in range(10)})


def test_the_bare_loop_runs_the_pipeline(frames: Sequence[bytes], settings: Settings, tmp_path: Path) -> None:
    for number, jpeg in enumerate(frames):
        (tmp_path / f"{number:03d}.jpg").write_bytes(jpeg)
    with BareLoop(tmp_path, 1, (1, 4)) as bare:
        found = bare.run(Shape(1, 2, 4), 0.5)
    assert found.fps > 1
    assert found.cpu_ms > 1


def test_memory_and_processor_time_are_of_the_processes_named(processor: Service) -> None:
    pids = {"processor": processor.process.pid if processor.process else 0, "bench": os.getpid()}
    with PeakMemory(pids) as memory:
        wait_for(lambda: memory.pss_mb > 0, 20, "a sample of the memory")
    assert 100 < memory.by_process["processor"] < memory.pss_mb <= memory.rss_mb
    assert cpu_seconds(pids)["bench"] > 0


def test_among_nearly_equal_shapes_the_cheapest_is_compared() -> None:
    found = {
        Shape(1, 2, 1): [Speed(100, 10.0), Speed(104, 10.2)],
        Shape(1, 2, 8): [Speed(98, 8.0), Speed(96, 8.2)],
        Shape(1, 1, 8): [Speed(70, 7.0), Speed(72, 7.1)],
    }
    assert fastest(found) == Shape(1, 2, 8)


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_the_whole_bench_prints_its_figures() -> None:
    command = [sys.executable, "-m", "apps.cli", "bench", "--seconds", "4", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["ratio"] >= 0.7
    assert found["added_latency_ms"]["p50"] > 0
    assert {"preset", "pipeline_fps", "bare_fps", "ratio_stored", "stages_ms", "peak_rss_mb"} <= set(found)
    results = Path(__file__).parents[2] / "docs" / "results"
    (results / "bench.json").write_text(json.dumps(with_machine(found), indent=1) + "\n")
    assert len(found["sweep"]) == len({(row["model_threads"], row["threads"], row["batch"]) for row in found["sweep"]})
