"""A cold start: boot one guest of an image, and thaw it as every machine of the lab.

Booting is the slow part, and all guests of an image boot alike; so one is booted and frozen, and
each machine is that guest thawed, which then becomes who its own seed says (`identity`). The MAC
addresses that libvirt and QEMU know are the machine's own from the start; only the running guest
has to be told. A libvirt that refuses this (or is not the lab's own) means an ordinary boot.

So does a guest of EL. Its cloud-init would be the one to make it another machine, and that ends
with an error when a NIC of the seed is not there: the running guest still has the MACs it was
booted with. NetworkManager goes by those, too, whatever a NIC is told later.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab import layout
from lab.accelerator import Accelerator
from lab.cache import locked
from lab.checkpoint.freeze import freeze
from lab.checkpoint.greeting import bring_to_the_present, greet
from lab.checkpoint.identity import becoming
from lab.checkpoint.ingredients import ingredients
from lab.checkpoint.manifest import Checkpoint
from lab.checkpoint.saveimage import SaveImage
from lab.checkpoint.standing import stand_on
from lab.checkpoint.store import CheckpointDamaged, Store, key_of
from lab.domain import Placement, moved_xml, renamed_xml
from lab.errors import LabError
from lab.image import Image
from lab.lab import Lab, assembling
from lab.machine import Machine
from lab.progress import Progress
from lab.quiet import busy
from lab.topology import MachineSpec, Topology, check_memory

_TEMPLATE = "template"
_ALWAYS_BOOTED = ("el",)


def cold_start(
    topology: Topology,
    image: Image,
    accelerator: Accelerator,
    *,
    capture: Path | None = None,
    uri: str | None = None,
    progress: Progress | None = None,
) -> Lab:
    """Return a running lab of fresh machines, by way of one boot instead of one a machine."""
    progress = progress or Progress()
    topology = topology.fit_for(image.family)
    check_memory(topology)
    recorded_before = capture is not None and os.path.lexists(capture)  # then it is not ours
    if uri is None and image.family not in _ALWAYS_BOOTED:
        try:
            templates = {
                shape: _template(image, accelerator, shape, progress)
                for shape in sorted(
                    {Shape.of(machine) for machine in topology.machines}, key=lambda one: one.nics
                )
            }
            return _thaw_as_many(topology, image, accelerator, templates, capture, progress)
        except LabError as error:
            progress.say(f"no cold start from one boot ({error.message}); booting each machine")
            if (
                capture is not None and not recorded_before
            ):  # the recording of nothing; the next one takes its place
                capture.unlink(missing_ok=True)
    return Lab.boot(topology, image, accelerator, capture=capture, uri=uri, progress=progress)


@dataclass(frozen=True)
class Shape:
    """What a guest cannot change about itself: memory in MiB, processors, number of NICs."""

    memory_mib: int
    vcpus: int
    nics: int

    @classmethod
    def of(cls, machine: MachineSpec) -> Shape:
        """Return the shape of a machine."""
        return cls(machine.memory_mib, machine.vcpus, len(machine.nics))

    def topology(self) -> Topology:
        """Return a lab of one machine of this shape, its NICs at addresses of RFC 5737."""
        return Topology.model_validate(
            {
                "name": _TEMPLATE,
                "networks": {"lan": {"ipv4": "192.0.2.0/24"}},
                "machines": [
                    {
                        "name": _TEMPLATE,
                        "fqdn": f"{_TEMPLATE}.vpnproof.invalid",
                        "roles": ["client"],
                        "memory_mib": self.memory_mib,
                        "vcpus": self.vcpus,
                        "nics": [
                            {"network": "lan", "ipv4": f"192.0.2.{n + 1}"} for n in range(self.nics)
                        ],
                    }
                ],
            }
        )


def _template(
    image: Image, accelerator: Accelerator, shape: Shape, progress: Progress
) -> Checkpoint:
    """Return a frozen guest of `image`; booted now if there is none, by one process for all."""
    topology = shape.topology()
    made_of = ingredients(topology, image, accelerator)
    with locked("template"):
        try:
            if found := Store().find(key_of(made_of)):
                return found
        except CheckpointDamaged as error:
            progress.say(str(error))
        with Lab.boot(topology, image, accelerator, progress=progress) as lab:
            return freeze(lab, made_of, f"one fresh guest of {image.name}", keep_running=False)


def _thaw_as_many(
    topology: Topology,
    image: Image,
    accelerator: Accelerator,
    templates: Mapping[Shape, Checkpoint],
    capture: Path | None,
    progress: Progress,
) -> Lab:
    with (
        busy(say=progress.say),
        progress.task(f"starting {len(topology.machines)} machines of {topology.name}"),
        assembling(topology, image, accelerator, None, capture) as (directory, open_lab),
    ):
        frozen = {machine.name: templates[Shape.of(machine)] for machine in topology.machines}
        # All of them: a template must not be removed while one machine's disk lies on it.
        keys = dict.fromkeys(template.key for template in frozen.values())
        stand_on(Store().directory, directory, keys)
        client, host_keys = layout.write_keys(directory, topology)
        disks = {name: template.disk(_TEMPLATE) for name, template in frozen.items()}
        layout.write_files(directory, topology, disks, host_keys, client)
        lab = open_lab({name: key.public for name, key in host_keys.items()})
        scripts = {
            machine.name: becoming(layout.seed(topology, machine, client, host_keys[machine.name]))
            for machine in topology.machines
        }
        lab.each(lambda one: _become(lab, one, frozen[one.name], scripts[one.name]))
        lab.set_clock(lab.measure_clock())
    return lab


def _become(lab: Lab, machine: Machine, template: Checkpoint, script: str) -> None:
    """Thaw the template as `machine` and make it that machine."""
    with busy(lab.directory):
        _become_now(lab, machine, template, script)


def _become_now(lab: Lab, machine: Machine, template: Checkpoint, script: str) -> None:
    spec = lab.topology.machine(machine.name)
    saved = lab.directory / "disks" / f"{machine.name}.save"
    image = SaveImage.read(template.memory(_TEMPLATE))
    own = renamed_xml(image.xml, machine.name, lab.topology.uuid(machine.name))
    image.write_as(saved, own)

    def placed() -> Placement:
        return layout.placement(lab.directory, lab.state, machine.name)

    lab.start_machine(spec, lambda: lab.hypervisor.restore(saved, moved_xml(own, placed())))
    saved.unlink()
    lab.hypervisor.resume(machine.name)
    # Not `machine`: where somebody took its port, the lab has another one by now.
    with _as_template(lab, lab.machines[machine.name], template) as guest:
        channel = placed().channel if template.manifest.agents else None
        greet(guest, channel)
        bring_to_the_present(guest, channel)
        guest.wait_until_up(60)
        guest.run("sh -s", stdin=script, timeout=120)
    lab.machines[machine.name].channel = channel
    lab.machines[machine.name].wait_until_up(60)


def _as_template(lab: Lab, machine: Machine, template: Checkpoint) -> Machine:
    """Return a machine as the guest that it still is: with the template's keys."""
    host_key = template.manifest.host_keys[_TEMPLATE]
    placed = lab.state.machines[machine.name].model_copy(update={"host_key": host_key})
    as_it_was = lab.state.model_copy(update={"machines": {machine.name: placed}})
    return machine.reached_by(layout.access(template.directory, as_it_was, machine.name))
