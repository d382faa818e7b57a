"""The SSH connection to a host, which all that home does there goes through.

OpenSSH's own client holds it (its control master), as pytest-xdist's workers are started by that
client, too. Each command and each transfer is a session on it. When it is cut, all of them end at
once; when this process dies, its end of a pipe does, and the connection with it. A worker has a
connection of its own: an OpenSSH server takes ten sessions on one. It ends with its host's tether.

A server of SSH ends no command whose connection is gone: it only closes its pipes. What is fed, or
speaks, ends by that. All else runs below `lab.hosts.watched`, which ends it.
"""

from __future__ import annotations

import base64
import contextlib
import re
import resource
import select
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from evidence.printable import visible
from lab.errors import HostLost, HostsError, LabError
from lab.hosts import watched
from lab.hosts.file import Host

LOST = 255
"""What OpenSSH's client ends with when it is not the command that failed."""
SILENT_S = 30
"""For so long a host may not answer at all before its connection counts as cut."""
_OPENS_WITHIN_S = 45.0
_OPEN = b"vpnproof: open"
_NOISE = re.compile(r"Warning: Permanently added|^\s*$")
_SETTINGS = (
    "BatchMode yes",
    "StrictHostKeyChecking yes",
    "UpdateHostKeys no",
    "GlobalKnownHostsFile /dev/null",
    "ConnectTimeout 15",
    f"ServerAliveInterval {SILENT_S // 3}",
    "ServerAliveCountMax 3",
    "ForwardAgent no",
    "ForwardX11 no",
    "LogLevel ERROR",
)
_WORKER = "+worker"
_FILES_OF_A_HOST = 160  # four commands of three pipes each, and two for each of at most 64 workers


@dataclass(frozen=True)
class Said:
    """What a command on a host came to."""

    status: int
    out: bytes
    err: str


class Connections:
    """The settings of the connections of a run, in a folder of its own; and each connection."""

    def __init__(self, hosts: Iterable[Host]) -> None:
        if shutil.which("ssh") is None:
            raise HostsError("there is no ssh here", hint="run lab/setup")
        hosts = list(hosts)
        _make_room_for(_FILES_OF_A_HOST * len(hosts))
        self._folder = Path(tempfile.mkdtemp(prefix="vpnproof-"))  # short: sockets lie in it
        self.settings = self._folder / "config"
        """For `ssh -F`."""
        self.each = {host.name: Connection(host, self.settings) for host in hosts}
        self.settings.write_text("\n".join(_lines(self.each.values(), self._folder)) + "\n")

    def close(self) -> None:
        """End every connection; safe to call twice."""
        for one in self.each.values():
            one.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _make_room_for(more: int) -> None:
    """Let this process have so many more files open, as far as its owner allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = soft + more if hard == resource.RLIM_INFINITY else min(soft + more, hard)
    if soft not in (resource.RLIM_INFINITY, wanted):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _lines(connections: Iterable[Connection], folder: Path) -> Iterator[str]:
    for one in connections:
        yield f"Host {one.host.name}"
        yield from _way(one.host)
        yield f"  ControlPath {_quoted(folder / one.host.name)}"
        yield "  ProxyCommand false"  # without the connection that stands, there is no other way
        yield f"Host {for_worker(one.host.name)}"
        yield from _way(one.host)


def for_worker(host: str) -> str:
    """Return what a host is called in the settings for one who has a connection of its own."""
    return host + _WORKER


def host_of_worker(name: str) -> str:
    """Return the host that a worker's connection leads to."""
    return name.removesuffix(_WORKER)


def _way(host: Host) -> Iterator[str]:
    there = host.there
    yield f"  HostName {there.address}"
    yield f"  Port {there.port}"
    yield f"  User {there.user}"
    if there.key is not None:
        yield f"  IdentityFile {_quoted(there.key)}"
        yield "  IdentitiesOnly yes"
    yield f"  UserKnownHostsFile {_quoted(host.known_hosts)}"
    yield from (f"  {line}" for line in _SETTINGS)


def _quoted(path: Path) -> str:
    """Return a path as OpenSSH's client takes it for itself."""
    if '"' in str(path) or not str(path).isprintable():
        raise HostsError(f"{str(path)!r} cannot stand in settings of ssh", hint="rename it")
    return '"' + str(path).replace("%", "%%") + '"'


