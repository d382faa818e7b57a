"""Whether hosts are fit for labs: found out on all of them before anything starts on one.

Each has to let us in with the host key that is known, to have the Python and the architecture that
this host has, room on its disk and in its memory, and a directory that is ours alone. What is
wrong is told at once, a line each.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from lab.errors import VpnproofError
from lab.hosts import asked
from lab.hosts.connection import Connection, last_line
from lab.hosts.file import Host
from lab.hypervisor import OLDEST_QEMU
from lab.site.reach import refusal

ROOM_MIB = 6 * 1024
"""Of a host's disk: Python packages, an image, and a checkpoint of the larger guide."""
SESSIONS = 8
"""On one connection, beside its own: the tether, wishes, what comes home; transfers, commands."""
_PYTHONS = "python3 python3.13 python3.12 python3.11"  # in the order in which lab/setup looks
_FIRST = "import sys; sys.exit(sys.version_info < (3, 11))"
_ASK = (
    f"for python in {_PYTHONS}; do "
    f"if command -v $python >/dev/null && $python -c '{_FIRST}' 2>/dev/null; "
    "then exec $python - {directory}; fi; done; echo none"
)
T = TypeVar("T")


class Found(BaseModel):
    """What a host has said of itself (`lab.hosts.asked`)."""

    model_config = ConfigDict(frozen=True)

    python: tuple[int, int]
    executable: str
    architecture: str
    cores: int
    memory_mib: int
    disk_mib: int
    machine: str
    directory: str
    problem: str
    system: str
    processor: str
    qemu: str
    libvirt: str


Lines = list[str]


def look(
    connections: Mapping[str, Connection], lab_mib: int = 0
) -> tuple[dict[str, Found], dict[str, Lines]]:
    """Open every connection and ask every host; return who is fit, and what is wrong with others.

    lab_mib: what the largest lab of the run needs.
    """

    def fitness(connection: Connection) -> Found | Lines:
        found = _open_and_ask(connection)
        return found if isinstance(found, list) else [*_unfit(connection, found, lab_mib)] or found

    answers = side_by_side(connections, fitness)
    fit = {name: one for name, one in answers.items() if isinstance(one, Found)}
    wrong = {name: one for name, one in answers.items() if isinstance(one, list)}
    for name, line in _twice(fit):
        wrong[name] = [line]
    return {name: one for name, one in fit.items() if name not in wrong}, wrong


def side_by_side(
    connections: Mapping[str, Connection], act: Callable[[Connection], T | Lines]
) -> dict[str, T | Lines]:
    """Do something on every host at once; where it fails, return a line of why."""

    def acted(connection: Connection) -> T | Lines:
        try:
            return act(connection)
        except VpnproofError as error:
            told, own = last_line(error.message), f"{connection.host.name}: "
            return [told if told.startswith(own) else own + told]

    if not connections:
        return {}
    with ThreadPoolExecutor(len(connections)) as beside:
        try:
            found = beside.map(acted, connections.values())
            return dict(zip(connections, found, strict=True))
        except BaseException:  # Ctrl-C: what waits for a host ends with its connection
            for one in connections.values():
                one.close()
            raise


def _open_and_ask(connection: Connection) -> Found | Lines:
    host = connection.host
    if why := refusal(host.way):
        return [f"{host}: {why}"]
    connection.open()
    return ask(connection)


def ask(connection: Connection) -> Found | Lines:
    """Ask a host that is connected what it is; return a line of why where it cannot say."""
    host = connection.host
    program = Path(asked.__file__).read_bytes()
    said = connection.run(_ASK.replace("{directory}", str(host.directory)), program)
    *greeting, answer = said.out.splitlines() or [b""]
    if said.status == 0 and answer.strip() == b"none":
        return [f"{host}: has no Python 3.11 or newer; {_own_python()} runs here"]
    try:
        found = Found.model_validate_json(answer)
    except ValidationError:
        told = last_line(said.err) or last_line(said.out.decode(errors="replace"))
        return [f"{host}: cannot be asked what it is: {told or f'status {said.status}'}"]
    if greeting:
        told = last_line(b"\n".join(greeting).decode(errors="replace"))
        return [
            f"{host}: its shell says {told!r} before each command, where pytest-xdist listens to "
            "a worker: let what it reads at login (~/.bashrc) say nothing to programs"
        ]
    return found


def too_old(host: Host, found: Found) -> Iterator[str]:
    """Say that a host's QEMU is older than any that labs run by; nothing where it has none yet."""
    if found.qemu and tuple(map(int, found.qemu.split(".")[:2])) < OLDEST_QEMU:
        needed = ".".join(map(str, OLDEST_QEMU))
        yield f"{host}: has QEMU {found.qemu}, and labs need {needed} or newer"


def _own_python() -> str:
    return ".".join(map(str, sys.version_info[:2]))


def _unfit(connection: Connection, found: Found, lab_mib: int) -> Iterator[str]:
    host = connection.host
    theirs = ".".join(map(str, found.python))
    if theirs != _own_python():
        yield f"{host}: has Python {theirs}, and {_own_python()} runs here: verdicts need one"
    if found.architecture != platform.machine():
        yield f"{host}: is {found.architecture}, and this host {platform.machine()}"
    yield from too_old(host, found)
    if found.problem:
        yield f"{host}: directory {host.directory} {found.problem}"
    if (sessions := connection.sessions(SESSIONS)) < SESSIONS:
        yield (
            f"{host}: its SSH server takes {sessions + 1} sessions on one connection, "
            f"{SESSIONS + 1} are needed: see MaxSessions in its sshd_config"
        )
    if found.disk_mib < ROOM_MIB:
        yield (
            f"{host}: has no room: {found.disk_mib} MiB are free at {host.directory}, "
            f"{ROOM_MIB} are needed"
        )
    if found.memory_mib < (needed := lab_mib * (labs := host.labs or 1)):
        who = "a lab needs" if labs == 1 else f"{labs} labs need"
        yield f"{host}: has no room: {found.memory_mib} MiB of memory, {who} {needed} MiB"


def _twice(fit: Mapping[str, Found]) -> Iterator[tuple[str, str]]:
    seen: dict[tuple[str, str], str] = {}
    for name, found in fit.items():
        if not found.machine:
            continue
        before = seen.setdefault((found.machine, found.directory), name)
        if before != name:
            yield name, f"{name}: is {before} by another address: {found.directory} is one place"
