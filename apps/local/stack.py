"""`mairror up`: the whole of Mairror on one machine, from nothing to ready, and down again.

Guarantee: `up` returns only when every service answered that it is ready; `down` returns in less than ten
seconds with no process left; what dies in between is started again. One stack per data folder.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from apps.local import doctor, java, plan, readiness
from apps.local.cameras import Cameras, look_at
from apps.local.folder import MB, Folder, StackState
from apps.local.plan import Plan
from apps.local.processes import end, memory_mb
from apps.local.resolver import Progress
from apps.local.services import CAMERA, SERVICES, Row
from apps.local.supervision import Supervisor
from contracts.errors import FatalError
from contracts.settings import Settings

WATCH_SECONDS = 0.5
SERVICES_DOWN_SECONDS = 4.5
SERVERS_DOWN_SECONDS = 8.0
STRAY_SECONDS = 5.0
OWNER_SECONDS = 15.0
_ALIVE = {"running", "starting", "stopping"}


class Stack:
    """The stack of one data folder. `up`, `watch` and `down` belong to one process, the rest works from any."""

    def __init__(self, settings: Settings, rows: Sequence[Row] = SERVICES) -> None:
        self.settings = settings
        self.rows = rows
        self.folder = Folder(settings.data)
        self.supervisor = Supervisor(self.folder.path, plan.PACKAGES)
        self._plan: Plan | None = None
        self._state: StackState | None = None
        self._pids: dict[str, int] = {}
        self._cameras = Cameras(settings, self.supervisor)

    def up(self, progress: Progress) -> StackState:
        """Check, fetch, start, and wait until everything is ready. Call from the main thread.

        Raises:
            FatalError: the machine lacks something, another stack runs here, or a service does not become
                ready; the message says what to do, and nothing is left running.
        """
        doctor.require(self.settings)
        self.folder.claim()
        try:
            self._end_strays(progress)
            jars = self._fetch(progress)
            self._plan = plan.make(self.settings, self.folder.path, jars, self.rows, progress)
            self._state = self._plan.state(self.settings)
            self._bring_up(progress)
        except BaseException:
            self.down()
            raise
        return self._state

    def watch(self, progress: Progress, until: threading.Event) -> None:
        """Stay until `until` is set; report what was restarted; start supervisord again if it died.

        Call from the thread that called `up`.
        """
        while not until.wait(WATCH_SECONDS):
            status = self.supervisor.died()
            if status is not None:
                progress(f"the supervisor died (status {status}): starting everything again", None)
                self._end_strays(progress)
                self._bring_up(progress)
            elif self._follow_cameras(progress) | self._note_restarts(progress):
                assert self._state is not None
                self._publish(readiness.now(self._state, self.settings))

    def run(self, progress: Progress, announce: Callable[[StackState], None]) -> None:
        """`up`, announce, `watch`, and `down` on SIGINT, SIGTERM or SIGHUP. Main thread only."""
        # SIGINT as well: a shell starts its background jobs with it ignored
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler)
        try:
            announce(self.up(progress))
            self.watch(progress, threading.Event())
        except KeyboardInterrupt:
            progress("stopping", None)
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            self.down()

    def down(self) -> None:
        """Stop everything: services first (they drain), then broker and store, then supervisord, then strays.

        Nothing happens when this object does not own the folder: a refused `up` must not end the one that runs.

        Raises:
            FatalError: a process survived SIGKILL (it hangs in the kernel); the message names it.
        """
        if not self.folder.is_claimed:
            return
        began = time.monotonic()
        processes = self.supervisor.processes()
        servers = [name for name in processes if name in plan.SERVERS]
        self._stop([name for name in processes if name not in plan.SERVERS], began + SERVICES_DOWN_SECONDS)
        self._stop(servers, began + SERVERS_DOWN_SECONDS)
        self.supervisor.shutdown()
        self.supervisor.wait(began + SERVERS_DOWN_SECONDS - time.monotonic())
        left = end(self.supervisor.strays(), began + SERVERS_DOWN_SECONDS - time.monotonic())
        self.supervisor.forget()
        self.folder.forget_state()
        self.folder.release()
        if left:
            raise FatalError(f"processes {[process.pid for process in left]} survived SIGKILL: restart the machine")

    def stop(self) -> bool:
        """Stop the stack of this folder from any process; False when nothing ran."""
        owner = self.folder.owner()
        if owner is None and not self.supervisor.strays():
            self.folder.forget_state()
            return False
        if owner:
            self._ask_to_end(owner)
        if self.supervisor.strays():
            self.folder.claim()
            self.down()
        self.folder.forget_state()
        return True

    def reset(self) -> None:
        """Remove the data folder. What was fetched once stays in the cache.

        Raises:
            FatalError: the stack runs, or the folder is no data folder.
        """
        self.folder.remove()

    def status(self) -> StackState:
        """How every service is now; works from any process."""
        state = self.folder.read_state()
        if state is None:
            kafka, mongo = self.settings.kafka.bootstrap, self.settings.mongo.uri
            mongo = plan.without_password(mongo)
            state = StackState(False, None, None, kafka, mongo, str(self.folder.path), {})
        self._refresh(state, readiness.now(state, self.settings))
        return state

    def _fetch(self, progress: Progress) -> java.Jars:
        with ThreadPoolExecutor(2) as pool:
            weights = pool.submit(plan.fetch_weights, self.settings, self.rows, progress)
            jars = pool.submit(java.fetch_jars, self.settings.cache, progress)
            weights.result()
            return jars.result()

    def _bring_up(self, progress: Progress) -> None:
        assert self._plan is not None
        self.supervisor.start(self._plan.services)
        readiness.reach(self._plan, self.supervisor, self.settings, progress)
        self._note_restarts(progress)
        assert self._state is not None
        self._cameras.begin(self._plan)
        self._follow_cameras(progress)
        # Every service has answered: asking all of them again at once, on a machine busy with starting, may time out.
        self._publish(dict.fromkeys(self._state.services, True))

    def _follow_cameras(self, progress: Progress) -> bool:
        """Play what `cameras.toml` says now; true when that changed something."""
        assert self._state is not None
        started = self._cameras.follow(self._state, progress)
        for name in started or ():
            self._pids.pop(name, None)  # started on purpose: that is no restart
        return started is not None

    def _publish(self, ready: Mapping[str, bool]) -> None:
        assert self._state is not None
        self._refresh(self._state, ready)
        self.folder.write_state(self._state)

    def _refresh(self, state: StackState, ready: Mapping[str, bool]) -> None:
        """Fill in what is true now."""
        processes = self.supervisor.processes()
        for name, service in state.services.items():
            process = processes.get(name)
            service.pid = process.pid if process else None
            service.uptime_seconds = process.uptime_seconds if process else 0.0
            service.ready = ready[name] and service.pid is not None
            # To supervisord a service is "starting" for its first seconds, ready or not.
            service.state = "running" if service.ready else process.state if process else "stopped"
            service.rss_mb, service.pss_mb = memory_mb(service.pid)
        look_at(state.cameras, processes)
        state.ready = bool(state.services) and all(service.ready for service in state.services.values())
        state.data_mb = round(self.folder.size_bytes() / MB, 1)
        state.data_cap_mb = self.settings.data_cap_gb * 1000

    def _ask_to_end(self, owner: int) -> None:
        """SIGTERM to the process that owns the folder, SIGKILL when it does not let go of it."""
        for number, seconds in ((signal.SIGTERM, OWNER_SECONDS), (signal.SIGKILL, 1.0)):
            if self.folder.owner() != owner:
                return
            with suppress(ProcessLookupError):  # it ended by itself just now
                os.kill(owner, number)
            deadline = time.monotonic() + seconds
            while self.folder.owner() == owner and time.monotonic() < deadline:
                time.sleep(0.05)

    def _note_restarts(self, progress: Progress) -> bool:
        """Compare process ids with the last look; true when one changed."""
        assert self._state is not None
        changed = False
        for process in self.supervisor.processes().values():
            before = self._pids.get(process.name)
            if process.pid is None or process.pid == before:
                continue
            self._pids[process.name] = process.pid
            changed = True
            if before is not None:
                camera = self._state.cameras.get(process.name.removeprefix(CAMERA))
                (camera or self._state.services[process.name]).restarts += 1
                progress(f"{process.name} was restarted (process {before} ended, now {process.pid})", None)
        return changed

    def _stop(self, names: Sequence[str], deadline: float) -> None:
        for name in names:
            self.supervisor.stop_service(name)
        while time.monotonic() < deadline:
            processes = self.supervisor.processes()
            if not any(processes[name].state in _ALIVE for name in names if name in processes):
                return
            time.sleep(0.05)

    def _end_strays(self, progress: Progress) -> None:
        """Wait for what an earlier run left (it was told to stop when its parent died); end what does not go."""
        strays = self.supervisor.strays()
        if strays:
            progress(f"ending {len(strays)} processes of an earlier run", None)
            end(strays, STRAY_SECONDS)
            end(self.supervisor.strays(), 0.0)
