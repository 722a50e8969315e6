"""`mairror up | stop | status | reset | doctor`: the one-machine stack."""

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from apps.cli.output import people, print_json, steps
from apps.local.folder import Folder, StackState
from contracts.settings import Settings, given, load_settings
from contracts.telemetry import configure_logging
from model.manifest import PresetManifest, load_preset

if TYPE_CHECKING:
    from apps.local.stack import Stack

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def _stack(settings: Settings) -> "Stack":
    # imported when it is used: images that run one service carry neither supervisord nor the jars' resolver
    from apps.local.stack import Stack

    return Stack(settings)


def running_settings() -> Settings:
    """Settings, pointed at the running stack of the data folder unless the environment says otherwise."""
    settings = load_settings()
    state = Folder(settings.data).read_state()
    if state is None:
        return settings
    update: dict[str, Any] = {}
    if not given("MAIRROR_KAFKA__BOOTSTRAP"):
        update["kafka"] = settings.kafka.model_copy(update={"bootstrap": state.bootstrap})
    if not given("MAIRROR_MONGO__URI"):
        update["mongo"] = settings.mongo.model_copy(update={"uri": state.mongo_uri})
    return settings.model_copy(update=update)


def up(as_json: AsJson = False) -> None:
    """Start everything on this machine and stay until Ctrl-C."""
    settings = load_settings()
    # what the services say is in their own logs; here only what a person must know
    configure_logging(settings.model_copy(update={"log_level": "error"}), "up")
    stack = _stack(settings)
    with steps() as progress:

        def announce(state: StackState) -> None:
            print_json(msgspec.to_builtins(state)) if as_json else _welcome(state, load_preset(settings.model.preset))

        stack.run(progress, announce)


def _welcome(state: StackState, preset: PresetManifest) -> None:
    people.print("\n[bold green]Mairror is ready.[/] Two public-domain faces are playing as the stream 'sample'.")
    if state.url:
        people.print(f"  open      {state.url}")
    if state.gateway_url:
        people.print(f"  HTTP API  {state.gateway_url}")
    people.print("  ages      mairror tail")
    people.print("  a camera  mairror replay 0 --stream desk --consent yours")
    people.print(f"  cameras   {', '.join(state.cameras) or 'list them in cameras.toml of the data folder'}")
    for problem in state.camera_problems:
        people.print(f"            [red]problem[/] {escape(problem)}", soft_wrap=True)
    people.print(f"  Kafka     {state.bootstrap}")
    people.print(f"  store     {state.mongo_uri}")
    people.print(f"  data      {state.data_dir}")
    people.print(f"  model     {preset.name} {preset.version} (another: MAIRROR_MODEL__PRESET)")
    people.print(f"\n{escape(preset.terms)}", soft_wrap=True)
    people.print("Ctrl-C stops everything.\n")


def stop(as_json: AsJson = False) -> None:
    """Stop the stack of the data folder."""
    stopped = _stack(load_settings()).stop()
    print_json({"stopped": stopped}) if as_json else people.print("stopped" if stopped else "nothing was running")


def status(as_json: AsJson = False) -> None:
    """Show every service; exit 1 when not all of them are ready."""
    state = _stack(load_settings()).status()
    if as_json:
        print_json(msgspec.to_builtins(state))
    else:
        _table(state)
    if not state.ready:
        raise typer.Exit(1)


def _table(state: StackState) -> None:
    table = Table(title=f"Mairror in {state.data_dir}", title_justify="left")
    for column in ("service", "state", "ready", "pid", "port", "up (s)", "restarts", "memory (MB)"):
        table.add_column(column, justify="left" if column in ("service", "state", "ready") else "right")
    for name, service in state.services.items():
        table.add_row(
            name,
            service.state,
            "yes" if service.ready else "[red]no[/]",
            str(service.pid or "-"),
            str(service.port or "-"),
            f"{service.uptime_seconds:.0f}",
            str(service.restarts),
            f"{service.pss_mb:.0f}",
        )
    people.print(table)
    if state.cameras:
        people.print(_cameras(state))
    for problem in state.camera_problems:
        people.print(f"[red]problem[/] {escape(problem)}", soft_wrap=True)
    total = sum(service.pss_mb for service in (*state.services.values(), *state.cameras.values()))
    people.print(
        f"{total:.0f} MB of memory; data {state.data_mb:.0f} of {state.data_cap_mb:.0f} MB; "
        + ("everything is ready" if state.ready else "[red]not everything is ready[/]")
    )


def _cameras(state: StackState) -> Table:
    table = Table(title="Cameras", title_justify="left")
    for column in ("camera", "state", "source", "restarts", "what it waits for"):
        table.add_column(column, justify="right" if column == "restarts" else "left")
    for name, camera in state.cameras.items():
        table.add_row(name, camera.state, escape(camera.source), str(camera.restarts), escape(camera.detail))
    return table


def reset(yes: Yes = False, as_json: AsJson = False) -> None:
    """Delete the data folder: topics, answers, history. What was downloaded stays, and so does cameras.toml."""
    stack = _stack(load_settings())
    if not yes and not typer.confirm(f"Delete {stack.folder.path} with all answers and history?", err=True):
        raise typer.Exit(1)
    stack.reset()
    print_json({"removed": str(stack.folder.path)}) if as_json else people.print(f"removed {stack.folder.path}")


def doctor(as_json: AsJson = False) -> None:
    """Check this machine and print the line that mends each problem."""
    from apps.local import doctor as checks

    found = checks.run(load_settings())
    if as_json:
        print_json([check.__dict__ for check in found])
    else:
        for check in found:
            mark = "[green]ok[/]     " if check.ok else "[red]problem[/]"
            people.print(f"{mark} {check.name}: {check.detail}", soft_wrap=True)
            if not check.ok and check.mend:
                people.print(f"        mend it: {check.mend}", markup=False, soft_wrap=True)
    if any((check.essential or check.mistake) and not check.ok for check in found):
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (up, stop, status, reset, doctor):
        app.command()(command)