class Connection:
    """The connection to one host, once it is open."""

    def __init__(self, host: Host, settings: Path) -> None:
        self.host = host
        self._settings = settings
        self._first: subprocess.Popen[bytes] | None = None

    def command(self, line: str, *options: str) -> Sequence[str]:
        """Return what starts a shell's line on the host."""
        return ["ssh", "-F", str(self._settings), *options, self.host.name, by_sh(line)]

    def open(self) -> None:
        """Log in, for all that comes later. HostLost when the host does not let us in."""
        line = f"echo {_OPEN.decode()}; exec cat >/dev/null"
        first = self._first = self.start(line, "-M", "-o", "ProxyCommand=none")
        enough = threading.Timer(_OPENS_WITHIN_S, first.kill)
        enough.start()
        try:
            for said in first.stdout or ():
                if said.strip() == _OPEN:  # there may be a greeting before
                    return
            why = first.stderr.read() if first.stderr else b""
        finally:
            enough.cancel()
        status = first.wait()
        told = f"did not answer in {_OPENS_WITHIN_S:g} s" if status < 0 else _reason(why)
        raise HostLost(f"{self.host.name}: {told}")

    def start(self, line: str, *options: str) -> subprocess.Popen[bytes]:
        """Start a command there, with pipes to it; Ctrl-C here does not reach it."""
        return subprocess.Popen(
            self.command(line, *options),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        )

    def run(self, line: str, given: bytes | None = None, *, within_s: float = 120) -> Said:
        """Run a command to its end. HostLost when the host is gone, or it takes longer.

        given: what the command is fed, and ends by when that is cut short. One that is fed nothing
        is ended on the host when the connection is gone, or this process.
        """
        with self.start(watched.script(line) if given is None else line) as process:
            try:
                if given is None:
                    out, err = watched.ended(process, within_s)
                else:
                    out, err = process.communicate(given, within_s)
            except subprocess.TimeoutExpired:
                process.kill()
                what = line if len(line) < 60 else f"{line[:60]}..."
                raise HostLost(
                    f"{self.host.name}: `{what}` did not end in {within_s:g} s"
                ) from None
            except BaseException:
                process.kill()
                raise
        if process.returncode == LOST:
            raise HostLost(f"{self.host.name}: {_reason(err)}")
        return Said(process.returncode, out, err.decode(errors="replace"))

    def sessions(self, wanted: int) -> int:
        """Return how many sessions it takes at once beside its own, of so many."""
        opened: list[subprocess.Popen[bytes]] = []
        try:
            for _ in range(wanted):
                opened.append(self.start(f"echo {_OPEN.decode()}; exec cat >/dev/null"))
            pipes = [one.stdout for one in opened if one.stdout is not None]
            taken = sum(has_said(one, SILENT_S) and _OPEN in one.readline(200) for one in pipes)
        finally:
            for one in opened:
                let_go_of_input(one)
            for one in opened:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    one.wait(2)  # else the next command meets one that is closing
                discard(one)
        if not self.is_open:
            raise HostLost(f"{self.host.name}: the connection was cut")
        return taken

    def need(self, line: str, given: bytes | None = None, *, within_s: float = 120) -> bytes:
        """Return what a command says that has to succeed; LabError when it does not."""
        said = self.run(line, given, within_s=within_s)
        if said.status:
            told = last_line(said.err or said.out.decode(errors="replace"))
            raise LabError(f"{self.host.name}: {told or f'status {said.status}'}")
        return said.out

    @property
    def is_open(self) -> bool:
        """Whether the connection stands."""
        return self._first is not None and self._first.poll() is None

    def close(self) -> None:
        """Cut the connection, and with it all that goes through it."""
        first, self._first = self._first, None
        if first is None:
            return
        first.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            first.wait(2)
        if first.poll() is None:
            first.kill()
        with first:
            pass  # its pipes


def by_sh(line: str) -> str:
    """Return what lets sh run a shell's line, whatever the user's login shell is.

    fish and csh know no POSIX shell's loops, and csh no quoted string of several lines.
    """
    encoded = base64.b64encode(line.encode()).decode()
    return f"exec sh -c 'eval \"$(echo {encoded} | base64 -d)\"'"


def has_said(pipe: IO[bytes], within_s: float) -> bool:
    """Whether a command says something, or has ended, within so many seconds.

    `select` knows no descriptor above 1023, and a run over many hosts has more.
    """
    looked = select.poll()
    looked.register(pipe, select.POLLIN)
    return bool(looked.poll(within_s * 1000))


def let_go_of_input(process: subprocess.Popen[bytes]) -> None:
    """Let a command know that there is no more to read."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()


def let_go(process: subprocess.Popen[bytes]) -> None:
    """Give back the pipes of a command that has ended; what could not be written is lost."""
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def discard(process: subprocess.Popen[bytes]) -> None:
    """End a command, if it has not ended, and read no more of it: others may hold its pipes."""
    process.kill()
    process.wait()
    let_go(process)


def said_at_end(process: subprocess.Popen[bytes]) -> str:
    """Return the last line that a command said as an error, if it ends within a second."""
    try:
        process.wait(1)
    except subprocess.TimeoutExpired:
        return ""
    return last_line((process.stderr.read() if process.stderr else b"").decode(errors="replace"))


def _reason(said: bytes) -> str:
    return last_line(said.decode(errors="replace")) or "the connection was cut"


def last_line(text: str) -> str:
    """Return the last line that says something, as one line can hold it."""
    lines = [line.strip() for line in text.splitlines() if not _NOISE.search(line)]
    return visible(lines[-1])[:200] if lines else ""
