"""The answer to one frame, as JSON on `mairror.ages.v1`.

Boxes and landmarks are fractions of the frame, because WebRTC changes the picture size by itself.
A face without a reliable age carries `"age": null` and says why. Zero faces is an answer.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from contracts.errors import InvalidInput, Reason

ANSWER_TYPE = "mairror.answer.v1"
ANSWER_SCHEMA = "/schemas/answer.v1.json"

Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Years = Annotated[float, Meta(ge=0.0, le=120.0)]
WholeYears = Annotated[int, Meta(ge=0, le=120)]
Point = Annotated[tuple[float, float], Meta(description="x and y as fractions of the frame; may lie outside it")]


class FrameInfo(Struct, frozen=True):
    """Which frame was answered."""

    id: str
    connection: str
    sequence: Annotated[int, Meta(ge=0)]
    captured_at: datetime
    width: Annotated[int, Meta(ge=1)]
    height: Annotated[int, Meta(ge=1)]
    origin: Literal["webcam", "camera", "file", "upload", "sample"]
    partition: Annotated[int, Meta(ge=0, description="where the frame lies on its topic")] | None = None
    offset: Annotated[int, Meta(ge=0)] | None = None


class Box(Struct, frozen=True):
    """A face's box, fractions of the frame."""

    x: Fraction
    y: Fraction
    width: Fraction
    height: Fraction


class QualityInfo(Struct, frozen=True):
    """How good the picture of the face is."""

    size_px: Annotated[float, Meta(ge=0, description="shorter side of the box, pixels")]
    sharpness: Fraction
    brightness: Fraction
    yaw: Annotated[float, Meta(ge=-90, le=90, description="degrees, from the landmarks, approximate")]
    roll: Annotated[float, Meta(ge=-180, le=180, description="degrees")]


class Age(Struct, frozen=True):
    """An age estimate: years, with an interval that covers the true age in `coverage` of cases.

    `years`, `low` and `high` are this frame's alone, or, with `reused`, those of a frame of the same face a moment
    before: a face that is followed is estimated five times a second (`processor.reuse_ms`). `smoothed_*` is the
    person's: fused over the frames of the track, weighted by how well the face can be seen and how sure the model is,
    outliers left out; the interval belongs to it.
    `shown_*` is the same in whole years that stand still: another number only after the fused value has moved by a
    year. For people show `shown_*`, for figures take `smoothed_*`, to judge the model take the frame's own.
    """

    years: Years
    low: Years
    high: Years
    coverage: Fraction
    smoothed_years: Annotated[Years | None, Meta(description="fused over the track's frames; null without a track")]
    frames: Annotated[int, Meta(ge=1, description="frames of the track behind smoothed_years")]
    smoothed_low: Annotated[Years | None, Meta(description="interval of smoothed_years; null without a track")] = None
    smoothed_high: Annotated[Years | None, Meta(description="interval of smoothed_years; null without a track")] = None
    shown_years: Annotated[WholeYears | None, Meta(description="smoothed_years for people; null without a track")] = (
        None
    )
    shown_low: Annotated[WholeYears | None, Meta(description="smoothed_low for people; null without a track")] = None
    shown_high: Annotated[WholeYears | None, Meta(description="smoothed_high for people; null without a track")] = None

    reused: Annotated[bool, Meta(description="estimated on a frame of the same face at most reuse_ms before")] = False

    def for_people(self) -> tuple[float, float, float]:
        """Years, low and high to show: the track's steady ones, or what an older writer or a single picture has."""
        if self.shown_years is not None and self.shown_low is not None and self.shown_high is not None:
            return self.shown_years, self.shown_low, self.shown_high
        return self.years if self.smoothed_years is None else self.smoothed_years, self.low, self.high


class Abstained(Struct, frozen=True):
    """Why there is no age."""

    reason: Literal["too_small", "too_blurred", "turned_away", "spread_too_wide"]
    detail: str


class Gender(Struct, frozen=True):
    """What others would take the person for: probabilities, together one. Only where the operator switched it on."""

    female: Fraction
    male: Fraction


class Ethnicity(Struct, frozen=True):
    """What others would take the person for, in the five groups of UTKFace: probabilities, together one. Only where
    the operator switched it on."""

    white: Fraction
    black: Fraction
    asian: Fraction
    indian: Fraction
    other: Fraction


class Face(Struct, frozen=True):
    """One face. `gender` and `ethnicity` are not even named unless `model.heads` switches them on."""

    track: str | None
    box: Box
    score: Fraction
    landmarks: Annotated[list[Point], Meta(min_length=5, max_length=5)]
    quality: QualityInfo
    age: Age | None
    abstained: Abstained | None
    gender: Gender | UnsetType = UNSET
    ethnicity: Ethnicity | UnsetType = UNSET


class ModelInfo(Struct, frozen=True):
    """Which model answered."""

    preset: str
    version: str
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    detector: str


class Timing(Struct, frozen=True):
    """Milliseconds by stage. `total` runs from capture to the hand-over of the answer.

    When the producer's clock and the broker's differ by more than 2 s, `capture_to_ingest` and
    `total` are null, `clock` is "skewed" and `reason` is "clock".
    """

    capture_to_ingest: float | None
    queue: float
    decode: float
    detect: float
    estimate: float
    publish: Annotated[float, Meta(description="confirmation time of the previous answers of this processor")]
    total: float | None
    clock: Literal["ok", "skewed"]
    reason: Literal["clock"] | None = None


class Answer(Struct, frozen=True):
    """The answer to one frame."""

    id: str
    stream: str
    frame: FrameInfo
    faces: list[Face]
    model: ModelInfo
    timing_ms: Timing
    dropped_since_last: Annotated[dict[str, int], Meta(description="frames of the stream dropped since, by cause")]


_decoder = msgspec.json.Decoder(Answer)
_encoder = msgspec.json.Encoder()


def encode(value: Struct) -> bytes:
    """Any message as JSON bytes."""
    return _encoder.encode(value)


def decode_answer(body: bytes) -> Answer:
    """Read an answer; unknown fields are ignored, so that newer writers do not break older readers.

    Raises:
        InvalidInput: not JSON, or not an answer.
    """
    try:
        return _decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise InvalidInput(Reason.BAD_BODY, f"not an answer: {error}") from error
