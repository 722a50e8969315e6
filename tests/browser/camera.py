"""A webcam for Chromium: a public-domain portrait that moves, with the number of each frame burned in.

Chromium plays a file of JPEGs one after the other as its camera (`--use-file-for-fake-video-capture`), over and over.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from model.detector import FaceDetector
from producers.sample import public_domain_pictures
from producers.sources import read_picture

WIDTH, HEIGHT, FPS, FRAMES = 640, 480, 30, 300
BITS, BLOCK = 12, 24
"""The counter: black and white blocks from the upper left corner, lowest bit first."""
FACE_WIDTH = 150
PERIODS = 2
"""Swings in one play of the file: it goes on without a jump."""
REACH = (150.0, 45.0)

Picture = npt.NDArray[np.uint8]
Box = tuple[float, float, float, float]
"""x, y, width, height as fractions of the frame."""


@dataclass(frozen=True)
class FakeWebcam:
    """The file, and where the face truly is in each frame."""

    file: Path
    boxes: list[Box]

    def flags(self) -> list[str]:
        """For Chromium."""
        return [
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-video-capture={self.file}",
        ]


def make_webcam(folder: Path, detector: FaceDetector, portrait: str = "collins") -> FakeWebcam:
    """Ten seconds of a face that swings through the picture, at up to 380 pixels a second."""
    head, box = _head(read_picture(public_domain_pictures()[portrait]), detector)
    file = folder / "webcam.mjpeg"
    boxes = []
    with file.open("wb") as out:
        for number in range(FRAMES):
            frame, place = _frame(number, head, box)
            boxes.append(place)
            out.write(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())
    return FakeWebcam(file, boxes)


def _head(picture: Picture, detector: FaceDetector) -> tuple[Picture, Box]:
    """The portrait scaled so that its face has `FACE_WIDTH`, cut to head and shoulders; the face's box in it."""
    face = max(detector.detect(picture), key=lambda found: found.width)
    scale = FACE_WIDTH / face.width
    scaled = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    x, y, width, height = (value * scale for value in (face.x, face.y, face.width, face.height))
    left, top = max(0, round(x - width * 0.5)), max(0, round(y - height * 0.45))
    cut = scaled[top : round(y + height * 1.35), left : round(x + width * 1.5)]
    return np.asarray(cut, np.uint8), (x - left, y - top, width, height)


def _frame(number: int, head: Picture, box: Box) -> tuple[Picture, Box]:
    """Frame `number`, and the face's box in it."""
    frame = _background()
    angle = 2 * math.pi * PERIODS * number / FRAMES
    height, width = head.shape[:2]
    left = (WIDTH - width) / 2 + REACH[0] * math.sin(angle)
    top = (HEIGHT - height) / 2 + REACH[1] * math.sin(2 * angle)
    moved = np.array([[1, 0, left], [0, 1, top]], np.float64)
    layer = cv2.warpAffine(head, moved, (WIDTH, HEIGHT))
    mask = cv2.warpAffine(np.full((height, width), 255, np.uint8), moved, (WIDTH, HEIGHT))
    frame = np.where(mask[..., None] > 127, layer, frame).astype(np.uint8)
    for bit in range(BITS):
        frame[:BLOCK, bit * BLOCK : (bit + 1) * BLOCK] = 255 if number >> bit & 1 else 0
    x, y, box_width, box_height = box
    return frame, ((x + left) / WIDTH, (y + top) / HEIGHT, box_width / WIDTH, box_height / HEIGHT)


def _background() -> Picture:
    """A wall: soft light from the left."""
    light = np.linspace(150, 95, WIDTH)[None, :, None] * np.linspace(1, 0.85, HEIGHT)[:, None, None]
    return np.asarray(light * np.array([1.0, 0.97, 0.9]), np.uint8)


READ = """
() => {
  // runs in the page: pairs the counter of the shown picture with the box on the canvas, several times a second
  const find = (root, selector) => root.querySelector(selector)
    || [...root.querySelectorAll("*")].filter(e => e.shadowRoot).map(e => find(e.shadowRoot, selector)).find(Boolean);
  const video = find(document, "video.preview"), canvas = find(document, "canvas");
  if (!video || !canvas || !video.videoWidth) return false;
  const small = document.createElement("canvas");
  small.width = 320; small.height = 24;
  const pen = small.getContext("2d", { willReadFrequently: true });
  const log = (window.mairrorLog = []);
  const frames = (window.mairrorFrames = []);
  let last = 0;
  const counter = () => {
    pen.drawImage(video, 0, 0, 320, 24, 0, 0, 320, 24);
    let number = 0;
    for (let bit = 0; bit < 12; bit += 1) {
      if (pen.getImageData(bit * 24 + 12, 12, 1, 1).data[0] > 127) number += 1 << bit;
    }
    return number;
  };
  const box = () => {
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    const rows = new Uint32Array(height), columns = new Uint32Array(width);
    for (let y = 0, p = 0; y < height; y += 1) for (let x = 0; x < width; x += 1, p += 4) {
      // a tint: opaque, bright and coloured; the plate behind the words is dark, the words are white
      const high = Math.max(data[p], data[p + 1], data[p + 2]), low = Math.min(data[p], data[p + 1], data[p + 2]);
      if (data[p + 3] > 200 && high > 200 && high - low > 40) { rows[y] += 1; columns[x] += 1; }
    }
    const ends = (counts) => {
      const most = Math.max(...counts);
      if (most < 20) return null;
      const over = [...counts.keys()].filter((at) => counts[at] > most * 0.55);
      return [over[0], over[over.length - 1]];
    };
    const across = ends(columns), down = ends(rows);
    if (!across || !down) return null;
    return [across[0] / width, down[0] / height, (across[1] - across[0] + 1) / width, (down[1] - down[0] + 1) / height];
  };
  const look = (now, meta) => {
    frames.push([now, meta.presentedFrames]);
    if (frames.length > 4000) frames.shift();
    if (now - last > (window.mairrorPause ?? 180)) { last = now; log.push([now, counter(), box()]); }
    if (!window.mairrorDone) video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
  return true;
}
"""
