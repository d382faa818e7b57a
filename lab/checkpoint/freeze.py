"""Freezing and thawing a whole lab.

Freeze: the wire and every machine stop at one instant, memory and disks are put away, and the lab
goes on where it was. Thaw: new disks on top of the frozen ones, new ports, the memory of all
machines restored side by side, clocks set to now. What must be true before a thawed lab is used
("settled") is for the caller to wait for.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lab import layout
from lab.accelerator import Accelerator
from lab.checkpoint.saveimage import SaveImage
from lab.checkpoint.store import Checkpoint, Manifest, Store, key_of
from lab.domain import moved_xml
from lab.errors import LabError
from lab.hypervisor import installed_versions
from lab.image import Image
from lab.lab import Lab, assembling
from lab.machine import Machine
from lab.progress import Progress
from lab.topology import Topology, check_memory

#: What a lab stands on, in its directory: the key of the checkpoint its disks lie on.
STANDS_ON = "checkpoint"


def ingredients(
    topology: Topology, image: Image, accelerator: Accelerator, **more: object
) -> dict[str, Any]:
    """Return everything that shapes a frozen lab; `more` is what was done to it since its boot."""
    return {
        "topology": topology.model_dump(mode="json"),
        "image": image.key,
        "accelerator": accelerator.name,
        "cpu": accelerator.cpu_model,
        "versions": installed_versions(),
        **more,
    }


def freeze(
    lab: Lab,
    made_of: Mapping[str, Any],
    label: str,
    *,
    attach: Mapping[str, Path] | None = None,
    keep_running: bool = True,
) -> Checkpoint:
    """Put a running lab away under the key of `made_of`; then the lab goes on, if it is to.

    `attach` are files or directories to keep beside the machines. A failure, by a full disk or
    by libvirt, leaves no checkpoint; the lab may be lost then (LabError says so).
    """
    store = Store()
    names = list(lab.machines)
    store.make_room(_expected_size(lab))
    with store.making(key_of(made_of)) as fresh:
        lab.wire.pause()
        _side_by_side(names, lambda name: lab.hypervisor.pause(lab.domain_name(name)))
        try:
            _side_by_side(names, lambda name: _put_away(lab, name, fresh))
        except LabError as error:
            raise LabError(
                f"{lab.topology.name} could not be frozen: {error.message}",
                hint="the lab is lost with it; a fresh one boots without checkpoints (--fresh)",
            ) from error
        _put_beside(fresh, lab, attach or {})
        checkpoint = store.complete(fresh, _manifest(lab, made_of, label))
    if keep_running:
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
    """Return a running lab in the state of `checkpoint`, with ports and disks of its own."""
    progress = progress or Progress()
    topology = checkpoint.manifest.topology
    check_memory(topology)
    with (
        progress.task(f"thawing {topology.name} ({checkpoint.manifest.label})"),
        assembling(topology, image, accelerator, None, capture) as (directory, open_lab),
    ):
        (directory / STANDS_ON).write_text(checkpoint.key)
        _lay_out(directory, checkpoint, topology)
        lab = open_lab(checkpoint.manifest.host_keys)
        lab.wire.pause()
        _bring_back(lab, checkpoint)
        lab.wire.resume(new_generation=True)
        checkpoint.touch()
    return lab


def set_clock(machine: Machine) -> None:
    """Set a thawed machine's clock to this host's, and give it randomness of its own."""
    machine.run(
        f"date -u -s @{time.time():.3f} >/dev/null; cat > /dev/urandom", stdin=os.urandom(64)
    )


def _put_away(lab: Lab, name: str, fresh: Path) -> None:
    lab.hypervisor.save(lab.domain_name(name), fresh / "memory" / f"{name}.save")
    placed = layout.placement(lab.directory, lab.state, name)
    shutil.move(placed.disk, fresh / "disks" / f"{name}.qcow2")


def _put_beside(fresh: Path, lab: Lab, attach: Mapping[str, Path]) -> None:
    for name in ("keys", "seeds"):
        shutil.copytree(lab.directory / name, fresh / name)
    for name, source in attach.items():
        target = fresh / "attached" / name
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy2(source, target)


def _manifest(lab: Lab, made_of: Mapping[str, Any], label: str) -> Manifest:
    return Manifest(
        format=1,
        key=key_of(made_of),
        label=label,
        created=0,
        ingredients=dict(made_of),
        topology=lab.topology,
        host_keys={name: state.host_key for name, state in lab.state.machines.items()},
        parent=stands_on(lab),
        files={},
    )


def stands_on(lab: Lab) -> str | None:
    """Return the key of the checkpoint that a lab's disks lie on, if they do."""
    with contextlib.suppress(FileNotFoundError):
        return (lab.directory / STANDS_ON).read_text().strip()
    return None


def _go_on(lab: Lab, checkpoint: Checkpoint) -> None:
    """Let a lab that was just put away run on, on top of its own checkpoint."""
    (lab.directory / STANDS_ON).write_text(checkpoint.key)
    for name in lab.machines:
        layout.write_overlay(
            layout.placement(lab.directory, lab.state, name).disk, checkpoint.disk(name)
        )
    _bring_back(lab, checkpoint)
    lab.wire.resume()


def _lay_out(directory: Path, checkpoint: Checkpoint, topology: Topology) -> None:
    for name in ("keys", "seeds"):
        shutil.copytree(checkpoint.directory / name, directory / name)
    (directory / "consoles").mkdir(mode=0o700)
    for machine in topology.machines:
        layout.write_overlay(
            directory / "disks" / f"{machine.name}.qcow2", checkpoint.disk(machine.name)
        )
        (directory / "consoles" / f"{machine.name}.log").touch()


def _bring_back(lab: Lab, checkpoint: Checkpoint) -> None:
    """Restore the memory of all machines, then let them run, then set their clocks."""

    def moved(name: str) -> str:
        saved = SaveImage.read(checkpoint.memory(name))
        return moved_xml(saved.xml, layout.placement(lab.directory, lab.state, name))

    def restore(name: str) -> None:
        spec = lab.topology.machine(name)
        lab.start_machine(
            spec, lambda: lab.hypervisor.restore(checkpoint.memory(name), moved(name))
        )

    names = list(lab.machines)
    _side_by_side(names, restore)
    for name in names:
        lab.hypervisor.resume(lab.domain_name(name))
    for machine in lab.machines.values():
        machine.disconnect()

    def greet(machine: Machine) -> None:
        machine.wait_until_up(60)
        set_clock(machine)

    lab.each(greet)


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
