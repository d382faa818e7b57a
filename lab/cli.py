"""`python -m lab`: bring a lab up, look around in it, take it down.

Says what it did and how to look further; nothing here knows how, that is the other modules' job.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from evidence.printable import visible
from lab import layout
from lab.accelerator import choose
from lab.checkpoint import Store, listing
from lab.console import follow, path_of
from lab.errors import LabError, VpnproofError, WireError
from lab.image import choose as choose_image
from lab.image import listing as image_listing
from lab.image import prepare
from lab.image.kept import Images
from lab.lab import Lab
from lab.machine import Machine
from lab.marker import is_lab, owner_runs, seized
from lab.paths import LAB_FILE, lab_directories, labs, remove_unfinished
from lab.progress import Progress
from lab.quiet import unasked
from lab.removal import remove
from lab.state import LabState
from lab.topology import check_memory, read_topology
from lab.wire import Wire

_console = Console(highlight=False, soft_wrap=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns its exit status (0, or 1 with the error on stderr)."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.act(options)
    except VpnproofError as error:
        stderr = Console(stderr=True, highlight=False, soft_wrap=True)
        stderr.print(f"[red]error:[/red] {escape(str(error))}")
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def how_to_look(directory: Path) -> list[str]:
    """Return the lines a person types to look around in the lab at `directory`, and to end it."""
    state = LabState.read(directory)
    lab = directory.name
    lines = [f"python -m lab ssh {lab} {name}" for name in state.machines]
    first = next(iter(state.machines))
    lines += [f"python -m lab console {lab} {first}", f"python -m lab down {lab}"]
    return lines


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="boot the bare machines of a topology and leave them up")
    up.add_argument("topology", nargs="?", default="multi_node", help="a name, or a .toml file")
    up.add_argument("--image", help="guest image; see lab/image/catalogue.toml")
    up.add_argument("--accel", choices=("kvm", "tcg"), help="instead of what was found to work")
    up.add_argument("--libvirt-uri", help="another libvirt than the lab's own")
    up.set_defaults(act=_up)

    status = commands.add_parser("status", help="show the labs of this user")
    status.set_defaults(act=_status)

    for name, act, text in (
        ("ssh", _ssh, "open a shell in a machine"),
        ("console", _show_console, "follow a machine's console"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("lab")
        command.add_argument("machine")
        command.set_defaults(act=act)

    run = commands.add_parser("run", help="run a command in a machine")
    run.add_argument("lab")
    run.add_argument("machine")
    run.add_argument("command", nargs=argparse.REMAINDER)
    run.set_defaults(act=_run)

    down = commands.add_parser("down", help="end a lab and remove its files")
    down.add_argument("lab", nargs="+", help="its name, or 'all'")
    down.set_defaults(act=_down)

    gc = commands.add_parser("gc", help="remove what labs without an owner have left")
    gc.set_defaults(act=_gc)

    frozen = commands.add_parser("checkpoints", help="list frozen labs, or remove them")
    frozen.add_argument("--remove", metavar="KEY", help="the beginning of a key, or 'all'")
    frozen.set_defaults(act=_checkpoints)

    images = commands.add_parser("images", help="list guest images, or remove them")
    images.add_argument("--remove", metavar="KEY", help="the beginning of a key, or 'all'")
    images.add_argument("--unpin", metavar="NAME", help="trust the next download of this image")
    images.set_defaults(act=_images)
    return parser


def _up(options: argparse.Namespace) -> int:
    progress = Progress()
    topology = read_topology(options.topology)
    check_memory(topology.fit_for(choose_image(options.image).family))
    accelerator = choose(options.accel)
    image = prepare(options.image, progress=progress, accelerator=accelerator)
    progress.say(f"{accelerator}; image {image.name}")
    lab = Lab.boot(topology, image, accelerator, uri=options.libvirt_uri, progress=progress)
    lab.keep()
    _console.print(f"[bold]{lab.directory.name}[/bold] is up: {escape(str(lab.directory))}")
    for line in how_to_look(lab.directory):
        _console.print(f"  {line}")
    return 0


def _status(_options: argparse.Namespace) -> int:
    # What a person types again is never cut short, however narrow the terminal.
    typed = Column("lab", no_wrap=True), Column("machine", no_wrap=True)
    headings = (typed[0], "topology", "image", "accelerator", "wire", typed[1], "ssh port")
    table = Table(*headings, box=None)
    clocks: list[str] = []
    for directory in lab_directories():
        try:
            state = LabState.read(directory)
        except LabError:
            table.add_row(directory.name, "half-made: python -m lab gc", "", "", "", "", "")
            continue
        wire = "alive" if _wire_runs(directory) else "[red]gone[/red]"
        if state.clock is not None:
            clocks.append(f"{directory.name}: its clock is {state.clock}")
        row = (directory.name, state.topology.name, state.image, state.accelerator, wire)
        for name, machine in state.machines.items():
            table.add_row(*row, name, str(machine.ssh_port))
            row = ("", "", "", "", "")
    if table.row_count:
        _console.print(table)
        for line in clocks:
            _console.print(line)
    else:
        _console.print("no labs")
    return 0


def _ssh(options: argparse.Namespace) -> int:
    directory = _directory(options.lab)
    state = _machine_state(directory, options.machine)
    known_hosts = layout.write_known_hosts(directory, state)
    command = layout.access(directory, state, options.machine).ssh_command(known_hosts)
    return subprocess.run(shlex.split(command), check=False).returncode


def _show_console(options: argparse.Namespace) -> NoReturn:
    directory = _directory(options.lab)
    _machine_state(directory, options.machine)
    follow(path_of(directory, options.machine), lambda text: _show(text, sys.stdout))


def _run(options: argparse.Namespace) -> int:
    directory = _directory(options.lab)
    state = _machine_state(directory, options.machine)
    machine = Machine(options.machine, layout.access(directory, state, options.machine))
    with unasked():  # as in a shell: nothing that is timed waits for a person
        result = machine.run(shlex.join(options.command), timeout=3600, check=False)
    _show(result.stdout, sys.stdout)
    _show(result.stderr, sys.stderr)
    machine.disconnect()
    return result.status


def _show(text: str, stream: TextIO) -> None:
    """Write what a guest said; on a terminal nothing in it acts, and a file gets it as it is."""
    stream.write(visible(text, layout=True) if stream.isatty() else text)
    stream.flush()


def _down(options: argparse.Namespace) -> int:
    names = options.lab
    directories = list(lab_directories()) if names == ["all"] else [_directory(n) for n in names]
    trouble = []
    for directory in directories:
        try:
            remove(directory)
        except LabError as error:
            trouble.append(error)
        else:
            _console.print(f"{directory.name} is down")
    if trouble:  # it kept none of the others up
        raise trouble[0]
    return 0


def _gc(_options: argparse.Namespace) -> int:
    removed = collect_garbage()
    for name in removed:
        _console.print(f"removed {name}")
    if not removed:
        _console.print("nothing to remove")
    return 0


def _checkpoints(options: argparse.Namespace) -> int:
    if options.remove is None:
        listing.show(Store(), _console)
    else:
        listing.remove(Store(), options.remove, _console)
    return 0


def _images(options: argparse.Namespace) -> int:
    if options.unpin is not None:
        image_listing.forget(options.unpin, _console)
    if options.remove is not None:
        image_listing.remove(Images(), options.remove, _console)
    if options.unpin is None and options.remove is None:
        image_listing.show(Images(), _console)
    return 0


def collect_garbage() -> list[str]:
    """Remove the labs that have no owner, wire or guardian any more; return their names.

    And what of a lab or a checkpoint was left half-made.
    """
    removed, trouble = [], []
    for directory in lab_directories():
        if owner_runs(directory):
            continue
        with seized(directory) as free:
            if not (free and is_lab(directory)):
                continue
            try:
                remove(directory)
            except LabError as error:
                trouble.append(error)
            else:
                removed.append(directory.name)
    removed += remove_unfinished() + Store().remove_abandoned()
    if trouble:  # it kept none of the others
        raise trouble[0]
    return removed


def _wire_runs(directory: Path) -> bool:
    try:
        Wire.connect(directory).close()
    except WireError:
        return False
    return True


def _directory(name: str) -> Path:
    directory = labs() / name
    if not is_lab(directory) or not (directory / LAB_FILE).exists():
        known = ", ".join(path.name for path in lab_directories()) or "none"
        raise LabError(f"there is no lab {name!r}", hint=f"labs of this user: {known}")
    return directory


def _machine_state(directory: Path, machine: str) -> LabState:
    state = LabState.read(directory)
    state.topology.machine(machine)
    return state
