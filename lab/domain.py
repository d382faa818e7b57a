"""The libvirt domain of a machine, as XML.

Everything a checkpoint needs to stay the same (name, uuid, MAC addresses, devices) comes from the
topology; everything that a thaw gives anew (disks, ports, console) comes from a `Placement`.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.accelerator import Accelerator
from lab.agent import CHANNEL
from lab.errors import LabError
from lab.image import Image
from lab.topology import TRANSLATIONS_MIB, MachineSpec, Topology

QEMU_NAMESPACE = "http://libvirt.org/schemas/domain/qemu/1.0"
_COMMANDLINE = f"{{{QEMU_NAMESPACE}}}commandline"
MANAGEMENT_ADDRESS = "10.0.2.15"
#: The same for every machine: each has a management network of its own.
MANAGEMENT_MAC = "52:54:00:00:00:01"

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

    @property
    def channel(self) -> Path:
        """The socket of the serial port that the guest's agent serves, beside its console."""
        return self.console.with_suffix(".agent")


def domain_xml(
    topology: Topology,
    machine: MachineSpec,
    image: Image,
    accelerator: Accelerator,
    placement: Placement,
    *,
    name: str | None = None,
    behind_s: int = 0,
) -> str:
    """Return the domain XML of `machine`; `name` is only for a libvirt that others use too.

    `behind_s` is how far the lab's clock is behind this host's: a machine that is switched on in a
    lab that was thawed begins with the lab's time.
    """
    domain = ET.Element("domain", type="kvm" if accelerator.name == "kvm" else "qemu")
    _text(domain, "name", name or machine.name)
    _text(domain, "uuid", topology.uuid(machine.name))
    _text(domain, "memory", str(machine.memory_mib), unit="MiB")
    _text(domain, "vcpu", str(machine.vcpus))
    _boot(domain, image)
    _features(domain, accelerator)
    _cpu(domain, accelerator)
    clock = ET.SubElement(
        domain, "clock", offset="variable", adjustment=f"{-behind_s}", basis="utc"
    )
    # The clock on the board stands while the guest is frozen, too: a reboot reads the lab's time.
    ET.SubElement(clock, "timer", name="rtc", track="guest")
    ET.SubElement(clock, "timer", name="hpet", present="no")
    _text(domain, "on_poweroff", "destroy")
    _text(domain, "on_reboot", "restart")
    _text(domain, "on_crash", "destroy")
    _devices(domain, topology, machine, placement)
    _management(domain, placement)
    return ET.tostring(domain, encoding="unicode")


def _text(parent: ET.Element, tag: str, text: str, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, tag, attributes)
    element.text = text
    return element


def _boot(domain: ET.Element, image: Image) -> None:
    system = ET.SubElement(domain, "os")
    _text(system, "type", "hvm", arch="x86_64", machine="pc")
    if image.kernel is not None:
        _text(system, "kernel", str(image.kernel))
        if image.initrd is not None:
            _text(system, "initrd", str(image.initrd))
        _text(system, "cmdline", image.append)
    else:
        ET.SubElement(system, "boot", dev="hd")


def _features(domain: ET.Element, accelerator: Accelerator) -> None:
    features = ET.SubElement(domain, "features")
    ET.SubElement(features, "acpi")
    if accelerator.name == "tcg":  # QEMU would take up to 1 GiB a guest for translated code
        _text(ET.SubElement(features, "tcg"), "tb-cache", str(TRANSLATIONS_MIB), unit="MiB")


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
    placement: Placement,
) -> None:
    devices = ET.SubElement(domain, "devices")
    _disk(devices, placement.disk, "qcow2", "vda", readonly=False)
    # A virtio disk, not a CD-ROM: Debian's cloud kernel has no driver for SATA.
    _disk(devices, placement.seed, "raw", "vdb", readonly=True)
    for index, ports in enumerate(placement.wire_ports):
        devices.append(_interface(topology.mac(machine.name, index), ports))
    serial = ET.SubElement(devices, "serial", type="file")
    ET.SubElement(serial, "source", path=str(placement.console), append="on")
    random = ET.SubElement(devices, "rng", model="virtio")
    _text(random, "backend", "/dev/urandom", model="random")
    ET.SubElement(devices, "controller", type="usb", model="none")
    ET.SubElement(devices, "memballoon", model="none")
    channel = ET.SubElement(devices, "channel", type="unix")
    _place_channel(channel, placement)
    ET.SubElement(channel, "target", type="virtio", name=CHANNEL)


