"""Topologies: good files load, and every refusal names file, key, value and what was expected."""

import os
import re
import tomllib
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lab import complaints, contradictions
from lab.domain import MANAGEMENT_ADDRESS, MANAGEMENT_MAC
from lab.errors import TopologyError
from lab.topology import (
    LARGEST_FILE,
    LONGEST_LINE,
    TOPOLOGIES,
    Topology,
    check_memory,
    read_topology,
)

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
        *(
            pytest.param(
                changed('name = "node-a"', f'name = "{name}"'),
                f"machines.{name}",
                "the name is what evidence calls",
                "expected another",
                id=f"a machine that is called {name}",
            )
            for name in ("host", "probe", "scenario", "wire")
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
        pytest.param(
            changed('{ network = "lan", ipv4 = "192.0.2.72", gateway4 = "192.0.2.254" }', ""),
            "machines.node-a.nics",
            "[]",
            "at least 1 item",
            id="no NICs",
        ),
        pytest.param(
            changed('name = "node-a"', 'name = "node\\na"'),
            "machines.'node\\na'.name",
            "'node\\na'",
            "match pattern",
            id="a newline in a machine's name",
        ),
        pytest.param(
            changed('name = "node-a"', 'name = "node\\u001b[31ma"'),
            "machines.'node\\x1b[31ma'.name",
            "'node\\x1b[31ma'",
            "match pattern",
            id="a control character in a machine's name",
        ),
        pytest.param(
            changed('name = "node-a"', 'name = "node-a\\n"'),
            "machines.'node-a\\n'.name",
            "'node-a\\n'",
            "match pattern",
            id="a newline at the end of a machine's name",
        ),
        pytest.param(
            changed('name = "node-a"', 'name = "../../x"'),
            "machines.../../x.name",
            "'../../x'",
            "match pattern",
            id="a path for a machine's name",
        ),
        pytest.param(
            changed('name = "node-a"', 'name = "-a"'),
            "machines.-a.name",
            "'-a'",
            "match pattern",
            id="an option for a machine's name",
        ),
        pytest.param(
            changed('name = "node-a"', 'name = "a-"'),
            "machines.a-.name",
            "'a-'",
            "match pattern",
            id="a machine's name that ends with a hyphen",
        ),
        pytest.param(
            changed('name = "node-a"', f'name = "a{"b" * 32}"'),
            f"machines.a{'b' * 32}.name",
            f"'a{'b' * 32}'",
            "match pattern",
            id="a machine's name of 33 characters",
        ),
        pytest.param(
            changed('name = "node-a"', "name = 5"),
            "machines.1.name",
            "5",
            "valid string",
            id="a machine's name that is a number",
        ),
        pytest.param(
            changed("networks.lan", 'networks."lan\\n"'),
            "networks.'lan\\n'.[key]",
            "'lan\\n'",
            "match pattern",
            id="a newline in a network's name",
        ),
        pytest.param(
            changed("networks.lan", f"networks.a{'b' * 32}"),
            f"networks.a{'b' * 32}.[key]",
            f"'a{'b' * 32}'",
            "match pattern",
            id="a network's name of 33 characters",
        ),
        pytest.param(
            changed('name = "small"', 'name = "small/../x"'),
            "name",
            "'small/../x'",
            "match pattern",
            id="a path for the lab's name",
        ),
        pytest.param(
            changed('name = "small"', 'name = "small\\n"'),
            "name",
            "'small\\n'",
            "match pattern",
            id="a newline in the lab's name",
        ),
        pytest.param(
            changed('"ns.example.org"', '"node-a.example.org"'),
            "machines.node-a.example.org",
            "2 times",
            "expected once",
            id="a host name used twice",
        ),
        pytest.param(
            changed("ns.example.org", "-oProxyCommand.example.org"),
            "machines.services.fqdn",
            "'-oProxyCommand.example.org'",
            "match pattern",
            id="an option for a host name",
        ),
        pytest.param(
            changed("ns.example.org", f"{'n' * 64}.example.org"),
            "machines.services.fqdn",
            f"'{'n' * 64}",
            "match pattern",
            id="a label of 64 characters",
        ),
        pytest.param(
            changed("ns.example.org", ".".join(["n" * 60] * 5)),
            "machines.services.fqdn",
            "'nnn",
            "at most 253 characters",
            id="a host name of 304 characters",
        ),
        pytest.param(
            changed("ns.example.org", "ns.example.org\\n127.0.0.1 evil"),
            "machines.services.fqdn",
            "'ns.example.org\\n127.0.0.1 evil'",
            "match pattern",
            id="a newline in a host name",
        ),
        pytest.param(
            changed("ns.example.org", "ns"),
            "machines.services.fqdn",
            "'ns'",
            "match pattern",
            id="a host name without a domain",
        ),
        pytest.param(
            changed("192.0.2.72", "192.0.2.0"),
            "machines.node-a.nics.0.ipv4",
            "192.0.2.0",
            "expected a machine's address, not the network's own",
            id="the network's address as a NIC's",
        ),
        pytest.param(
            changed("192.0.2.72", "192.0.2.255"),
            "machines.node-a.nics.0.ipv4",
            "192.0.2.255",
            "expected a machine's address, not the broadcast address",
            id="the broadcast address as a NIC's",
        ),
        pytest.param(
            changed("2001:db8::10", "2001:db8::"),
            "machines.services.nics.0.ipv6",
            "2001:db8::",
            "expected a machine's address, not the network's own",
            id="the IPv6 network's address as a NIC's",
        ),
        pytest.param(
            changed("2001:db8::10", "2001:db8::10%lan\\nnameserver 192.0.2.9"),
            "machines.services.nics.0.ipv6",
            "'2001:db8::10%lan\\nnameserver 192.0.2.9'",
            "an address in quotes, without a zone, is expected",
            id="an IPv6 address with a zone",
        ),
        pytest.param(
            changed("192.0.2.254", "192.0.2.255"),
            "machines.node-a.nics.0.gateway4",
            "192.0.2.255",
            "not the broadcast address",
            id="the broadcast address as a gateway",
        ),
        pytest.param(
            changed("192.0.2.254", "192.0.2.72"),
            "machines.node-a.nics.0.gateway4",
            "192.0.2.72",
            "expected another machine's",
            id="a machine as its own gateway",
        ),
        pytest.param(
            changed('gateway4 = "192.0.2.254"', 'gateway6 = "2001:db9::1", ipv6 = "2001:db8::72"'),
            "machines.node-a.nics.0.gateway6",
            "2001:db9::1",
            "expected an address inside 2001:db8::/64",
            id="an IPv6 gateway outside its network",
        ),
        pytest.param(
            changed('gateway4 = "192.0.2.254"', 'gateway6 = "2001:db8::1"'),
            "machines.node-a.nics.0.gateway6",
            "2001:db8::1",
            "expected an ipv6 beside it",
            id="an IPv6 gateway without an address",
        ),
        pytest.param(
            changed('ipv6 = "2001:db8::/64"', ""),
            "machines.services.nics.0.ipv6",
            "2001:db8::10",
            "expected none: lan has no such network",
            id="an IPv6 address in a network without IPv6",
        ),
        pytest.param(
            changed("[[machines]]", '[networks.wan]\nipv4 = "192.0.2.128/25"\n[[machines]]'),
            "networks.wan.ipv4",
            "192.0.2.128/25 overlaps networks.lan.ipv4 (192.0.2.0/24)",
            "expected none in another",
            id="networks that overlap",
        ),
        pytest.param(
            changed(
                "[[machines]]",
                '[networks.wan]\nipv4 = "198.51.100.0/24"\nipv6 = "2001:db8::/48"\n[[machines]]',
            ),
            "networks.wan.ipv6",
            "2001:db8::/48 overlaps networks.lan.ipv6 (2001:db8::/64)",
            "expected none in another",
            id="IPv6 networks that overlap",
        ),
        *(
            pytest.param(
                changed("[[machines]]", f'[networks.wan]\nipv4 = "{prefix}"\n[[machines]]'),
                "networks.wan.ipv4",
                prefix,
                expected,
                id=f"{prefix} as a network",
            )
            for prefix, expected in (
                ("10.0.2.0/24", "expected one beside 10.0.2.0/24"),
                ("10.0.0.0/8", "expected one beside 10.0.2.0/24"),
                ("203.0.113.7/32", "room for two machines"),
                ("203.0.113.6/31", "room for two machines"),
                ("127.0.0.0/8", "that machines may have addresses in"),
                ("224.0.0.0/24", "that machines may have addresses in"),
                ("240.0.0.0/24", "that machines may have addresses in"),
                ("169.254.0.0/16", "that machines may have addresses in"),
                ("0.0.0.0/24", "that machines may have addresses in"),
            )
        ),
        *(
            pytest.param(
                changed("2001:db8::/64", prefix).replace(', ipv6 = "2001:db8::10"', ""),
                "networks.lan.ipv6",
                prefix,
                expected,
                id=f"{prefix} as a network",
            )
            for prefix, expected in (
                ("2001:db8::/128", "room for two machines"),
                ("2001:db8::/127", "room for two machines"),
                ("fe80::/64", "that machines may have addresses in"),
                ("ff02::/64", "that machines may have addresses in"),
                ("::/0", "that machines may have addresses in"),
                ("::ffff:0:0/96", "that machines may have addresses in"),
            )
        ),
        *(
            pytest.param(
                changed("memory_mib = 300", f"memory_mib = 300\nvcpus = {number}"),
                "machines.services.vcpus",
                shown,
                expected,
                id=f"{number} processors",
            )
            for number, shown, expected in (
                ("1_000_000", "1000000", "less than or equal to 32"),
                ("0", "0", "greater than or equal to 1"),
                ("-1", "-1", "greater than or equal to 1"),
                ("true", "True", "valid integer"),
                ("1.0", "1.0", "valid integer"),
                ("nan", "nan", "valid integer"),
                ("inf", "inf", "valid integer"),
                ("'2'", "'2'", "valid integer"),
                ("9" * 300, "9" * 80, "less than or equal to 32"),
            )
        ),
        *(
            pytest.param(
                changed("memory_mib = 300", f"memory_mib = {number}"),
                "machines.services.memory_mib",
                str(number),
                expected,
                id=f"{number} MiB",
            )
            for number, expected in (
                (0, "greater than or equal to 256"),
                (-300, "greater than or equal to 256"),
                (10**9, "less than or equal to 1048576"),
            )
        ),
        pytest.param(
            changed("memory_mib = 300", "image = '../../etc/shadow'"),
            "machines.services.image",
            "'../../etc/shadow'",
            "match pattern",
            id="a path for an image's name",
        ),
        pytest.param("networks = []\n", "networks", "[]", "valid dictionary", id="no table"),
        pytest.param("machines = 5\n", "machines", "5", "valid tuple", id="no machines"),
        pytest.param(
            f"machines = [{'[' * 50}{']' * 50}]\n",
            "machines.0",
            "[[[",
            "valid dictionary",
            id="arrays in arrays",
        ),
        pytest.param(
            "\n".join(f"machines.{'x.' * 400}y{n} = 1" for n in range(20)),
            "machines",
            "",
            "valid tuple",
            id="tables in tables",
        ),
    ],
)
def test_a_refusal_names_file_key_value_and_what_was_expected(
    file: Path, content: str, key: str, value: str, expected: str
) -> None:
    file.write_text(content)
    with pytest.raises(TopologyError) as caught:
        read_topology(file)
    lines = [line for line in str(caught.value).splitlines() if line.startswith(f"{file}: {key}:")]
    assert len(lines) == 1
    assert value in lines[0]
    assert expected in lines[0]
    assert lines[0].isprintable()
    assert len(lines[0]) < 500


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


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("#" * (LARGEST_FILE + 1), f"more than {LARGEST_FILE} bytes"),
        (f"# {'x' * LONGEST_LINE}", f"line 1 has more than {LONGEST_LINE} bytes"),
        (f"a = 1\n{'a.' * 30_000}a = 1", f"line 2 has more than {LONGEST_LINE} bytes"),
        ("a = [\n" + "[\n" * 20_000, "not TOML"),
        ('a = "\\ud800"', "not TOML"),
        ("a = 1\na = 2", "not TOML"),
        ("a = 1979-99-99", "not TOML"),
        ("a = \x00", "not TOML"),
    ],
    ids=["large", "a long line", "a long key", "deep", "surrogate", "twice", "no date", "NUL"],
)
def test_a_file_that_would_take_too_long_or_is_no_toml_is_refused_in_a_line(
    file: Path, content: str, said: str
) -> None:
    file.write_text(content)
    with pytest.raises(TopologyError) as caught:
        read_topology(file)
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(file))
    assert str(caught.value).isprintable()


