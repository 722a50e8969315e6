"""The cameras of `cameras.toml` as services of the running stack, followed while the file changes.

Guarantee: what is wrong in the file is told and stops neither the other cameras nor the stack. A camera's process gets
its name and reads its entry from the file: no password is on a command line, in a configuration or in the state.
"""

import http.client
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from apps.local import ports
from apps.local.folder import CameraState, StackState
from apps.local.plan import Plan
from apps.local.processes import memory_mb
from apps.local.program import Service
from apps.local.resolver import Progress
from apps.local.services import CAMERA, CAMERA_PORT, camera_row
from apps.local.supervision import Process, Supervisor
from contracts.errors import RetryableError
from contracts.settings import Settings
from producers import cameras
from producers.cameras import Camera

Stamp = tuple[int, int, int] | None


class Cameras:
    """What plays now. `begin` after every start of supervisord, then `follow` again and again."""

    def __init__(self, settings: Settings, supervisor: Supervisor) -> None:
        self._file = cameras.file_of(settings)
        self._supervisor = supervisor
        self._plan: Plan | None = None
        self._playing: dict[str, Camera] = {}
        self._ports: dict[str, int] = {}
        self._seen: tuple[Stamp] | None = None

    def begin(self, plan: Plan) -> None:
        """A new supervisord runs the services of this plan, and no camera yet."""
        self._plan, self._playing, self._seen = plan, {}, None

    def follow(self, state: StackState, progress: Progress) -> set[str] | None:
        """Start, stop and start anew what the file says, when it changed since the last look.

        Returns:
            The services that were started, or None when nothing changed.
        """
        stamp = self._stamp()
        if self._seen == (stamp,):
            return None
        found = cameras.read(self._file)
        # a file that cannot be read at all (somebody is in the middle of an edit) ends nothing
        wanted = dict(found.found) if found.found or not found.problems else self._playing
        try:
            new = self._change(wanted, progress) if wanted != self._playing else set()
        except RetryableError:
            return None  # supervisord is just ending: the stack starts another one, and then the cameras
        self._seen = (stamp,)
        for problem in found.problems:
            progress(problem, None)
        state.camera_problems = list(found.problems)
        state.cameras = {name: self._state_of(name, camera, state.cameras.get(name)) for name, camera in wanted.items()}
        return new

    def _change(self, wanted: dict[str, Camera], progress: Progress) -> set[str]:
        assert self._plan is not None
        gone = [name for name, camera in self._playing.items() if wanted.get(name) != camera]
        new = [name for name, camera in wanted.items() if self._playing.get(name) != camera]
        self._ports = {name: port for name, port in self._ports.items() if name in wanted and name not in new}
        taken = {*self._plan.ports.values(), *self._ports.values()}
        self._ports |= {name: ports.choose(CAMERA_PORT, taken) for name in new}
        services = (*self._plan.services, *(self._service(name) for name in wanted))
        self._supervisor.change(services, [CAMERA + name for name in gone], [CAMERA + name for name in new])
        self._playing = wanted
        for name in new:
            progress(f"camera {name}: {wanted[name].shown}", None)
        for name in set(gone) - wanted.keys():
            progress(f"camera {name} is not listed any more: its stream ends", None)
        return {CAMERA + name for name in new}

    def _service(self, name: str) -> Service:
        assert self._plan is not None
        environment = {**self._plan.environment, "MAIRROR_WEB__PORT": str(self._ports[name])}
        return camera_row(name, self._ports[name]).service(environment)

    def _state_of(self, name: str, camera: Camera, before: CameraState | None) -> CameraState:
        restarts = before.restarts if before else 0
        return CameraState("starting", port=self._ports[name], restarts=restarts, source=camera.shown)

    def _stamp(self) -> Stamp:
        try:
            state = self._file.stat()
        except OSError:
            return None
        return state.st_mtime_ns, state.st_size, state.st_ino


def look_at(found: Mapping[str, CameraState], processes: Mapping[str, Process]) -> None:
    """Fill in how every camera is now; asked at the same time."""
    if not found:
        return
    with ThreadPoolExecutor(len(found)) as pool:
        words = dict(zip(found, pool.map(lambda camera: _words(camera.port), found.values()), strict=True))
    for name, camera in found.items():
        process = processes.get(CAMERA + name)
        camera.pid = process.pid if process else None
        camera.uptime_seconds = process.uptime_seconds if process else 0.0
        camera.ready = camera.pid is not None and words[name] == "ok"
        camera.detail = "" if camera.ready or camera.pid is None else words[name]
        camera.state = (
            "playing" if camera.ready else "waiting" if camera.pid else process.state if process else "stopped"
        )
        camera.rss_mb, camera.pss_mb = memory_mb(camera.pid)


def _words(port: int | None) -> str:
    """What the camera's process says about itself: `ok`, or what it waits for."""
    connection = http.client.HTTPConnection(ports.HOST, port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().read(2000).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException):
        return "it is starting"
    finally:
        connection.close()