def _place_channel(channel: ET.Element, placement: Placement) -> None:
    for old in channel.findall("source"):
        channel.remove(old)
    ET.SubElement(channel, "source", mode="bind", path=str(placement.channel))


def _disk(devices: ET.Element, path: Path, kind: str, target: str, *, readonly: bool) -> None:
    disk = ET.SubElement(devices, "disk", type="file", device="disk")
    # A lab's disks are thrown away with it, so no guest's sync has to wait for the host's disk.
    ET.SubElement(disk, "driver", name="qemu", type=kind, cache="unsafe", discard="unmap")
    ET.SubElement(disk, "source", file=str(path))
    ET.SubElement(disk, "target", dev=target, bus="virtio")
    if readonly:
        ET.SubElement(disk, "readonly")


def _interface(mac: str, ports: tuple[int, int]) -> ET.Element:
    interface = ET.Element("interface", type="udp")
    ET.SubElement(interface, "mac", address=mac)
    _place_interface(interface, ports)
    ET.SubElement(interface, "model", type="virtio")
    return interface


def _place_interface(interface: ET.Element, ports: tuple[int, int]) -> None:
    """Say which UDP ports of 127.0.0.1 a NIC talks between: the wire's, and its own."""
    for old in interface.findall("source"):
        interface.remove(old)
    source = ET.SubElement(interface, "source", address="127.0.0.1", port=str(ports[0]))
    ET.SubElement(source, "local", address="127.0.0.1", port=str(ports[1]))


def _management(domain: ET.Element, placement: Placement) -> None:
    """Add the management NIC: user networking that forwards one loopback port to SSH, only."""
    netdev = (
        f"user,id=mgmt,restrict=on,ipv6=off,net=10.0.2.0/24,dhcpstart={MANAGEMENT_ADDRESS},"
        f"hostfwd=tcp:127.0.0.1:{placement.ssh_port}-{MANAGEMENT_ADDRESS}:22"
    )
    device = f"virtio-net-pci,netdev=mgmt,mac={MANAGEMENT_MAC},bus=pci.0,addr=0x1e"
    for old in domain.findall(_COMMANDLINE):
        domain.remove(old)
    commandline = ET.SubElement(domain, _COMMANDLINE)
    for argument in ("-netdev", netdev, "-device", device):
        ET.SubElement(commandline, f"{{{QEMU_NAMESPACE}}}arg", value=argument)


def renamed_xml(xml: str, name: str, uuid: str, macs: Sequence[str]) -> str:
    """Return a saved machine's XML as that of another: its name, uuid and MAC addresses."""
    domain = ET.fromstring(xml)  # noqa: S314 - libvirt wrote it, not a stranger
    for tag, text in (("name", name), ("uuid", uuid)):
        element = domain.find(tag)
        if element is None:
            raise LabError(f"a saved machine without <{tag}>")
        element.text = text
    for element, mac in zip(domain.iterfind("devices/interface/mac"), macs, strict=True):
        element.set("address", mac)
    return ET.tostring(domain, encoding="unicode")


def moved_xml(xml: str, placement: Placement) -> str:
    """Return a saved machine's XML for its place in another lab: disks, console and ports.

    Everything the guest has seen, down to PCI addresses, stays as it was saved.
    """
    domain = ET.fromstring(xml)  # noqa: S314 - libvirt wrote it, not a stranger
    files = {"vda": placement.disk, "vdb": placement.seed}
    for disk in domain.iterfind("devices/disk"):
        target, source = disk.find("target"), disk.find("source")
        if target is not None and source is not None:
            source.set("file", str(files[target.get("dev", "")]))
        for chain in disk.findall("backingStore"):
            disk.remove(chain)
    for interface, ports in zip(
        domain.iterfind("devices/interface"), placement.wire_ports, strict=True
    ):
        _place_interface(interface, ports)
    for channel in domain.iterfind("devices/channel"):
        _place_channel(channel, placement)
    for console in (*domain.iterfind("devices/serial"), *domain.iterfind("devices/console")):
        source = console.find("source")
        if source is not None:
            source.set("path", str(placement.console))
    _management(domain, placement)
    return ET.tostring(domain, encoding="unicode")
