"""Domain XML: libvirt takes it, the guest's side is stable, the host's side moves."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import libvirt
import pytest

from lab.domain import (
    QEMU_NAMESPACE,
    Placement,
    domain_xml,
    moved_xml,
    renamed_xml,
)
from lab.errors import LabError
from lab.topology import read_topology
from lab.wire import Sockets

TOPOLOGY = read_topology("failover")
GATEWAY = TOPOLOGY.machine("gateway")  # it has two NICs

TCG = SimpleNamespace(name="tcg", cpu_model="Haswell-noTSX")
KVM = SimpleNamespace(name="kvm", cpu_model="")
DIRECT = SimpleNamespace(
    family="debian",
    kernel=Path("/cache/vmlinuz"),
    initrd=Path("/cache/initrd.img"),
    append="root=/dev/vda1 console=ttyS0 a<b&c",
)
FROM_DISK = SimpleNamespace(family="el", kernel=None, initrd=None, append="")


def placement(lab: str, port: int) -> Placement:
    directory = Path(f"/var/tmp/vpnproof-1000/{lab}")  # noqa: S108 - only written down
    return Placement(
        disk=directory / "disks" / "gateway.qcow2",
        seed=directory / "seeds" / "gateway.iso",
        console=directory / "consoles" / "gateway.log",
        ssh_port=port,
        nics=tuple(
            (TOPOLOGY.mac("gateway", index), Sockets.of(directory, f"gateway/wire{index}"))
            for index in range(2)
        ),
    )


HERE, THERE = placement("multi_node-abcd", 40000), placement("multi_node-ef01", 50000)


def written(image: Any = DIRECT, accelerator: Any = TCG, placed: Placement = HERE) -> str:
    return domain_xml(TOPOLOGY, GATEWAY, image, accelerator, placed)


def parsed(xml: str) -> Any:
    return ET.fromstring(xml)  # noqa: S314 - our own


@pytest.fixture
def testing_libvirt() -> Iterator[libvirt.virConnect]:
    connection = libvirt.open("test:///default")
    yield connection
    connection.close()


@pytest.mark.parametrize("move", [False, True])
@pytest.mark.parametrize(("image", "accelerator"), list(product((DIRECT, FROM_DISK), (TCG, KVM))))
def test_libvirts_schema_takes_it(
    testing_libvirt: libvirt.virConnect, image: Any, accelerator: Any, move: bool
) -> None:
    xml = written(image, accelerator)
    if move:
        xml = moved_xml(xml, THERE)
    tested = parsed(xml)
    tested.set("type", "test")
    domain = testing_libvirt.defineXMLFlags(
        ET.tostring(tested, encoding="unicode"), libvirt.VIR_DOMAIN_DEFINE_VALIDATE
    )
    assert domain.name() == "gateway"
    assert domain.UUIDString() == TOPOLOGY.uuid("gateway")
    assert domain.maxMemory() == GATEWAY.memory_mib * 1024
    domain.undefine()


def qemu_arguments(xml: str) -> list[tuple[str, str]]:
    """Return QEMU's options and their values, in pairs."""
    values = [one.get("value", "") for one in parsed(xml).iter(f"{{{QEMU_NAMESPACE}}}arg")]
    return list(zip(values[0::2], values[1::2], strict=True))


def test_every_nic_is_a_unix_socket_with_the_wires_at_its_other_end() -> None:
    arguments = qemu_arguments(written())
    for index, (mac, sockets) in enumerate(HERE.nics):
        netdev, device = arguments[2 * index : 2 * index + 2]
        assert netdev == (
            "-netdev",
            f"dgram,id=wire{index},local.type=unix,local.path={sockets.nic},"
            f"remote.type=unix,remote.path={sockets.port}",
        )
        assert device[0] == "-device"
        assert f"netdev=wire{index},mac={mac}" in device[1]
    assert len(arguments) == 2 * len(HERE.nics) + 2
    addresses = [value.rpartition("addr=")[2] for _, value in arguments if "addr=" in value]
    assert len(set(addresses)) == 3


def test_a_comma_in_a_path_does_not_end_an_option() -> None:
    sockets = Sockets.of(Path("/labs,more"), "gateway/wire0")
    placed = replace(HERE, nics=((TOPOLOGY.mac("gateway", 0), sockets),))
    assert "/labs,,more/wire/gateway.wire0.nic" in qemu_arguments(written(placed=placed))[0][1]


