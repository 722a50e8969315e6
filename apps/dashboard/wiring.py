"""What the dashboard's pages and routes share in one process: settings, live readers, the directory of streams.

Pages run in Streamlit's script threads and routes on the web server's loop, so what both need belongs to the process
(Streamlit's own resource cache is for scripts alone).
"""

from apps.dashboard.watching import Watching
from contracts.errors import FatalError
from contracts.settings import Settings
from contracts.topics import AGES, DEAD_LETTERS, FRAMES_LIVE
from sinks.live.directory import StreamDirectory
from sinks.live.fanout import LiveFanout


class Dashboard:
    """Everything that is open. Makes no connection that waits: it starts without a broker too."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.answers = LiveFanout(settings.kafka, [AGES.name, DEAD_LETTERS.name])
        """For uploads: their answers, or why there is none."""
        self.directory = StreamDirectory(settings.kafka)
        self.watching = Watching(lambda: LiveFanout(settings.kafka, [FRAMES_LIVE.name, AGES.name]))

    def problem(self) -> str | None:
        """None when it can do its work; else a sentence saying what is wrong."""
        return self.answers.problem

    def close(self) -> None:
        """Close what is open."""
        self.answers.close()
        self.directory.close()


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
