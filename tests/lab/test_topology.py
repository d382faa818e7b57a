"""Topologies: good files load, and every refusal names file, key, value and what was expected."""

import re
import tomllib
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import TopologyError
from lab.topology import TOPOLOGIES, Topology, check_memory, read_topology

GOOD = """
name = "small"
guide = "multi-node"
nameserver = "services"

[networks.lan]
ipv4 = "192.0.2.0/24"
ipv6 = "2001:db8::/64"

[[machines]]
name = "services"
fqdn = "ns.example.org"
roles = ["services"]
memory_mib = 300
nics = [{ network = "lan", ipv4 = "192.0.2.10", ipv6 = "2001:db8::10" }]

[[machines]]
name = "node-a"
fqdn = "node-a.example.org"
roles = ["node"]
nics = [{ network = "lan", ipv4 = "192.0.2.72", gateway4 = "192.0.2.254" }]
"""

MULTI_NODE = read_topology("multi_node")

names = st.from_regex(r"\A[a-z][a-z0-9-]{0,10}\Z")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "small.toml"


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new, 1)


@pytest.mark.parametrize("name", sorted(path.stem for path in TOPOLOGIES.glob("*.toml")))
def test_every_topology_of_the_project_loads_by_its_name(name: str) -> None:
    assert read_topology(name).name == name


def test_a_topology_file_loads_by_its_path(file: Path) -> None:
    file.write_text(GOOD)
    topology = read_topology(file)
    assert [machine.name for machine in topology.machines] == ["services", "node-a"]
    assert topology.machine("node-a").ipv4 == IPv4Address("192.0.2.72")
    assert topology.machine("node-a").ipv6 is None
    assert [machine.name for machine in topology.with_role("services")] == ["services"]


@pytest.mark.parametrize(
    ("content", "key", "value", "expected"),
    [
        pytest.param(
            changed("192.0.2.72", "192.0.2.10"),
            "machines.node-a.nics.0.ipv4",
            "192.0.2.10",
            "also machines.services.nics.0.ipv4, expected one of its own",
            id="an address used twice",
        ),
        pytest.param(
            changed('"192.0.2.72"', '"192.0.2.72", ipv6 = "2001:db8::10"'),
            "machines.node-a.nics.0.ipv6",
            "2001:db8::10",
            "also machines.services.nics.0.ipv6, expected one of its own",
            id="an IPv6 address used twice",
        ),
        pytest.param(
            changed("192.0.2.72", "192.0.3.72"),
            "machines.node-a.nics.0.ipv4",
            "192.0.3.72",
            "expected an address inside 192.0.2.0/24",
            id="an address outside its network",
        ),
        pytest.param(
            changed("2001:db8::10", "2001:db9::10"),
            "machines.services.nics.0.ipv6",
            "2001:db9::10",
            "expected an address inside 2001:db8::/64",
            id="an IPv6 address outside its network",
        ),
        pytest.param(
            changed("192.0.2.254", "192.0.9.1"),
            "machines.node-a.nics.0.gateway4",
            "192.0.9.1",
            "expected an address inside 192.0.2.0/24",
            id="a gateway outside its network",
        ),
        pytest.param(
            changed('roles = ["node"]', 'roles = ["toaster"]'),
            "machines.node-a.roles.0",
            "'toaster'",
            "'controller', 'node', 'services'",
            id="an unknown role",
        ),
        pytest.param(
            changed('roles = ["node"]', "roles = []"),
            "machines.node-a.roles",
            "[]",
            "at least 1 item",
            id="no role",
        ),
        pytest.param(
            changed(
                '{ network = "lan", ipv4 = "192.0.2.72"', '{ network = "wan", ipv4 = "1.1.1.1"'
            ),
            "machines.node-a.nics.0.network",
            "'wan'",
            "expected one of: lan",
            id="an unknown network",
        ),
        pytest.param(
            changed('nameserver = "services"', 'nameserver = "oracle"'),
            "nameserver",
            "'oracle'",
            "expected one of ['node-a', 'services']",
            id="an unknown nameserver",
        ),
        pytest.param(
            changed('name = "node-a"', 'name = "services"'),
            "machines.services",
            "2 times",
            "expected once",
            id="a machine's name used twice",
        ),
        pytest.param(
            changed("memory_mib = 300", "memory_mib = 300\ncolour = 'red'"),
            "machines.services.colour",
            "'red'",
            "not permitted",
            id="a key that does not exist",
        ),
        pytest.param(
            changed("memory_mib = 300", "memory_mib = 16"),
            "machines.services.memory_mib",
            "16",
            "greater than or equal to 256",
            id="too little memory to boot",
        ),
        pytest.param(
            changed("memory_mib = 300", "memory_mib = 'much'"),
            "machines.services.memory_mib",
            "'much'",
            "valid integer",
            id="memory that is no number",
        ),
        pytest.param(
            changed("192.0.2.0/24", "192.0.2.1/24"),
            "networks.lan.ipv4",
            "'192.0.2.1/24'",
            "valid IPv4 network",
            id="a network with host bits",
        ),
        pytest.param(
            changed('guide = "multi-node"', 'guide = "tourist"'),
            "guide",
            "'tourist'",
            "'multi-node' or 'failover'",
            id="an unknown guide",
        ),
        pytest.param(
            changed('name = "node-a"', 'name = "Node A"'),
            "machines.Node A.name",
            "'Node A'",
            "match pattern",
            id="a name that is no hostname",
        ),
        pytest.param(
            changed('fqdn = "ns.example.org"\n', ""),
            "machines.services.fqdn",
            "",
            "required",
            id="a key that is missing",
        ),
    ],
)
def test_a_refusal_names_file_key_value_and_what_was_expected(
    file: Path, content: str, key: str, value: str, expected: str
) -> None:
    file.write_text(content)
    with pytest.raises(TopologyError) as caught:
        read_topology(file)
    complaint = str(caught.value)
    assert complaint.startswith(f"{file}: {key}:")
    assert value in complaint
    assert expected in complaint


