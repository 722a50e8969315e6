"""A real processor whose model misbehaves while a file says so.

Arguments: the file with the faults, JSON, which may change at any time. `slow_ms`: every estimate takes this much
longer, and `slow_frame_ms` longer for every frame in it. `bytes`: a frame that contains these makes its batch raise.
`times`: only the first so many batches raise, since the file was written.
"""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from contracts.settings import load_settings
from contracts.telemetry import configure_logging
from model.faces import AgeEstimate
from processors import worker
from processors.pipeline import Looked, Pipeline


@dataclass
class Faults:
    """What goes wrong."""

    slow_ms: float = 0
    slow_frame_ms: float = 0
    bytes: str = ""
    times: int = 1_000_000

    def write(self, file: Path) -> None:
        """Whole or not at all: the processor may read at this moment."""
        staging = file.with_suffix(".new")
        staging.write_text(json.dumps(asdict(self)))
        staging.rename(file)


class Misbehaviour:
    """The faults of the file, read again when it was replaced."""

    def __init__(self, file: Path) -> None:
        self._file, self._faults = file, Faults()
        self._seen: tuple[int, int] | None = None

    def now(self) -> Faults:
        state = self._file.stat()
        if (version := (state.st_ino, state.st_mtime_ns)) != self._seen:
            self._seen, self._faults = version, Faults(**json.loads(self._file.read_text()))
        return self._faults


def main() -> int:
    misbehaviour = Misbehaviour(Path(sys.argv[1]))
    look, estimate = Pipeline.look, Pipeline.estimate
    poisoned: set[int] = set()

    def watching(self: Pipeline, jpeg: bytes, thorough: bool = False) -> Looked:
        looked = look(self, jpeg, thorough)
        poison = misbehaviour.now().bytes.encode()
        # an id may have been another frame's before
        (poisoned.add if poison and poison in jpeg else poisoned.discard)(id(looked))
        return looked

    def failing(
        self: Pipeline, frames: Sequence[Looked], wanted: Sequence[Sequence[int]] | None = None
    ) -> list[list[AgeEstimate]]:
        faults = misbehaviour.now()
        time.sleep((faults.slow_ms + faults.slow_frame_ms * len(frames)) / 1000)
        hit = [frame for frame in frames if id(frame) in poisoned]
        if hit and faults.times > 0:
            faults.times -= 1
            raise RuntimeError("the model raised on purpose")
        return estimate(self, frames, wanted)

    Pipeline.look, Pipeline.estimate = watching, failing  # type: ignore[method-assign]
    settings = load_settings()
    configure_logging(settings, "processor")
    return worker.run(settings)


if __name__ == "__main__":
    sys.exit(main())
