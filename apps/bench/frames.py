"""The frames both sides of the comparison see: 640 x 480, one public-domain face that moves."""

import cv2
import numpy as np

from model.images import encode_jpeg
from producers.sample import public_domain_pictures
from producers.sources import Picture, read_picture

WIDTH, HEIGHT = 640, 480
QUALITY = 80
"""JPEG quality, as producers encode."""


def bench_frames(count: int = 64) -> list[bytes]:
    """JPEG frames of Eileen Collins' portrait (NASA) drifting through a drawn room.

    Raises:
        FatalError: the picture's package is not installed.
    """
    portrait = read_picture(public_domain_pictures()["collins"])[0:300, 90:360]
    return [encode_jpeg(_draw(portrait, 2 * np.pi * step / count), QUALITY) for step in range(count)]


def _draw(portrait: Picture, phase: float) -> Picture:
    """One frame: BGR uint8 [480, 640, 3]; `phase` 0..2 pi."""
    shade = np.linspace(70, 130, HEIGHT, dtype=np.float32)[:, None, None] * np.array([1.05, 1.0, 0.92], np.float32)
    canvas = np.ascontiguousarray(np.broadcast_to(np.clip(shade, 0, 255).astype(np.uint8), (HEIGHT, WIDTH, 3)))
    height = int(260 + 40 * np.sin(2 * phase))
    width = round(portrait.shape[1] * height / portrait.shape[0])
    left = int((WIDTH - width) / 2 + 150 * np.sin(phase))
    top = int((HEIGHT - height) / 2 + 70 * np.cos(phase))
    canvas[top : top + height, left : left + width] = cv2.resize(portrait, (width, height))
    return canvas
