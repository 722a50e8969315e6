"""Asks a rival about pictures, as patiently as our own detector looks.

Steps: the picture as it is; with a black border (face crops have nothing around the face, and detectors need some);
the whole picture taken for the face, which counts as not found. So no rival is punished for the crops of a data set.
"""

import json
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from typing import Any, Final, Protocol, Self

import cv2
import numpy as np
import numpy.typing as npt

from contracts.errors import FatalError
from model.evaluation.finding import BORDER, main_face
from model.faces import Detection

Picture = npt.NDArray[np.uint8]

HEADER: Final = struct.Struct("<III")
FIND, WHOLE = 0, 1

NOT_FOUND: Final = 2
"""Step of an answer for which no face was found."""


class Rival(Protocol):
    """Something that answers one picture at a time."""

    name: str

    def answer(self, bgr: Picture) -> tuple[float, int]:
        """Age in years, and the step that found the face (`NOT_FOUND`: the whole picture was taken for it)."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class Process:
    """A rival that runs as a process and speaks the protocol of `human.js`. Use it in one thread.

    Args:
        name: shown to people.
        command: what `installing` returns.
    """

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - read when the process dies, closed with it
        self._process = subprocess.Popen(
            list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def answer(self, bgr: Picture) -> tuple[float, int]:
        """See `Rival`.

        Raises:
            FatalError: the process died; the message carries its last words.
        """
        height, width = bgr.shape[:2]
        found = self._chosen(self._ask(FIND, bgr), width, height)
        if found is not None:
            return found, 0
        down, right = round(height * BORDER), round(width * BORDER)
        framed = cv2.copyMakeBorder(bgr, down, down, right, right, cv2.BORDER_CONSTANT, value=(0, 0, 0))
        found = self._chosen(self._ask(FIND, np.asarray(framed, np.uint8)), framed.shape[1], framed.shape[0])
        if found is not None:
            return found, 1
        return float(self._ask(WHOLE, bgr)[0]["age"]), NOT_FOUND

    def close(self) -> None:
        """End the process: its input ends, so it does."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._errors.close()

    def _ask(self, mode: int, bgr: Picture) -> list[dict[str, Any]]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        rgb = np.ascontiguousarray(bgr[:, :, ::-1])
        try:
            self._process.stdin.write(HEADER.pack(mode, *rgb.shape[:2]) + rgb.tobytes())
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = b""
        if not line:
            raise FatalError(f"{self.name} ended in the middle of a picture: {self._last_words()}")
        faces: list[dict[str, Any]] = json.loads(line)["faces"]
        return faces

    def _chosen(self, faces: list[dict[str, Any]], width: int, height: int) -> float | None:
        """The age of the face a labelled picture is about, chosen as for our own detector."""
        boxes = [_detection(face["box"]) for face in faces]
        best = main_face(boxes, width, height)
        return next((float(face["age"]) for face, box in zip(faces, boxes, strict=True) if box is best), None)

    def _last_words(self) -> str:
        self._errors.seek(0)
        words = self._errors.read().decode(errors="replace").strip().splitlines()
        return " ".join(words[-3:]) or f"exit status {self._process.poll()}"


def _detection(box: Sequence[float]) -> Detection:
    left, top, width, height = (float(side) for side in box)
    return Detection(left, top, width, height, 1.0, np.zeros((5, 2), np.float32))
