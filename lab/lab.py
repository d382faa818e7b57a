"""A lab: real machines on one wire, brought up, used and taken down as one.

`Lab.boot` starts every machine from its image; `lab.checkpoint` brings a lab back that was frozen.
Either way everything a lab owns lies in one directory and ends with it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from lab import layout, wait
from lab.accelerator import Accelerator, check_cpu
from lab.clock import ClockOffset
from lab.console import FOLDER, path_of, tail
from lab.domain import Placement, domain_xml, nic_id
from lab.errors import LabError, MachineError
from lab.guardian.line import Guardian
from lab.hypervisor import Hypervisor, require_unix_nics
from lab.image import Image
from lab.machine import Machine
from lab.paths import new_lab_directory
from lab.progress import Progress
from lab.quiet import busy
from lab.removal import remove
from lab.state import LabState, MachineState
from lab.threads import side_by_side
from lab.topology import MachineSpec, Topology, check_memory
from lab.wire import Port, Wire, end_processes_of

_CONSOLE_TAIL = 4000  # bytes of a console that an error shows
_PORT_TAKEN = ("forwarding rule", "already in use")


class Lab:
    """The machines of a topology by name, and the wire between them; a context manager."""

    def __init__(
        self,
        directory: Path,
        state: LabState,
        image: Image,
        accelerator: Accelerator,
        hypervisor: Hypervisor,
        wire: Wire,
        guardian: Guardian | None = None,
    ) -> None:
        self.directory = directory
        self.image = image
        self.accelerator = accelerator
        self.hypervisor = hypervisor
        self.wire = wire
        self.state = state
        self._guardian = guardian
        self.started_ns, self.started_uncertainty_ns = time.time_ns(), 0
        """When its machines were let go last, by this host's clock; set by a thaw or a rewind."""
        self._writing = threading.Lock()
        self.machines: dict[str, Machine] = {
            machine.name: self._machine(machine.name) for machine in state.topology.machines
        }

    @property
    def topology(self) -> Topology:
        """What the lab consists of."""
        return self.state.topology

    def __getitem__(self, name: str) -> Machine:
        """Return the machine called `name`."""
        self.topology.machine(name)
        return self.machines[name]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.down()

    @classmethod
    def boot(
        cls,
        topology: Topology,
        image: Image,
        accelerator: Accelerator,
        *,
        capture: Path | None = None,
        uri: str | None = None,
        progress: Progress | None = None,
    ) -> Lab:
        """Start every machine of `topology` from `image` and wait until all answer on SSH.

        `capture` is where the wire records (by default in the lab's directory), `uri` a libvirt
        to use instead of one of the lab's own. Whatever goes wrong, nothing is left running.
        """
        progress = progress or Progress()
        topology = topology.fit_for(image.family)
        check_memory(topology)
        with (
            busy(say=progress.say),
            assembling(topology, image, accelerator, uri, capture) as (directory, open_lab),
        ):
            client, host_keys = layout.write_keys(directory, topology)
            disks = {machine.name: image.disk for machine in topology.machines}
            layout.write_files(directory, topology, disks, host_keys, client)
            lab = open_lab({name: key.public for name, key in host_keys.items()})
            with progress.task(f"booting {len(lab.machines)} machines of {topology.name}"):
                for machine in topology.machines:
                    lab.start_machine(machine, lab.machines[machine.name].power_on)
                lab.wait_until_up()
                # What cloud-init has written must survive a power cut from now on.
                lab.each(lambda machine: machine.run("sync"))
                lab.set_clock(lab.measure_clock())
        return lab

    @classmethod
    def attach(cls, directory: Path, image: Image, accelerator: Accelerator) -> Lab:
        """Return the running lab at `directory`, say to look around in it."""
        state = LabState.read(directory)
        wire = Wire.connect(directory)
        hypervisor = Hypervisor.open(state.uri) if state.uri else Hypervisor.start(directory)
        return cls(directory, state, image, accelerator, hypervisor, wire)

    def wait_until_up(self, seconds: float = 240) -> None:
        """Wait until every machine answers on SSH and has finished its first boot."""
        self.each(lambda machine: machine.wait_until_up(seconds))

    def each(self, act: Callable[[Machine], object], machines: Iterable[str] = ()) -> None:
        """Do something with each machine, side by side; the first error is raised at the end.

        Ctrl-C is not kept waiting: what the machines are doing then is given up.
        """
        chosen = [self[name] for name in machines] or list(self.machines.values())
        try:
            side_by_side(chosen, act)
        except KeyboardInterrupt:
            for machine in (*chosen, *self.machines.values()):  # whose port moved is another
                machine.give_up()
            raise

    def console(self, machine: str) -> str:
        """Return the end of a machine's console."""
        return tail(path_of(self.directory, machine), _CONSOLE_TAIL)

    def xml(self, machine: str) -> str:
        """Return the domain XML of a machine, as it is placed now."""
        return domain_xml(
            self.topology,
            self.topology.machine(machine),
            self.image,
            self.accelerator,
            self.placement(machine),
            name=self.domain_name(machine),
            behind_s=round(self.state.clock.behind_s) if self.state.clock else 0,
        )

    def placement(self, machine: str) -> Placement:
        """Return where a machine lives: its files and its ports."""
        return layout.placement(self.directory, self.state, machine)

    @property
    def clock(self) -> ClockOffset:
        """How far the lab's clock is behind this host's, as measured when it was last started.

        LabError when that was never measured: the lab is only being made.
        """
        if self.state.clock is None:
            raise LabError(f"the clock of {self.directory.name} was not measured yet")
        return self.state.clock

    def measure_clock(self) -> ClockOffset:
        """Ask every machine for the time; return an offset that is true of each of them."""
        found: list[ClockOffset] = []
        self.each(lambda machine: found.append(machine.clock()))
        return ClockOffset.spanning(found)

    def set_clock(self, offset: ClockOffset) -> None:
        """Keep the lab's clock offset with its state: no clock is touched."""
        self._change_state(clock=offset)

    def domain_name(self, machine: str) -> str:
        """Return a machine's name in libvirt: its own, unless others use that libvirt too."""
        return machine if self.hypervisor.private else f"{self.directory.name}-{machine}"

    def mac(self, machine: str, index: int) -> str:
        """Return the MAC address of a machine's NIC `index` on the wire."""
        return self.topology.mac(machine, index)

    def interface(self, machine: str, index: int) -> str:
        """Return what a machine calls its NIC `index` on the wire."""
        self.topology.machine(machine)
        return f"wire{index}"

    def announce(self, what: str) -> None:
        """Say nothing: nobody else uses these machines."""

    def set_link(self, machine: str, nic: int, *, up: bool) -> None:
        """Give a machine's NIC `nic` on the wire its carrier, or take it away."""
        self.hypervisor.set_link(self.domain_name(machine), nic_id(nic), up=up)

    def start_machine(self, machine: MachineSpec, start: Callable[[], None]) -> None:
        """Define a machine and `start` it; an SSH port that somebody took is chosen anew."""
        for _ in range(3):
            self.hypervisor.define(self.xml(machine.name))
            try:
                start()
            except MachineError as error:
                if not any(words in str(error) for words in _PORT_TAKEN):
                    raise
                self.move_port(machine.name)
            else:
                return
        raise LabError(f"no free loopback port for {machine.name} after three tries")

    def move_port(self, machine: str) -> None:
        """Give a machine that is off another loopback port for its SSH."""
        moved = self.state.machines[machine].model_copy(update={"ssh_port": layout.free_tcp_port()})
        self._change_state(machines={**self.state.machines, machine: moved})
        self.machines[machine] = self._machine(machine)

    def keep(self) -> None:
        """Leave the lab running after this process; `python -m lab down` ends it."""
        self.wire.disown()
        self.close()

    def close(self) -> None:
        """Let go of a lab that keeps running."""
        for machine in self.machines.values():
            machine.disconnect()
        self.hypervisor.close()
        if self._guardian is not None:
            self._guardian.close()

    def down(self) -> None:
        """End the lab: machines, wire, libvirt, and its directory."""
        for machine in self.machines.values():
            machine.disconnect()
        self.hypervisor.close()
        try:
            self.wire.stop()
            remove(self.directory)
        finally:
            if self._guardian is not None:
                self._guardian.close()

    def _change_state(self, **changes: object) -> None:
        with self._writing:
            self.state = self.state.model_copy(update=changes)
            self.state.write(self.directory)

    def _machine(self, name: str) -> Machine:
        return Machine(
            name,
            layout.access(self.directory, self.state, name),
            hypervisor=self.hypervisor,
            domain=self.domain_name(name),
            definition=lambda: self.xml(name),
            console=lambda: self.console(name),
        )