def test_the_management_nic_reaches_nothing_and_forwards_one_port() -> None:
    (management,) = [value for _, value in qemu_arguments(written()) if value.startswith("user,")]
    assert "restrict=on" in management.split(",")
    assert management.count("hostfwd") == 1
    assert "hostfwd=tcp:127.0.0.1:40000-10.0.2.15:22" in management


def test_a_machine_that_is_switched_on_begins_with_the_labs_time() -> None:
    late = domain_xml(TOPOLOGY, GATEWAY, DIRECT, TCG, HERE, behind_s=4150)
    clock = parsed(late).find("clock")
    assert (clock.get("offset"), clock.get("basis")) == ("variable", "utc")
    assert clock.get("adjustment") == "-4150"
    assert parsed(written()).find("clock").get("adjustment") == "0"


def test_the_clock_on_the_board_stands_while_the_guest_does() -> None:
    (timer,) = parsed(written()).findall("clock/timer[@name='rtc']")
    assert timer.get("track") == "guest"


def test_a_direct_boot_names_kernel_initrd_and_command_line() -> None:
    system = parsed(written(DIRECT)).find("os")
    assert system.findtext("kernel") == "/cache/vmlinuz"
    assert system.findtext("initrd") == "/cache/initrd.img"
    assert system.findtext("cmdline") == "root=/dev/vda1 console=ttyS0 a<b&c"
    assert system.find("boot") is None


def test_an_image_without_a_kernel_boots_from_its_disk() -> None:
    system = parsed(written(FROM_DISK)).find("os")
    assert system.find("boot").get("dev") == "hd"
    assert system.find("kernel") is None


def test_the_accelerator_chooses_type_and_processor() -> None:
    emulated = parsed(written(accelerator=TCG))
    assert emulated.get("type") == "qemu"
    assert emulated.findtext("cpu/model") == "Haswell-noTSX"
    assisted = parsed(written(accelerator=KVM))
    assert assisted.get("type") == "kvm"
    assert assisted.find("cpu").get("mode") == "host-passthrough"


def test_a_libvirt_that_others_use_gets_another_name() -> None:
    xml = domain_xml(TOPOLOGY, GATEWAY, DIRECT, TCG, HERE, name="failover-abcd-gateway")
    assert parsed(xml).findtext("name") == "failover-abcd-gateway"


def test_the_name_of_the_channels_socket_fits() -> None:
    """It stands beside the console: where libvirt would put it, its name is too long."""
    socket = parsed(written(FROM_DISK)).find("devices/channel/source")
    assert len(socket.get("path")) < 107


@pytest.mark.parametrize("image", [DIRECT, FROM_DISK])
def test_a_moved_machine_is_the_same_but_for_its_files_and_ports(image: Any) -> None:
    moved = parsed(moved_xml(written(image, placed=HERE), THERE))
    expected = parsed(moved_xml(written(image, placed=THERE), THERE))
    assert ET.tostring(moved) == ET.tostring(expected)
    for same in ("name", "uuid", "memory", "vcpu"):
        assert moved.findtext(same) == parsed(written(image)).findtext(same)
    assert "multi_node-abcd" not in ET.tostring(moved, encoding="unicode")


def test_a_moved_machine_forgets_the_chain_of_disks_it_was_saved_with() -> None:
    saved = parsed(written())
    chain = ET.SubElement(saved.find("devices/disk"), "backingStore", type="file")
    ET.SubElement(chain, "source", file="/old/lab/base.qcow2")
    assert "/old/lab" not in moved_xml(ET.tostring(saved, encoding="unicode"), THERE)


def test_a_renamed_machine_differs_only_in_name_and_uuid() -> None:
    renamed = renamed_xml(written(), "client", TOPOLOGY.uuid("client"))
    assert parsed(renamed).findtext("name") == "client"
    assert renamed_xml(renamed, "gateway", TOPOLOGY.uuid("gateway")) == written()


def test_a_machine_that_is_moved_to_another_machines_place_gets_its_addresses() -> None:
    other = replace(HERE, nics=tuple((mac[:-2] + "99", sockets) for mac, sockets in HERE.nics))
    moved = [value for _, value in qemu_arguments(moved_xml(written(), other)) if "mac=" in value]
    assert [mac in value for (mac, _), value in zip(other.nics, moved[:-1], strict=True)] == [
        True,
        True,
    ]


def test_a_machine_with_another_number_of_nics_is_not_moved() -> None:
    with pytest.raises(LabError, match="was saved with 2 NICs"):
        moved_xml(written(), replace(HERE, nics=HERE.nics[:1]))
