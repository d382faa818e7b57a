"""The libvirt domain of a machine, as XML.

Everything a checkpoint needs to stay the same (name, uuid, MAC addresses, devices) comes from the
topology; everything that a thaw gives anew (disks, ports, console) comes from a `Placement`.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from lab.accelerator import Accelerator
from lab.image import Image
from lab.topology import MachineSpec, Topology

QEMU_NAMESPACE = "http://libvirt.org/schemas/domain/qemu/1.0"
MANAGEMENT_ADDRESS = "10.0.2.15"

ET.register_namespace("qemu", QEMU_NAMESPACE)


@dataclass(frozen=True)
class Placement:
    """Where one machine lives in this lab: its files and its ports on 127.0.0.1."""

    disk: Path
    seed: Path
    console: Path
    ssh_port: int
    wire_ports: tuple[tuple[int, int], ...]
    """For each NIC: the wire's UDP port, and the NIC's own."""


def domain_xml(
    topology: Topology,
    machine: MachineSpec,
    image: Image,
    accelerator: Accelerator,
    placement: Placement,
    *,
    name: str | None = None,
) -> str:
    """Return the domain XML of `machine`; `name` is only for a libvirt that others use too."""
    domain = ET.Element("domain", type="kvm" if accelerator.name == "kvm" else "qemu")
    _text(domain, "name", name or machine.name)
    _text(domain, "uuid", topology.uuid(machine.name))
    _text(domain, "memory", str(machine.memory_mib), unit="MiB")
    _text(domain, "vcpu", str(machine.vcpus))
    _boot(domain, image)
    ET.SubElement(ET.SubElement(domain, "features"), "acpi")
    _cpu(domain, accelerator)
    clock = ET.SubElement(domain, "clock", offset="utc")
    ET.SubElement(clock, "timer", name="hpet", present="no")
    _text(domain, "on_poweroff", "destroy")
    _text(domain, "on_reboot", "restart")
    _text(domain, "on_crash", "destroy")
    _devices(domain, topology, machine, image, placement)
    _management(domain, topology, machine, placement)
    return ET.tostring(domain, encoding="unicode")


def _text(parent: ET.Element, tag: str, text: str, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, tag, attributes)
    element.text = text
    return element


def _boot(domain: ET.Element, image: Image) -> None:
    system = ET.SubElement(domain, "os")
    _text(system, "type", "hvm", arch="x86_64", machine="q35")
    if image.kernel is not None:
        _text(system, "kernel", str(image.kernel))
        if image.initrd is not None:
            _text(system, "initrd", str(image.initrd))
        _text(system, "cmdline", image.append)
    else:
        ET.SubElement(system, "boot", dev="hd")


def _cpu(domain: ET.Element, accelerator: Accelerator) -> None:
    if accelerator.name == "kvm":
        ET.SubElement(domain, "cpu", mode="host-passthrough", migratable="on")
        return
    cpu = ET.SubElement(domain, "cpu", mode="custom", match="exact", check="none")
    _text(cpu, "model", accelerator.cpu_model, fallback="forbid")


def _devices(
    domain: ET.Element,
    topology: Topology,
    machine: MachineSpec,
    image: Image,
    placement: Placement,
) -> None:
    devices = ET.SubElement(domain, "devices")
    _disk(devices, placement.disk, "qcow2", "vda", readonly=False)
    # A virtio disk, not a CD-ROM: Debian's cloud kernel has no driver for SATA.
    _disk(devices, placement.seed, "raw", "vdb", readonly=True)
    for index, (switch_port, nic_port) in enumerate(placement.wire_ports):
        interface = ET.SubElement(devices, "interface", type="udp")
        ET.SubElement(interface, "mac", address=topology.mac(machine.name, index))
        source = ET.SubElement(interface, "source", address="127.0.0.1", port=str(switch_port))
        ET.SubElement(source, "local", address="127.0.0.1", port=str(nic_port))
        ET.SubElement(interface, "model", type="virtio")
    serial = ET.SubElement(devices, "serial", type="file")
    ET.SubElement(serial, "source", path=str(placement.console), append="on")
    random = ET.SubElement(devices, "rng", model="virtio")
    _text(random, "backend", "/dev/urandom", model="random")
    ET.SubElement(devices, "controller", type="usb", model="none")
    ET.SubElement(devices, "memballoon", model="none")
    if image.family == "el":  # the agent is how a person repairs a guest whose network never came
        channel = ET.SubElement(devices, "channel", type="unix")
        ET.SubElement(channel, "target", type="virtio", name="org.qemu.guest_agent.0")


def _disk(devices: ET.Element, path: Path, kind: str, target: str, *, readonly: bool) -> None:
    disk = ET.SubElement(devices, "disk", type="file", device="disk")
    # A lab's disks are thrown away with it, so no guest's sync has to wait for the host's disk.
    ET.SubElement(disk, "driver", name="qemu", type=kind, cache="unsafe", discard="unmap")
    ET.SubElement(disk, "source", file=str(path))
    ET.SubElement(disk, "target", dev=target, bus="virtio")
    if readonly:
        ET.SubElement(disk, "readonly")


def _management(
    domain: ET.Element, topology: Topology, machine: MachineSpec, placement: Placement
) -> None:
    """Add the management NIC: user networking that forwards one loopback port to SSH, only."""
    netdev = (
        f"user,id=mgmt,restrict=on,net=10.0.2.0/24,dhcpstart={MANAGEMENT_ADDRESS},"
        f"hostfwd=tcp:127.0.0.1:{placement.ssh_port}-{MANAGEMENT_ADDRESS}:22"
    )
    device = f"virtio-net-pci,netdev=mgmt,mac={topology.mac(machine.name, -1)},bus=pcie.0,addr=0x1e"
    commandline = ET.SubElement(domain, f"{{{QEMU_NAMESPACE}}}commandline")
    for argument in ("-netdev", netdev, "-device", device):
        ET.SubElement(commandline, f"{{{QEMU_NAMESPACE}}}arg", value=argument)
