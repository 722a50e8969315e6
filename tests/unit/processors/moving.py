"""One person before a camera, made from one portrait: moving, coming closer, re-lit, blurred, leaning.

Deterministic, so that a figure measured on it means the same tomorrow. The changes run at different tempi and never
line up: within 8 s every combination of near and far, dark and bright, sharp and blurred comes by.
"""

import math
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
WIDTH, HEIGHT = 640, 480
FPS = 30.0
FACE_WIDTH = 120
"""Of the portrait's face in the middle of its range, pixels: somebody at a desk before a webcam."""


def portrait_sequence(portrait: Picture, face: tuple[float, float, float], frames: int) -> Iterator[Picture]:
    """The frames: BGR uint8 [480, 640, 3].

    Args:
        portrait: the picture.
        face: centre x, centre y and width of its face, pixels.
        frames: how many.
    """
    noise = np.random.default_rng(7)
    for number in range(frames):
        seconds = number / FPS
        scale = FACE_WIDTH / face[2] * (1.0 + 0.4 * math.sin(seconds * 1.1))
        angle = 12 * math.sin(seconds * 0.9 + 1)
        turn = cv2.getRotationMatrix2D((face[0], face[1]), angle, scale)
        turn[0, 2] += WIDTH / 2 + 140 * math.sin(seconds * 0.8) - face[0]
        turn[1, 2] += HEIGHT / 2 + 70 * math.sin(seconds * 1.3) - face[1]
        frame = cv2.warpAffine(
            portrait, turn, (WIDTH, HEIGHT), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
        ).astype(np.float32)
        frame = 255 * (frame / 255) ** (1.0 + 0.4 * math.sin(seconds * 1.7))
        frame = (frame - 128) * (1.0 + 0.35 * math.sin(seconds * 0.6 + 2)) + 128 + 35 * math.sin(seconds * 1.0 + 4)
        blur = 0.9 * max(0.0, math.sin(seconds * 1.5 + 3))
        if blur > 0.1:
            frame = cv2.GaussianBlur(frame, (0, 0), blur)
        frame += noise.normal(0, 3, frame.shape).astype(np.float32)
        yield np.clip(frame, 0, 255).astype(np.uint8)
