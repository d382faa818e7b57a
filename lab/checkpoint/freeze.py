"""Freezing and thawing a whole lab.

Freeze: the wire and every machine stop at one instant, memory and disks are put away, and the lab
goes on where it was. Thaw: new disks on top of the frozen ones, new ports, the memory of all
machines restored side by side, and all of them let go at one instant. A guest notices nothing but
that QEMU announces its NICs (told not to, by `announce-rounds`, QEMU 7.2 ends at the next reset).
Its clock goes on from the moment that it was frozen at; how far that is behind this host's is
measured once and kept (`lab.clock`). What was ready when it was frozen is ready when it is thawed.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lab import layout
from lab.accelerator import Accelerator
from lab.checkpoint.greeting import greet
from lab.checkpoint.manifest import FORMAT, Checkpoint, FrozenFile, Manifest
from lab.checkpoint.saveimage import SaveImage
from lab.checkpoint.standing import STANDS_ON, keep_for, stand_on
from lab.checkpoint.store import Store, key_of
from lab.clock import ClockOffset
from lab.domain import moved_xml
from lab.errors import DeadlinePassed, LabError, MachineError
from lab.image import Image
from lab.lab import Lab, assembling
from lab.machine import Machine
from lab.progress import Progress
from lab.quiet import busy
from lab.timing import Kind, spending
from lab.topology import Topology, check_memory


class ThawFailed(LabError):
    """A checkpoint whose files are as they were written does not come back to life."""


class FreezeFailed(LabError):
    """A lab was lost while it was put away: by a full disk, say, or because libvirt refused."""


def freeze(
    lab: Lab,
    made_of: Mapping[str, Any],
    label: str,
    *,
    attach: Mapping[str, Path] | None = None,
    keep_running: bool = True,
) -> Checkpoint:
    """Put a running lab away under the key of `made_of`; then the lab goes on, if it is to.

    `attach` are files or directories to keep beside the machines. When another process froze the
    same meanwhile, that checkpoint is returned and the lab is not touched; nor is it when there
    is no room (NoRoom). FreezeFailed: no checkpoint was made, or it cannot be thawed, and the lab
    can only be taken down.
    """
    store, key = Store(), key_of(made_of)
    with store.making(key, _expected_size(lab)) as fresh:
        if fresh is None:
            return _made_meanwhile(store, key)
        with _lost_if_this_fails(lab), busy(lab.directory):
            agents = _put_all_away(lab, fresh, attach or {})
            manifest = _manifest(lab, store, made_of, label, agents)
            # As soon as it is there, the lab's disks are in it.
            keep_for(store.directory, lab.directory, (key, *manifest.parents))
            checkpoint = store.complete(fresh, manifest)
            stand_on(store.directory, lab.directory, (key,))
    if keep_running:
        with _lost_if_this_fails(lab), busy(lab.directory):
            _go_on(lab, checkpoint)
    return checkpoint


def thaw(
    checkpoint: Checkpoint,
    image: Image,
    accelerator: Accelerator,
    *,
    capture: Path | None = None,
    progress: Progress | None = None,
) -> Lab:
    """Return a running lab in the state of `checkpoint`, with ports and disks of its own.

    ThawFailed when libvirt refuses what was frozen, or a machine does not answer afterwards.
    """
    progress = progress or Progress()
    topology = checkpoint.manifest.topology
    check_memory(topology)
    with (
        # All of it: to copy, to write disks, and to start what a lab consists of.
        busy(say=progress.say),
        spending(Kind.THAW),
        progress.task(f"thawing {topology.name} ({checkpoint.manifest.label})"),
        assembling(topology, image, accelerator, None, capture) as (directory, open_lab),
    ):
        _lay_out(directory, checkpoint, topology)
        lab = open_lab(checkpoint.manifest.host_keys)
        lab.wire.pause()
        try:
            bring_back(lab, checkpoint, new_generation=True)
        except (MachineError, DeadlinePassed) as error:
            raise ThawFailed(
                f"checkpoint {checkpoint.key[:12]} cannot be thawed: {error.message}",
                hint=error.hint,
            ) from error
    return lab


def stands_on(lab: Lab) -> str | None:
    """Return the key of the checkpoint that a lab's disks lie on (of the first of several)."""
    return next(iter(_parents(lab)), None)


def _parents(lab: Lab) -> tuple[str, ...]:
    with contextlib.suppress(FileNotFoundError):
        return tuple((lab.directory / STANDS_ON).read_text().split())
    return ()


@contextlib.contextmanager
def _lost_if_this_fails(lab: Lab) -> Iterator[None]:
    try:
        yield
    except (LabError, OSError) as error:
        said = error.message if isinstance(error, LabError) else str(error)
        raise FreezeFailed(
            f"{lab.topology.name} could not be frozen, and is lost: {said}",
            hint="make the lab anew without freezing it; is the disk full?",
        ) from error


def _made_meanwhile(store: Store, key: str) -> Checkpoint:
    found = store.find(key)
    if found is None:
        raise LabError(f"checkpoint {key} was removed as soon as it was made")
    return found


