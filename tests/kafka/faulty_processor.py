"""A real processor whose model misbehaves as the environment says.

FAULT_SLOW_MS: every estimate takes this much longer. FAULT_BYTES: a frame that contains these bytes makes its batch
raise. FAULT_TIMES: only the first so many such batches raise.
"""

import os
import sys
import time
from collections.abc import Sequence

from contracts.settings import load_settings
from contracts.telemetry import configure_logging
from model.faces import AgeEstimate
from processors import worker
from processors.pipeline import Looked, Pipeline


def main() -> int:
    # the harness's own variables are not settings
    slow = float(os.environ.pop("FAULT_SLOW_MS", "0")) / 1000
    poison = os.environ.pop("FAULT_BYTES", "").encode()
    times = int(os.environ.pop("FAULT_TIMES", "1000000"))
    look, estimate = Pipeline.look, Pipeline.estimate
    poisoned: set[int] = set()

    def watching(self: Pipeline, jpeg: bytes, thorough: bool = False) -> Looked:
        looked = look(self, jpeg, thorough)
        if poison and poison in jpeg:
            poisoned.add(id(looked))
        return looked

    def failing(self: Pipeline, frames: Sequence[Looked]) -> list[list[AgeEstimate]]:
        nonlocal times
        time.sleep(slow)
        hit = [frame for frame in frames if id(frame) in poisoned]
        if hit and times > 0:
            times -= 1
            raise RuntimeError("the model raised on purpose")
        return estimate(self, frames)

    Pipeline.look, Pipeline.estimate = watching, failing  # type: ignore[method-assign]
    settings = load_settings()
    configure_logging(settings, "processor")
    return worker.run(settings)


if __name__ == "__main__":
    sys.exit(main())
