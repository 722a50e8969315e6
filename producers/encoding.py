"""A picture as the JPEG that travels: scaled to the largest edge, and always within the frame limit."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from contracts.limits import MAX_FRAME_BYTES
from contracts.settings import ProducerSettings
from model.images import encode_jpeg

QUALITY_STEP = 15
LEAST_QUALITY = 30


@dataclass(frozen=True, slots=True)
class Encoded:
    """A JPEG that is safe to pass on as it is (the limited decoder made it), and its size in pixels."""

    jpeg: bytes
    width: int
    height: int


def encode_frame(image: npt.NDArray[np.uint8], settings: ProducerSettings) -> tuple[bytes, int, int]:
    """Encode for `mairror.frames.live.v1`.

    Noise compresses badly: a picture over the limit is encoded again, coarser, then at half the size.

    Args:
        image: BGR uint8 [height, width, 3].
        settings: largest edge and JPEG quality.

    Returns:
        JPEG of at most `MAX_FRAME_BYTES`, its width and height.
    """
    image = _within(image, settings.max_edge)
    quality = settings.jpeg_quality
    while True:
        jpeg = encode_jpeg(image, quality)
        if len(jpeg) <= MAX_FRAME_BYTES:
            return jpeg, image.shape[1], image.shape[0]
        if quality > LEAST_QUALITY:
            quality = max(LEAST_QUALITY, quality - QUALITY_STEP)
        else:
            image = _within(image, max(image.shape[:2]) // 2)


def _within(image: npt.NDArray[np.uint8], edge: int) -> npt.NDArray[np.uint8]:
    height, width = image.shape[:2]
    scale = edge / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