def _put_all_away(lab: Lab, fresh: Path, attach: Mapping[str, Path]) -> list[str]:
    """Stop the wire and the machines at one instant, and fill `fresh` with what they are.

    Returns the machines that have an agent.
    """
    agents: list[str] = []

    def start_agent(machine: Machine) -> None:
        if machine.start_agent(lab.placement(machine.name).channel):
            agents.append(machine.name)

    lab.each(start_agent)
    lab.wire.pause()
    names = list(lab.machines)
    _side_by_side(names, lambda name: lab.hypervisor.pause(lab.domain_name(name)))
    _side_by_side(names, lambda name: _put_away(lab, name, fresh))
    _put_beside(fresh, lab, attach)
    return sorted(agents)


def _put_away(lab: Lab, name: str, fresh: Path) -> None:
    lab.hypervisor.save(lab.domain_name(name), fresh / "memory" / f"{name}.save")
    shutil.move(lab.placement(name).disk, fresh / "disks" / f"{name}.qcow2")


def _put_beside(fresh: Path, lab: Lab, attach: Mapping[str, Path]) -> None:
    for name in ("keys", "seeds"):
        shutil.copytree(lab.directory / name, fresh / name)
    for name, source in attach.items():
        target = fresh / "attached" / name
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy2(source, target)


def _manifest(
    lab: Lab, store: Store, made_of: Mapping[str, Any], label: str, agents: Iterable[str]
) -> Manifest:
    below = [one.manifest.image for one in store if one.key in _parents(lab)]
    return Manifest(
        format=FORMAT,
        key=key_of(made_of),
        label=label,
        created=0,
        ingredients=dict(made_of),
        topology=lab.topology,
        host_keys={name: state.host_key for name, state in lab.state.machines.items()},
        agents=tuple(agents),
        parents=_parents(lab),
        image=below[0] if below else (lab.image.disk, FrozenFile.of(lab.image.disk)),
        files={},
    )


def _go_on(lab: Lab, checkpoint: Checkpoint) -> None:
    """Let a lab that was just put away run on, on top of its own checkpoint."""
    layout.write_overlays(lab.directory, checkpoint.disks)
    bring_back(lab, checkpoint, new_generation=False)


def _lay_out(directory: Path, checkpoint: Checkpoint, topology: Topology) -> None:
    stand_on(checkpoint.directory.parent, directory, (checkpoint.key,))
    try:
        for name in ("keys", "seeds"):
            shutil.copytree(checkpoint.directory / name, directory / name)
    except OSError as error:  # removed by another process since it was found, or a full disk
        raise LabError(f"checkpoint {checkpoint.key[:12]} cannot be taken up: {error}") from error
    (directory / "consoles").mkdir(mode=0o700)
    layout.write_overlays(directory, checkpoint.disks)
    for machine in topology.machines:
        (directory / "consoles" / f"{machine.name}.log").touch()


def bring_back(lab: Lab, checkpoint: Checkpoint, *, new_generation: bool) -> None:
    """Restore the memory of all machines, let wire and machines run at once, and read the clocks.

    The wire is paused before, and forwards again before the first machine runs: a partner that is
    not heard for as long as the others take would be missed. `new_generation` is whether the wire
    counts this as another run of the lab.

    MachineError or DeadlinePassed when a machine does not come back, or does not answer.
    """
    clocks: list[ClockOffset] = []

    def moved(name: str) -> str:
        try:
            return moved_xml(SaveImage.read(checkpoint.memory(name)).xml, lab.placement(name))
        except (LabError, KeyError) as error:
            raise MachineError(f"the memory of {name} cannot be taken up: {error}") from error

    def come_back(machine: Machine) -> None:
        name = machine.name
        machine.disconnect()
        lab.start_machine(
            lab.topology.machine(name),
            lambda: lab.hypervisor.restore(checkpoint.memory(name), moved(name)),
        )

    def meet(machine: Machine) -> None:
        has_agent = machine.name in checkpoint.manifest.agents
        clocks.append(greet(machine, lab.placement(machine.name).channel if has_agent else None))

    with busy(lab.directory):
        lab.each(come_back)
        asked_ns = time.time_ns()
        lab.wire.resume(new_generation=new_generation)
        lab.started_uncertainty_ns = (time.time_ns() - asked_ns + 1) // 2
        lab.started_ns = asked_ns + lab.started_uncertainty_ns
        lab.each(lambda machine: lab.hypervisor.resume(lab.domain_name(machine.name)))
        lab.each(meet)
    lab.set_clock(ClockOffset.spanning(clocks))


def _side_by_side(names: Iterable[str], act: Callable[[str], object]) -> None:
    """Do something for each name at once; the first error is raised when all have ended."""
    chosen = list(names)
    with ThreadPoolExecutor(len(chosen)) as pool:
        for done in [pool.submit(act, name) for name in chosen]:
            done.result()


def _expected_size(lab: Lab) -> int:
    """Return bytes a checkpoint of the lab takes at most: all memory, and what the disks hold."""
    memory = sum(machine.memory_mib for machine in lab.topology.machines) * 2**20
    disks = sum(p.stat().st_blocks * 512 for p in (lab.directory / "disks").glob("*.qcow2"))
    return memory + disks
