"""Builds the answer to one frame from what the pipeline saw and the tracker knows."""

import time
from collections.abc import Sequence

from msgspec import UNSET, UnsetType

from contracts import ids
from contracts.answers import (
    Abstained,
    Age,
    Answer,
    Box,
    Ethnicity,
    Face,
    FrameInfo,
    Gender,
    ModelInfo,
    QualityInfo,
    Timing,
)
from model.faces import Abstention, AgeEstimate, Detection, Quality
from model.manifest import PresetManifest
from processors.frames import Held
from processors.pipeline import Looked
from processors.tracking import Tracked

DETECTOR = "yunet-2023mar"


def model_info(manifest: PresetManifest) -> ModelInfo:
    """Name, version and hash of what answers."""
    return ModelInfo(manifest.name, manifest.version, manifest.sha256, DETECTOR)


def box_of(found: Detection, width: int, height: int) -> Box:
    """A pixel box as fractions of the frame, clipped to it."""
    left, top = _clip(found.x / width), _clip(found.y / height)
    right, bottom = _clip((found.x + found.width) / width), _clip((found.y + found.height) / height)
    return Box(round(left, 5), round(top, 5), round(right - left, 5), round(bottom - top, 5))


def _clip(value: float) -> float:
    return min(1.0, max(0.0, float(value)))


def face_of(
    looked: Looked,
    index: int,
    estimate: AgeEstimate,
    abstention: Abstention | None,
    tracked: Tracked | None,
    reused: bool = False,
) -> Face:
    """One face of the answer; `reused` when its estimate is that of a frame before."""
    found, quality = looked.detections[index], looked.qualities[index]
    age = None
    if abstention is None:
        fused = tracked.fused if tracked else None
        age = Age(
            years=round(estimate.years, 2),
            low=round(estimate.low, 2),
            high=round(estimate.high, 2),
            coverage=estimate.coverage,
            smoothed_years=round(fused.years, 2) if fused else None,
            frames=tracked.frames if tracked else 1,
            smoothed_low=round(fused.low, 2) if fused else None,
            smoothed_high=round(fused.high, 2) if fused else None,
            shown_years=fused.shown_years if fused else None,
            shown_low=fused.shown_low if fused else None,
            shown_high=fused.shown_high if fused else None,
            reused=reused,
        )
    return Face(
        track=tracked.track if tracked else None,
        box=box_of(found, looked.width, looked.height),
        score=round(min(1.0, float(found.score)), 4),
        landmarks=[(round(float(x) / looked.width, 5), round(float(y) / looked.height, 5)) for x, y in found.landmarks],
        quality=_quality(quality),
        age=age,
        abstained=Abstained(abstention.reason.value, abstention.detail) if abstention else None,
        gender=UNSET if abstention else _gender(estimate),
        ethnicity=UNSET if abstention else _ethnicity(estimate),
    )


def _gender(estimate: AgeEstimate) -> Gender | UnsetType:
    if estimate.gender is None:
        return UNSET
    male = round(estimate.gender, 3)
    return Gender(female=round(1 - male, 3), male=male)


def _ethnicity(estimate: AgeEstimate) -> Ethnicity | UnsetType:
    if estimate.ethnicity is None:
        return UNSET
    return Ethnicity(*(round(min(1.0, share), 3) for share in estimate.ethnicity))


def _quality(quality: Quality) -> QualityInfo:
    return QualityInfo(
        size_px=round(float(quality.size_px), 1),
        sharpness=round(float(quality.sharpness), 3),
        brightness=round(float(quality.brightness), 3),
        yaw=round(float(quality.yaw), 1),
        roll=round(float(quality.roll), 1),
    )


def timing_of(held: Held, looked: Looked, *, queue_ms: float, estimate_ms: float, publish_ms: float) -> Timing:
    """Milliseconds by stage; no total when the clocks disagree."""
    skewed = held.skewed
    ingest = max(0.0, (held.appended - held.frame.captured_at.timestamp()) * 1000)
    return Timing(
        capture_to_ingest=None if skewed else round(ingest, 1),
        queue=round(queue_ms, 2),
        decode=round(looked.decode_ms, 2),
        detect=round(looked.detect_ms, 2),
        estimate=round(estimate_ms, 2),
        publish=round(publish_ms, 2),
        total=None if skewed else round(held.age_ms(), 1),
        clock="skewed" if skewed else "ok",
        reason="clock" if skewed else None,
    )


def answer_of(
    held: Held, looked: Looked, faces: Sequence[Face], manifest: PresetManifest, timing: Timing, dropped: dict[str, int]
) -> Answer:
    """The whole answer; its id is a function of frame and model, so a replay changes nothing."""
    frame = held.frame
    return Answer(
        id=str(ids.answer_id(frame.id, manifest.sha256)),
        stream=frame.stream,
        frame=FrameInfo(
            id=str(frame.id),
            connection=frame.connection,
            sequence=frame.sequence,
            captured_at=frame.captured_at,
            width=looked.width,
            height=looked.height,
            partition=held.partition,
            offset=held.offset,
            origin=frame.origin,  # type: ignore[arg-type]  # checked when the headers were read
        ),
        faces=list(faces),
        model=model_info(manifest),
        timing_ms=timing,
        dropped_since_last=dropped,
    )


def queue_ms(held: Held) -> float:
    """Milliseconds between delivery to this process and now."""
    return (time.monotonic() - held.received) * 1000
