"""Hosts that tests play: genuine SSH servers in this process, each with a directory of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.hosts.file import HostsFile, read_hosts
from tests.lab.ssh_server import SshServer

PROJECT = Path(__file__).parents[2]


@dataclass
class Played:
    """One host: its server, and the directory that the hosts file names."""

    name: str
    server: SshServer
    directory: Path
    programs: Path
    is_gone: bool = False

    def go(self) -> None:
        """Be gone at once, as by a power cut as far as the network sees; once is enough."""
        if not self.is_gone:
            self.is_gone = True
            self.server.close()

    def program(self, name: str, text: str) -> None:
        """Put a program first in the host's PATH."""
        path = self.programs / name
        path.write_text(text)
        path.chmod(0o755)


@dataclass
class Stage:
    """All hosts that are played, and a folder with a short name."""

    folder: Path
    hosts: dict[str, Played]

    def file(self, **more: str) -> Path:
        """Write the hosts file; `more`: keys of a host's table, "head" for those of all."""
        known, tables = "", [f'known_hosts = "known"\n{more.get("head", "")}\n']
        for name, host in self.hosts.items():
            port = host.server.access.port
            known += f"[127.0.0.1]:{port} {host.server.host_key.public}\n"
            table = {
                "address": '"127.0.0.1"',
                "port": str(port),
                "key": f'"{host.server.access.key}"',
                "directory": f'"{host.directory}"',
                **dict(line.split(" = ", 1) for line in more.get(name, "").splitlines()),
            }
            tables.append("\n".join([f"[hosts.{name}]", *map(" = ".join, table.items())]))
        (self.folder / "known").write_text(known + more.get("known", ""))
        path = self.folder / "hosts.toml"
        path.write_text("\n".join(tables) + "\n")
        return path

    def read(self, **more: str) -> HostsFile:
        """Write the hosts file, and read it."""
        return read_hosts(self.file(**more))


@contextmanager
def played(*names: str) -> Iterator[Stage]:
    """Give hosts that are up; they, and all that lies on them, are gone afterwards."""
    with ExitStack() as ends:
        folder = Path(tempfile.mkdtemp(prefix="vp", dir="/tmp"))
        ends.callback(shutil.rmtree, folder, ignore_errors=True)
        hosts = {}
        for name in names:
            own = folder / f"of-{name}"
            (own / "programs").mkdir(parents=True)
            server = SshServer(own)
            server.environment["PATH"] = f"{own / 'programs'}:/usr/bin:/bin"
            server.environment["PYTHONPATH"] = str(PROJECT)
            hosts[name] = Played(name, server, folder / name, own / "programs")
            ends.callback(hosts[name].go)
        yield Stage(folder, hosts)
