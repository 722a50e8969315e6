"""Long proofs of the webcam, for a quiet machine: ten minutes that stay flat, twenty starts. Writes docs/results."""

import json
import re
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
import pytest
from playwright.sync_api import Page, expect

from apps.bench.machine import with_machine
from tests.browser.camera import FPS, READ, FakeWebcam
from tests.browser.measuring import Following, follow
from tests.browser.test_webcam import SECONDS, begin, metric, see_live
from tests.browser.test_webcam import nothing_runs as nothing_runs
from tests.browser.test_webcam import open_page as open_page
from tests.browser.test_webcam import playwright as playwright
from tests.services import Service, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.prove, pytest.mark.timeout(1500)]

RESULT = Path(__file__).parents[2] / "docs" / "results" / "webcam.json"


def health_ms(service: Service) -> float:
    """How long Streamlit's own health check takes."""
    began = time.monotonic()
    with urllib.request.urlopen(f"http://127.0.0.1:{service.port}/_stcore/health", timeout=5) as answer:
        answer.read()
    return (time.monotonic() - began) * 1000


@pytest.mark.parametrize(("way", "minutes"), [("WebRTC only", 10), ("WebSocket (where", 3)])
def test_minutes_stay_flat(
    dashboard: Service, processor: Service, open_page: Callable[..., Page], webcam: FakeWebcam, way: str, minutes: int
) -> None:
    page = open_page()
    began = time.monotonic()
    begin(page, dashboard, way)
    see_live(page)
    first_answer = time.monotonic() - began
    page.wait_for_timeout(3000)
    page.evaluate("window.mairrorPause = 250")
    page.wait_for_function(READ, timeout=SECONDS, polling=200)
    health, parts = [], []
    assert dashboard.process is not None
    process = psutil.Process(dashboard.process.pid)
    process.cpu_percent()
    for _ in range(minutes):
        for _ in range(20):
            page.wait_for_timeout(3000)
            health.append(health_ms(dashboard))
        parts.append(page.evaluate("[window.mairrorLog.splice(0), window.mairrorFrames.splice(0)]"))
    figures = summary([follow(log, frames, webcam.boxes) for log, frames in parts]) | {
        "first_answer_s": round(first_answer, 1),
        "health_ms": {"p50": round(median(health), 1), "max": round(max(health), 1)},
        "dashboard_cpu_percent": process.cpu_percent(),
        "delay_ms": [int(part) for part in re.findall(r"\d+", page.locator('[data-figure="delay"]').inner_text())],
    }
    keep("webrtc" if way.startswith("WebRTC") else "websocket", figures)
    print(json.dumps(figures))
    assert figures["lag_p95_ms"] <= 200
    assert figures["lag_p50_ms_by_minute"][-1] - figures["lag_p50_ms_by_minute"][0] < 50
    assert figures["share_of_boxes_at_0.6"] >= 0.95
    assert figures["preview_fps"] >= 0.95 * FPS
    assert figures["health_ms"]["p50"] < 50


def summary(minutes: list[Following]) -> dict[str, Any]:
    """All minutes together, and one by one what must stay flat."""
    overlaps = np.concatenate([minute.overlaps for minute in minutes])
    lags = np.concatenate([minute.lags_ms for minute in minutes])
    return {
        "minutes": len(minutes),
        "samples": len(overlaps),
        "overlap_median": round(float(np.median(overlaps)), 3),
        "share_of_boxes_at_0.6": round(float((overlaps >= 0.6).mean()), 4),
        "lag_p50_ms": round(float(np.percentile(lags, 50)), 1),
        "lag_p95_ms": round(float(np.percentile(lags, 95)), 1),
        "lag_p50_ms_by_minute": [round(minute.lag(50), 1) for minute in minutes],
        "preview_fps": round(float(np.mean([minute.preview_fps for minute in minutes])), 2),
        "without_box": round(float(np.mean([minute.without_box for minute in minutes])), 4),
    }


def keep(name: str, figures: dict[str, Any]) -> None:
    """Into the results file, beside what the other proofs put there."""
    known = json.loads(RESULT.read_text())["figures"] if RESULT.exists() else {}
    RESULT.write_text(json.dumps(with_machine(known | {name: figures}), indent=1) + "\n")


def test_twenty_starts_and_stops(dashboard: Service, processor: Service, open_page: Callable[..., Page]) -> None:
    page = open_page()
    begin(page, dashboard)
    ways = []
    for number in range(20):
        see_live(page)
        ways.append(page.locator('[data-figure="way"]').inner_text().split(" ·")[0])
        page.get_by_role("button", name="Stop").click()
        start = page.get_by_role("button", name="Use my webcam")
        expect(start).to_be_visible(timeout=SECONDS)
        wait_for(lambda: metric(dashboard, "mairror_webcams") == 0, 5, f"stream {number} ended")
        if number < 19:
            start.click()
    keep("starts", {"of": 20, "ways": {way: ways.count(way) for way in sorted(set(ways))}})
