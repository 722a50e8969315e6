"""Answers as the live pages draw them: one face, and one picture with its age."""

import time
from typing import Any

from contracts.answers import Answer, Face


def picture(answer: Answer) -> dict[str, Any]:
    """What the page needs of an answer. `age_ms` is counted here, so that the browser's clock does not matter."""
    skewed = answer.timing_ms.clock != "ok"
    return {
        "id": answer.frame.id,
        "width": answer.frame.width,
        "height": answer.frame.height,
        "age_ms": None if skewed else max(0.0, (time.time() - answer.frame.captured_at.timestamp()) * 1000),
        "model": f"{answer.model.preset} {answer.model.version}",
        "faces": [face(found) for found in answer.faces],
    }


def face(found: Face) -> dict[str, Any]:
    """A face for the page: years and interval are fused over the track where there is one."""
    age = found.age
    years, low, high = age.for_people() if age else (None, None, None)
    return {
        "box": found.box,
        "track": None if found.track is None else found.track.rsplit(":", 1)[-1],
        "years": years,
        "low": low,
        "high": high,
        "coverage": age.coverage if age else None,
        "frames": age.frames if age else None,
        "reason": found.abstained.reason if found.abstained else None,
        "detail": found.abstained.detail if found.abstained else None,
    }
