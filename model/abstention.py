"""Decides when no age is better than a guess. Every refusal names its rule, the value and the limit."""

from contracts.settings import ModelSettings
from model.faces import Abstention, AbstentionReason, AgeEstimate, Quality


def decide_by_quality(quality: Quality, settings: ModelSettings) -> Abstention | None:
    """The rules that need no estimate: size, then sharpness, then yaw. None when the face may be estimated."""
    if quality.size_px < settings.min_face_px:
        detail = f"face {quality.size_px:.0f} px, needs {settings.min_face_px}"
        return Abstention(AbstentionReason.TOO_SMALL, detail)
    if quality.sharpness < settings.min_sharpness:
        detail = f"sharpness {quality.sharpness:.2f}, needs {settings.min_sharpness:.2f}"
        return Abstention(AbstentionReason.TOO_BLURRED, detail)
    if abs(quality.yaw) > settings.max_yaw:
        detail = f"turned {abs(quality.yaw):.0f} degrees, at most {settings.max_yaw:.0f}"
        return Abstention(AbstentionReason.TURNED_AWAY, detail)
    return None


def decide(quality: Quality, estimate: AgeEstimate, settings: ModelSettings) -> Abstention | None:
    """Why this face gets no age, or None when it does.

    The first rule broken is the reason: what the person can change (come closer, hold still, look here) comes before
    what the model cannot do (a distribution too wide to mean anything).
    """
    refused = decide_by_quality(quality, settings)
    if refused is None and estimate.spread > settings.max_spread:
        detail = f"spread {estimate.spread:.0f} years, at most {settings.max_spread:.0f}"
        return Abstention(AbstentionReason.SPREAD_TOO_WIDE, detail)
    return refused
