"""A lab whose hypervisor, wire and machines only remember; its files are real."""

# ruff: noqa: ARG002 - these have the signature of what they stand for

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from lab import layout
from lab.agent import Agent
from lab.checkpoint import standing
from lab.checkpoint.manifest import FORMAT, Checkpoint, FrozenFile, Manifest
from lab.checkpoint.store import Store
from lab.clock import NS, ClockOffset
from lab.domain import Placement, domain_xml
from lab.paths import new_lab_directory
from lab.state import LabState, MachineState
from lab.topology import Topology

TCG = SimpleNamespace(name="tcg", cpu_model="Westmere", pace=1.0)
TOPOLOGY = Topology.model_validate(
    {
        "name": "pair",
        "networks": {"lan": {"ipv4": "192.0.2.0/24"}},
        "machines": [
            {
                "name": name,
                "fqdn": f"{name}.example.org",
                "roles": ["client"],
                "nics": [{"network": "lan", "ipv4": f"192.0.2.{number}"}],
            }
            for number, name in enumerate(("one", "two"), start=1)
        ],
    }
)


def saved(xml: str, memory: bytes, *, cookie: bytes = b"", running: int = 0) -> bytes:
    """Return a file as libvirt saves a machine: header, XML, cookie, memory (aligned to 4096)."""
    body = xml.encode() + b"\0"
    offset = len(body) if cookie else 0
    body += cookie
    body = body.ljust(-(-(92 + len(body)) // 4096) * 4096 - 92, b"\0")
    head = struct.pack("<16sIIIII56x", b"LibvirtQemudSave", 2, len(body), running, 0, offset)
    return head + body + memory


class PretendHypervisor:
    """Remembers what it was told in `told`; `breaks` is an error for the method of that name."""

    private = True

    def __init__(self, xml: Callable[[str], str]) -> None:
        self._xml = xml
        self.told: list[tuple[str, str]] = []
        self.breaks: dict[tuple[str, str], Exception] = {}
        self.placed: dict[str, str] = {}

    def pause(self, name: str) -> None:
        self._note("pause", name)

    def resume(self, name: str) -> None:
        self._note("resume", name)

    def save(self, name: str, path: Path) -> None:
        path.write_bytes(saved(self._xml(name), b"memory of " + name.encode()))
        self._note("save", name)

    def restore(self, path: Path, xml: str) -> None:
        self._note("restore", path.stem)
        self.placed[path.stem] = xml

    def _note(self, method: str, name: str) -> None:
        self.told.append((method, name))
        if error := self.breaks.get((method, name)):
            raise error


class PretendMachine:
    """Answers at once; `has_agent` is whether an agent can be started there."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.commands: list[str] = []
        self.has_agent = True
        self.given_up = False
        self.channel: Path | None = None
        self.behind = ClockOffset(60 * NS, NS // 100)

    def disconnect(self) -> None:
        pass

    def wait_until_up(self, seconds: float) -> None:
        pass

    def run(self, command: str, **_: object) -> SimpleNamespace:
        self.commands.append(command)
        return SimpleNamespace(seconds=0.01, status=0)

    def start_agent(self, channel: Path) -> bool:
        self.channel = channel if self.has_agent else None
        return self.has_agent

    def agent(self, channel: Path) -> Agent:
        return Agent(self.name, channel, given_up=lambda: self.given_up)

    def clock(self) -> ClockOffset:
        return self.behind


class PretendWire:
    """Remembers when it was paused."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pause(self) -> None:
        self.told.append("pause")

    def resume(self, *, new_generation: bool = False) -> None:
        self.told.append("resume as new" if new_generation else "resume")


class PretendLab:
    """Two machines with real disks, in a real directory."""

    def __init__(self, image: Path, directory: Path | None = None) -> None:
        self.directory = directory or new_lab_directory("pair")
        self.topology = TOPOLOGY
        self.image = SimpleNamespace(
            disk=image, key="k", family="debian", kernel=None, initrd=None, append=""
        )
        machines = {
            name: MachineState(ssh_port=22, host_key=f"key of {name}") for name in ("one", "two")
        }
        self.state = LabState(
            topology=TOPOLOGY, image="x", accelerator="tcg", uri=None, machines=machines
        )
        self.machines = {name: PretendMachine(name) for name in machines}
        self.wire = PretendWire()
        self.hypervisor = PretendHypervisor(self.xml)
        if directory is None:
            self._fill(image)

    def _fill(self, image: Path) -> None:
        for kind in ("keys", "seeds"):
            (self.directory / kind).mkdir()
            (self.directory / kind / "content").write_text(kind)
        layout.write_overlays(self.directory, dict.fromkeys(self.machines, image))

    def xml(self, name: str) -> str:
        machine = self.topology.machine(name)
        return domain_xml(self.topology, machine, self.image, TCG, self.placement(name))

    def placement(self, name: str) -> Placement:
        return layout.placement(self.directory, self.state, name)

    def set_clock(self, offset: ClockOffset) -> None:
        self.clock = offset

    def domain_name(self, name: str) -> str:
        return name

    def start_machine(self, spec: object, start: Callable[[], None]) -> None:
        start()

    def each(self, act: Callable[[PretendMachine], object]) -> None:
        for machine in self.machines.values():
            act(machine)


def key(number: int) -> str:
    return f"{number:032x}"


def make(
    store: Store,
    number: int,
    *,
    parents: tuple[int, ...] = (),
    kib: int = 4,
    image: Path | None = None,
) -> Checkpoint:
    """Put a checkpoint with `kib` KiB of memory into the store."""
    below = image or store.directory.parent / "image"
    if not below.exists():
        below.write_bytes(b"an image")
    with store.making(key(number), kib * 1024) as fresh:
        assert fresh is not None
        (fresh / "memory" / "one.save").write_bytes(bytes([number % 251]) * kib * 1024)
        (fresh / "disks" / "one.qcow2").write_bytes(b"disk")
        return store.complete(fresh, manifest(number, below, parents=parents))


def manifest(number: int, image: Path, *, parents: tuple[int, ...] = ()) -> Manifest:
    return Manifest(
        format=FORMAT,
        key=key(number),
        label=f"label {number}",
        created=0,
        ingredients={"number": number},
        topology=TOPOLOGY,
        host_keys={"one": "ssh-ed25519 AAAA"},
        agents=("one",),
        parents=tuple(key(parent) for parent in parents),
        image=(image, FrozenFile.of(image)),
        files={},
    )


def stand_on(directory: Path, *numbers: int) -> Path:
    """Let a lab stand on checkpoints."""
    standing.stand_on(Store().directory, directory, [key(number) for number in numbers])
    return directory