def test_a_pipe_in_place_of_a_file_is_refused_and_not_waited_for(file: Path) -> None:
    os.mkfifo(file)
    with pytest.raises(TopologyError, match="it is not a file"):
        read_topology(file)


def test_a_path_with_a_newline_is_said_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "a\n\x1b[31m.toml"
    file.write_text("name = 5")
    with pytest.raises(TopologyError) as caught:
        read_topology(file)
    assert all(line.isprintable() and "toml" in line for line in str(caught.value).splitlines())


def test_of_very_many_complaints_the_first_are_said(file: Path) -> None:
    file.write_text(GOOD + "".join(f"k{number} = 1\n" for number in range(3000)))
    with pytest.raises(TopologyError) as caught:
        read_topology(file)
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == f"{file}: and 2980 more"


def test_names_whose_mac_addresses_are_the_same_are_refused() -> None:
    seen: dict[str, str] = {}
    small = Topology.model_validate(tomllib.loads(GOOD))
    for number in range(2**24):
        name = f"m{number}"
        if (other := seen.setdefault(small.mac(name, 0), name)) != name:
            break
    renamed = changed('name = "services"', f'name = "{name}"').replace('"services"', f'"{name}"')
    content = tomllib.loads(renamed.replace("node-a", other).replace(f'["{name}"]', '["node"]'))
    with pytest.raises(ValueError, match=r"MAC address 52:54:00.* is also that of machines"):
        Topology.model_validate(content)