OpenLab = Callable[[Mapping[str, str]], Lab]


@contextlib.contextmanager
def assembling(
    topology: Topology,
    image: Image,
    accelerator: Accelerator,
    uri: str | None,
    capture: Path | None,
) -> Iterator[tuple[Path, OpenLab]]:
    """Give a fresh lab directory, and a function that opens the lab in it: wire and libvirt.

    The function takes each machine's public host key. If the block fails, even by Ctrl-C,
    everything that was started is ended and the directory is removed.
    """
    require_unix_nics()
    check_cpu(image.min_cpu, accelerator)
    directory = new_lab_directory(topology.name)
    consoles = directory / FOLDER
    wait.set_pace(accelerator.pace)
    opened: list[Guardian | Wire | Hypervisor] = []
    try:
        guardian = Guardian.start(directory)  # before there is anything to guard
        opened.append(guardian)
        layout.check_room(directory, len(topology.machines))
        if uri is None:
            layout.check_paths(directory, topology)

        def end_machines() -> None:
            end_processes_of(directory)

        def connect() -> Hypervisor:
            hypervisor = Hypervisor.open(uri) if uri else Hypervisor.start(directory)
            opened.append(hypervisor)
            return hypervisor

        def start_wire() -> Wire:
            wire = Wire.start(
                directory,
                _wire_ports(topology),
                capture=capture or directory / "wire.pcapng",
                on_death=end_machines,
                guardian=guardian,
            )
            opened.append(wire)
            return wire

        with ThreadPoolExecutor(2) as beside:  # what the lab's files are written
            connecting, starting = beside.submit(connect), beside.submit(start_wire)

            def open_lab(host_keys: Mapping[str, str]) -> Lab:
                wire, hypervisor = starting.result(), connecting.result()
                state = LabState(
                    topology=topology,
                    image=image.name,
                    accelerator=accelerator.name,
                    uri=uri,
                    machines={
                        machine.name: MachineState(
                            ssh_port=layout.free_tcp_port(), host_key=host_keys[machine.name]
                        )
                        for machine in topology.machines
                    },
                )
                state.write(directory)
                layout.write_known_hosts(directory, state)
                return Lab(directory, state, image, accelerator, hypervisor, wire, guardian)

            yield directory, open_lab
    except BaseException as error:
        _explain_with_consoles(error, consoles)
        try:
            remove(directory)
        except LabError as left:
            error.add_note(f"what was made for it was not all removed: {left}")
        for connection in opened:
            connection.close()
        raise


def _wire_ports(topology: Topology) -> list[Port]:
    return [
        Port(name=topology.port(machine.name, index), segment=nic.network)
        for machine in topology.machines
        for index, nic in enumerate(machine.nics)
    ]


def _explain_with_consoles(error: BaseException, consoles: Path) -> None:
    """Say which consoles were silent: the commonest reason for a guest that never answers."""
    if isinstance(error, LabError) and consoles.is_dir():
        silent = [path.stem for path in sorted(consoles.glob("*.log")) if not path.stat().st_size]
        if silent:
            error.add_note(f"nothing ever came from the console of: {', '.join(silent)}")
