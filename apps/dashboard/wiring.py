"""What the dashboard's pages and routes share in one process: settings, live readers, the directory of streams.

Pages run in Streamlit's script threads and routes on the web server's loop, so what both need belongs to the process
(Streamlit's own resource cache is for scripts alone).
"""

import threading
import time

from apps.dashboard.corrections import Corrections
from apps.dashboard.door import EdgeDoor
from apps.dashboard.pulse import PulseWatch
from apps.dashboard.uploads import Uploads
from apps.dashboard.waiting import LagWatch
from apps.live.tickets import Tickets
from apps.live.watching import Watching
from apps.live.webcams import Webcams
from contracts.errors import FatalError
from contracts.settings import Settings
from contracts.topics import AGES, DEAD_LETTERS, FRAMES_LIVE
from sinks.live.directory import StreamDirectory
from sinks.live.fanout import LiveFanout
from sinks.mongo.reading import StoreReader

CLOSE_SECONDS = 1.5


class Dashboard:
    """Everything that is open. Makes no connection that waits: it starts without a broker too."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._door = EdgeDoor(settings)
        self.answers = LiveFanout(settings.kafka, [AGES.name, DEAD_LETTERS.name])
        """For uploads: their answers, or why there is none."""
        self.uploads = Uploads(self._door, self.answers)
        self.corrections = Corrections(settings.kafka)
        self.directory = StreamDirectory(settings.kafka)
        self.store = StoreReader(settings.mongo)
        self.lag = LagWatch(settings)
        self.pulse = PulseWatch(self.answers)
        self.tickets = Tickets()
        self.webcams = Webcams(settings)
        self.watching = Watching(lambda: LiveFanout(settings.kafka, [FRAMES_LIVE.name, AGES.name]))

    def problem(self) -> str | None:
        """None when it can do its work; else a sentence saying what is wrong."""
        return self.answers.problem

    def close(self) -> None:
        """Close what is open, side by side: a process that is told to stop has seconds."""
        self.uploads.close()
        self.lag.close()
        self.pulse.close()
        self.store.close()
        self.webcams.close()
        closing = [
            threading.Thread(target=close, name="closing", daemon=True)
            for close in (self.answers.close, self.directory.close, self._door.close, self.corrections.close)
        ]
        for thread in closing:
            thread.start()
        deadline = time.monotonic() + CLOSE_SECONDS
        for thread in closing:
            thread.join(max(0.0, deadline - time.monotonic()))


_current: list[Dashboard] = []


def install(dashboard: Dashboard) -> Dashboard:
    """Make this the process's dashboard."""
    _current[:] = [dashboard]
    return dashboard


def current() -> Dashboard:
    """The process's dashboard.

    Raises:
        FatalError: none was installed; pages work only inside `mairror serve dashboard`.
    """
    if not _current:
        raise FatalError("the dashboard's pages run inside `mairror serve dashboard`, not alone")
    return _current[0]