def test_the_management_network_is_the_one_that_no_lab_may_have() -> None:
    assert IPv4Address(MANAGEMENT_ADDRESS) in contradictions.MANAGEMENT_NETWORK
    assert contradictions.MANAGEMENT_MAC == MANAGEMENT_MAC


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=40)
    | st.sampled_from(["192.0.2.9/0", "::", "fe80::1%a\nb", "../x", "-oX", "<a/>", "a,b=c"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)


def places(content: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield at
    inner = content.items() if isinstance(content, dict) else ()
    inner = enumerate(content) if isinstance(content, list) else inner
    for key, value in inner:
        yield from places(value, (*at, key))


PLACES = [place for place in places(tomllib.loads(GOOD)) if place]
SAFE = re.compile(r"[A-Za-z0-9._:/%-]*")


@given(st.sampled_from(PLACES), anything)
def test_whatever_stands_anywhere_is_refused_or_safe_to_use(
    place: tuple[str | int, ...], value: object
) -> None:
    content: Any = tomllib.loads(GOOD)
    *above, last = place
    here = content
    for key in above:
        here = here[key]
    here[last] = value
    try:
        topology = Topology.model_validate(content)
    except ValidationError as error:
        lines = complaints.complaints(content, error)
        assert lines
        assert all(line.isprintable() and len(line) < 500 for line in lines)
        return
    for text in texts(topology.model_dump(mode="json")):
        assert SAFE.fullmatch(text)
        assert not text.startswith(("-", "/", "."))


def texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    inner = value if isinstance(value, list) else ()
    if isinstance(value, dict):
        inner = (*value, *value.values())
    for one in inner:
        yield from texts(one)


def test_an_empty_file_is_refused_with_all_it_lacks(file: Path) -> None:
    file.touch()
    with pytest.raises(TopologyError) as caught:
        read_topology(file)
    for key in ("name", "machines"):
        assert f"{file}: {key}: field required" in str(caught.value)


def test_a_topology_that_does_not_exist_is_answered_with_those_that_do() -> None:
    with pytest.raises(TopologyError, match=r"no topology 'atlantis'(?s:.*)failover, harness"):
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


def test_guests_of_el_get_at_least_1024_mib_and_what_a_file_says_beyond() -> None:
    topology = read_topology("multi_node")
    first, *others = topology.machines
    large = topology.model_copy(
        update={"machines": (first.model_copy(update={"memory_mib": 2048}), *others)}
    )
    fitted = large.fit_for("el")
    assert [one.memory_mib for one in fitted.machines] == [2048] + [1024] * len(others)
    assert fitted.memory_mib == large.memory_mib + 512 * len(others)
    assert fitted.fit_for("el") == fitted
    with pytest.raises(TopologyError, match=r"(?s)memory_mib = 1024.*a guest of EL gets 1024"):
        check_memory(topology.fit_for("el"), 1000)


def test_guests_of_debian_get_what_the_file_says() -> None:
    topology = read_topology("multi_node")
    assert topology.fit_for("debian") is topology


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


@given(st.integers(1, 253), st.integers(1, 253))
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