def test_every_contradiction_is_named_at_once(file: Path) -> None:
    file.write_text(
        changed("192.0.2.72", "192.0.3.72").replace('nameserver = "s', 'nameserver = "z')
    )
    with pytest.raises(TopologyError) as caught:
        read_topology(file)
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"{file}: ") for line in lines)


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe", b"[[machines]\n"])
def test_what_is_not_toml_is_refused_with_its_file(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(TopologyError, match=f"{re.escape(str(file))}: not TOML"):
        read_topology(file)


def test_an_empty_file_is_refused_with_all_it_lacks(file: Path) -> None:
    file.touch()
    with pytest.raises(TopologyError) as caught:
        read_topology(file)
    for key in ("name", "machines"):
        assert f"{file}: {key}: field required" in str(caught.value)


def test_a_topology_that_does_not_exist_is_answered_with_those_that_do() -> None:
    with pytest.raises(TopologyError, match=r"no topology 'atlantis'(?s:.*)failover, multi_node"):
        read_topology("atlantis")


def test_a_file_that_cannot_be_read_is_a_topology_error(file: Path) -> None:
    file.mkdir()
    with pytest.raises(TopologyError, match=re.escape(str(file))):
        read_topology(file)


def test_a_machine_that_does_not_exist_is_answered_with_those_that_do() -> None:
    with pytest.raises(TopologyError, match=r"(?s)no machine 'node-z'.*controller, node-a, node-b"):
        read_topology("multi_node").machine("node-z")


def test_memory_above_the_hosts_is_refused_before_anything_starts() -> None:
    topology = read_topology("multi_node")
    check_memory(topology, topology.memory_mib)
    with pytest.raises(TopologyError, match=r"need \d+ MiB.*1000 MiB free.*memory_mib = 512"):
        check_memory(topology, 1000)


def test_the_memory_of_a_lab_holds_what_qemu_needs_beside_the_guests() -> None:
    topology = read_topology("multi_node")
    assert topology.memory_mib > sum(machine.memory_mib for machine in topology.machines)


@given(names, st.integers(0, 9))
def test_a_mac_address_is_stable_unicast_and_locally_administered(machine: str, index: int) -> None:
    mac = MULTI_NODE.mac(machine, index)
    assert mac == MULTI_NODE.model_copy(deep=True).mac(machine, index)
    assert re.fullmatch(r"52:54:00(:[0-9a-f]{2}){3}", mac)
    assert int(mac[:2], 16) & 0b11 == 0b10


@pytest.mark.parametrize("name", ["multi_node", "failover"])
def test_no_two_nics_of_a_lab_share_a_mac_and_no_two_machines_a_uuid(name: str) -> None:
    topology = read_topology(name)
    macs = [
        topology.mac(machine.name, index)
        for machine in topology.machines
        for index in range(len(machine.nics))
    ]
    assert len(set(macs)) == len(macs)
    uuids = {topology.uuid(machine.name) for machine in topology.machines}
    assert len(uuids) == len(topology.machines)


@given(st.integers(0, 255), st.integers(0, 255))
def test_two_machines_load_exactly_if_their_addresses_differ(one: int, other: int) -> None:
    content = tomllib.loads(GOOD)
    content["machines"][0]["nics"][0]["ipv4"] = f"192.0.2.{one}"
    content["machines"][1]["nics"][0]["ipv4"] = f"192.0.2.{other}"
    if one == other:
        with pytest.raises(ValueError, match="expected one of its own"):
            Topology.model_validate(content)
    else:
        assert Topology.model_validate(content).machine("node-a").ipv4.packed[3] == other


def test_a_topology_survives_being_written_as_json() -> None:
    topology = read_topology("multi_node")
    assert Topology.model_validate_json(topology.model_dump_json()) == topology
