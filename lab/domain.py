"""The libvirt domain of a machine, as XML.

Everything a checkpoint needs to stay the same (name, uuid, MAC addresses, devices) comes from the
topology; everything that a thaw gives anew (disks, sockets, ports, console) comes from a
`Placement`.

NICs are given to QEMU past libvirt, which has no word for theirs: a NIC on the wire is a Unix
datagram socket (`-netdev dgram`, QEMU 7.2 and later), the one for management is user networking.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from lab.accelerator import Accelerator
from lab.agent import CHANNEL
from lab.errors import LabError
from lab.image import Image
from lab.topology import TRANSLATIONS_MIB, MachineSpec, Topology
from lab.wire import Sockets

QEMU_NAMESPACE = "http://libvirt.org/schemas/domain/qemu/1.0"
_COMMANDLINE = f"{{{QEMU_NAMESPACE}}}commandline"
MANAGEMENT_ADDRESS = "10.0.2.15"
#: The same for every machine: each has a management network of its own.
MANAGEMENT_MAC = "52:54:00:00:00:01"

_FIRST_SLOT, _MANAGEMENT_SLOT = 0x10, 0x1E

ET.register_namespace("qemu", QEMU_NAMESPACE)


@dataclass(frozen=True)
class Placement:
    """Where one machine lives in this lab: its files, its sockets, its SSH port on 127.0.0.1."""

    disk: Path
    seed: Path
    console: Path
    ssh_port: int
    nics: tuple[tuple[str, Sockets], ...]
    """For each NIC on the wire: its MAC address, and both ends of its cable."""

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
    _devices(domain, placement)
    _nics(domain, placement)
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


def _devices(domain: ET.Element, placement: Placement) -> None:
    devices = ET.SubElement(domain, "devices")
    _disk(devices, placement.disk, "qcow2", "vda", readonly=False)
    # A virtio disk, not a CD-ROM: Debian's cloud kernel has no driver for SATA.
    _disk(devices, placement.seed, "raw", "vdb", readonly=True)
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


def nic_id(index: int) -> str:
    """Return QEMU's name of a machine's NIC `index` on the wire, as its monitor knows it."""
    return f"wire{index}"


def _nics(domain: ET.Element, placement: Placement) -> None:
    """Plug in the NICs, in place of those that the domain may have: the wire's, and management."""
    for old in domain.findall(_COMMANDLINE):
        domain.remove(old)
    commandline = ET.SubElement(domain, _COMMANDLINE)
    for index, (mac, sockets) in enumerate(placement.nics):
        cable = (
            f"dgram,id={nic_id(index)},local.type=unix,local.path={_quoted(sockets.nic)},"
            f"remote.type=unix,remote.path={_quoted(sockets.port)}"
        )
        _nic(commandline, cable, nic_id(index), mac, _FIRST_SLOT + index)
    # User networking that forwards one loopback port to SSH, and nothing else.
    management = (
        f"user,id=mgmt,restrict=on,ipv6=off,net=10.0.2.0/24,dhcpstart={MANAGEMENT_ADDRESS},"
        f"hostfwd=tcp:127.0.0.1:{placement.ssh_port}-{MANAGEMENT_ADDRESS}:22"
    )
    _nic(commandline, management, "mgmt", MANAGEMENT_MAC, _MANAGEMENT_SLOT)


def _nic(commandline: ET.Element, netdev: str, name: str, mac: str, slot: int) -> None:
    device = f"virtio-net-pci,netdev={name},mac={mac},bus=pci.0,addr={slot:#x}"
    for argument in ("-netdev", netdev, "-device", device):
        ET.SubElement(commandline, f"{{{QEMU_NAMESPACE}}}arg", value=argument)


def _arguments(domain: ET.Element) -> list[str]:
    return [one.get("value", "") for one in domain.iterfind(f"{_COMMANDLINE}/*")]


def _quoted(path: Path) -> str:
    """Return `path` as the value of one of QEMU's options, in which commas separate."""
    return str(path).replace(",", ",,")


def renamed_xml(xml: str, name: str, uuid: str) -> str:
    """Return a saved machine's XML as that of another: its name and uuid."""
    domain = ET.fromstring(xml)  # noqa: S314 - libvirt wrote it, not a stranger
    for tag, text in (("name", name), ("uuid", uuid)):
        element = domain.find(tag)
        if element is None:
            raise LabError(f"a saved machine without <{tag}>")
        element.text = text
    return ET.tostring(domain, encoding="unicode")


def moved_xml(xml: str, placement: Placement) -> str:
    """Return a saved machine's XML for its place in another lab: disks, console and NICs.

    Everything the guest has seen, down to PCI addresses, stays as it was saved.
    """
    domain = ET.fromstring(xml)  # noqa: S314 - libvirt wrote it, not a stranger
    had = sum(value.startswith("dgram,") for value in _arguments(domain))
    if had != len(placement.nics):
        raise LabError(
            f"a machine that was saved with {had} NICs cannot have {len(placement.nics)}"
        )
    files = {"vda": placement.disk, "vdb": placement.seed}
    for disk in domain.iterfind("devices/disk"):
        target, source = disk.find("target"), disk.find("source")
        if target is not None and source is not None:
            source.set("file", str(files[target.get("dev", "")]))
        for chain in disk.findall("backingStore"):
            disk.remove(chain)
    for channel in domain.iterfind("devices/channel"):
        _place_channel(channel, placement)
    for console in (*domain.iterfind("devices/serial"), *domain.iterfind("devices/console")):
        source = console.find("source")
        if source is not None:
            source.set("path", str(placement.console))
    _nics(domain, placement)
    return ET.tostring(domain, encoding="unicode")
