"""A cold start: boot one guest of an image, and thaw it as every machine of the lab.

Booting is the slow part, and all guests of an image boot alike; so one is booted, without a NIC,
and frozen. Each machine is that guest thawed, which then becomes who it is by the same means as a
fresh guest: cloud-init reads the machine's own seed, and its NICs are plugged in. A libvirt that
refuses this (or is not the lab's own) means an ordinary boot.
"""

from __future__ import annotations

from pathlib import Path

from lab import layout
from lab.accelerator import Accelerator
from lab.checkpoint.freeze import STANDS_ON, freeze, ingredients, set_clock
from lab.checkpoint.saveimage import SaveImage
from lab.checkpoint.store import Checkpoint, CheckpointDamaged, Store, key_of
from lab.domain import interface_xml, moved_xml, renamed_xml
from lab.errors import LabError
from lab.image import Image
from lab.lab import Lab, assembling
from lab.machine import Machine
from lab.progress import Progress
from lab.state import LabState
from lab.topology import MachineSpec, Topology, check_memory

_TEMPLATE = "template"

#: What makes a thawed guest another machine. Its seed has been exchanged while it slept.
_BECOME = {
    "debian": """set -e
blockdev --flushbufs /dev/vdb
rm -rf /var/lib/cloud /etc/systemd/network/10-cloud-init-*
: > /root/.ssh/authorized_keys
: > /etc/machine-id
systemd-machine-id-setup >/dev/null 2>&1
cloud-init init --local
hostname "$(cat /etc/hostname)"
udevadm control --reload
networkctl reload
systemctl reload ssh
systemctl try-restart systemd-journald
""",
    "el": """set -e
blockdev --flushbufs /dev/vdb
cloud-init clean --logs
: > /root/.ssh/authorized_keys
: > /etc/machine-id
systemd-machine-id-setup >/dev/null 2>&1
cloud-init init --local
cloud-init init
hostname "$(cat /etc/hostname)"
udevadm control --reload
nmcli connection reload
systemctl reload sshd
""",
}


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
    check_memory(topology)
    if uri is None:
        try:
            templates = {
                shape: _template(image, accelerator, shape, progress) for shape in _shapes(topology)
            }
            return _thaw_as_many(topology, image, accelerator, templates, capture, progress)
        except LabError as error:
            progress.say(f"no cold start from one boot ({error.message}); booting each machine")
    return Lab.boot(topology, image, accelerator, capture=capture, uri=uri, progress=progress)


Shape = tuple[int, int]  # memory in MiB, processors


def _shapes(topology: Topology) -> set[Shape]:
    return {(machine.memory_mib, machine.vcpus) for machine in topology.machines}


def _template(
    image: Image, accelerator: Accelerator, shape: Shape, progress: Progress
) -> Checkpoint:
    """Return a frozen guest of `image`; booted now if there is none."""
    memory_mib, vcpus = shape
    one = MachineSpec(
        name=_TEMPLATE,
        fqdn=f"{_TEMPLATE}.vpnproof.invalid",
        roles=("client",),
        memory_mib=memory_mib,
        vcpus=vcpus,
        nics=(),
    )
    topology = Topology(name=_TEMPLATE, networks={}, machines=(one,))
    made_of = ingredients(topology, image, accelerator, become=_BECOME[image.family])
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
    templates: dict[Shape, Checkpoint],
    capture: Path | None,
    progress: Progress,
) -> Lab:
    with (
        progress.task(f"starting {len(topology.machines)} machines of {topology.name}"),
        assembling(topology, image, accelerator, None, capture) as (directory, open_lab),
    ):
        frozen = {
            machine.name: templates[machine.memory_mib, machine.vcpus]
            for machine in topology.machines
        }
        (directory / STANDS_ON).write_text(next(iter(frozen.values())).key)
        client, host_keys = layout.write_keys(directory, topology)
        layout.write_files(directory, topology, image, host_keys, client)
        for name, template in frozen.items():
            layout.write_overlay(directory / "disks" / f"{name}.qcow2", template.disk(_TEMPLATE))
        lab = open_lab({name: key.public for name, key in host_keys.items()})
        lab.each(lambda machine: _become(lab, machine, frozen[machine.name]))
    return lab


def _become(lab: Lab, machine: Machine, template: Checkpoint) -> None:
    """Thaw the template as `machine` and make it that machine."""
    spec = lab.topology.machine(machine.name)
    saved = lab.directory / "disks" / f"{machine.name}.save"
    image = SaveImage.read(template.memory(_TEMPLATE))
    own = renamed_xml(image.xml, machine.name, lab.topology.uuid(machine.name))
    image.write_as(saved, own)

    def restore() -> None:
        placed = layout.placement(lab.directory, lab.state, machine.name)
        lab.hypervisor.restore(saved, moved_xml(own, placed))

    lab.start_machine(spec, restore)
    saved.unlink()
    lab.hypervisor.resume(machine.name)
    with _as_template(lab.state, machine.name, template) as guest:
        guest.wait_until_up(60)
        set_clock(guest)
        guest.run(_BECOME[lab.image.family], timeout=120)
    _plug_in(lab, spec)
    lab.machines[machine.name].wait_until_up(60)


def _as_template(state: LabState, name: str, template: Checkpoint) -> Machine:
    """Return the guest as it still is: with the template's keys."""
    placed = state.machines[name].model_copy(
        update={"host_key": template.manifest.host_keys[_TEMPLATE]}
    )
    as_it_was = state.model_copy(update={"machines": {name: placed}})
    return Machine(name, layout.access(template.directory, as_it_was, name))


def _plug_in(lab: Lab, spec: MachineSpec) -> None:
    placed = layout.placement(lab.directory, lab.state, spec.name)
    for index in range(len(spec.nics)):
        mac = lab.topology.mac(spec.name, index)
        lab.hypervisor.attach(spec.name, interface_xml(mac, placed.wire_ports[index]))
