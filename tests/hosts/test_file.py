"""What is wrong with a hosts file is said in one line each, before anything is reached."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from lab.errors import HostsError
from lab.hosts.file import LONGEST_DIRECTORY, names_hosts, read_hosts
from lab.keys import KeyPair

HEAD = 'known_hosts = "known"\nuser = "lab"\nkey = "key"\ndirectory = "/srv/vpnproof"\n'
ONE = '[hosts.one]\naddress = "192.0.2.1"\n'
TWO = '[hosts.two]\naddress = "192.0.2.2"\nport = 2222\nlabs = 3\n'


def written(tmp_path: Path, *tables: str, head: str = HEAD) -> Path:
    public = KeyPair.generate().public
    known = ("192.0.2.1", "[192.0.2.2]:2222", "[192.0.2.1]:2222")
    (tmp_path / "known").write_text("".join(f"{one} {public}\n" for one in known))
    (tmp_path / "key").touch()
    path = tmp_path / "hosts.toml"
    path.write_text("\n".join([head, *(tables or (ONE, TWO))]))
    return path


def complaint(path: Path) -> str:
    with pytest.raises(HostsError) as refused:
        read_hosts(path)
    return refused.value.message


def test_a_file_names_hosts_in_its_order(tmp_path: Path) -> None:
    one, two = read_hosts(written(tmp_path)).hosts
    assert (str(one), one.labs) == ("one (lab@192.0.2.1:22)", None)
    assert (str(two), two.labs) == ("two (lab@192.0.2.2:2222)", 3)
    assert two.there.key == tmp_path / "key"
    assert one.labs_directory == PurePosixPath("/srv/vpnproof/labs")


def test_what_a_host_says_itself_goes_before_what_is_said_for_all(tmp_path: Path) -> None:
    own = 'user = "root"\ndirectory = "/opt/own"\nlabs = 1\n'
    (one,) = read_hosts(written(tmp_path, ONE + own)).hosts
    assert (one.there.user, str(one.directory), one.labs) == ("root", "/opt/own", 1)


def test_a_file_of_hosts_is_told_from_one_of_a_site(tmp_path: Path) -> None:
    assert names_hosts(written(tmp_path))
    (tmp_path / "site.toml").write_text('topology = "failover"\n[machines.a]\naddress = "a"\n')
    assert not names_hosts(tmp_path / "site.toml")
    assert not names_hosts(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("table", "line"),
    [
        (ONE + "port = 70000\n", "hosts.one.port: 70000: "),
        (ONE + "labs = 0\n", "hosts.one.labs: 0: "),
        (ONE + 'labs = "2"\n', "hosts.one.labs: '2': "),
        (ONE + 'colour = "red"\n', "hosts.one.colour: 'red': extra inputs"),
        (ONE + 'directory = "here"\n', "hosts.one.directory: 'here': "),
        (ONE + 'directory = "/with space"\n', "hosts.one.directory: '/with space': "),
        (ONE + 'key = "none"\n', "hosts.one.key: "),
        (ONE + 'known_hosts = "none"\n', "known_hosts: "),
        ('[hosts.one]\naddress = "-oProxyCommand=x"\n', "hosts.one.address: "),
        ('[hosts.one]\naddress = "192.0.2.9"\n', "hosts.one.address: 192.0.2.9 is not in "),
        ("[hosts.one]\n", "hosts.one.address: field required"),
        ('[hosts.One]\naddress = "192.0.2.1"\n', "hosts.One"),
        ("hosts = {}\n", "hosts: {}: "),
    ],
)
def test_what_is_wrong_is_said_by_file_and_key(tmp_path: Path, table: str, line: str) -> None:
    path = written(tmp_path, table)
    assert complaint(path).startswith(f"{path}: {line}")


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    said = complaint(written(tmp_path, ONE + 'key = "none"\n', ONE.replace("one", "again")))
    assert ["key" in said, "is one once more" in said, len(said.splitlines())] == [True, True, 2]


def test_one_host_may_not_be_named_twice(tmp_path: Path) -> None:
    said = complaint(written(tmp_path, ONE, '[hosts.same]\naddress = "192.0.2.1"\nuser = "root"\n'))
    assert "hosts.same: is one once more: both are 192.0.2.1 with the directory /srv/" in said


def test_two_directories_on_one_address_are_two_hosts(tmp_path: Path) -> None:
    other = '[hosts.other]\naddress = "192.0.2.1"\ndirectory = "/srv/other"\n'
    assert len(read_hosts(written(tmp_path, ONE, other)).hosts) == 2


def test_a_directory_that_leaves_no_room_for_sockets_is_refused(tmp_path: Path) -> None:
    fits = "/" + "d" * (LONGEST_DIRECTORY - 1)
    read_hosts(written(tmp_path, f'{ONE}directory = "{fits}"\n'))
    said = complaint(written(tmp_path, f'{ONE}directory = "{fits}d"\n'))
    assert f"hosts.one.directory: {fits}d has {LONGEST_DIRECTORY + 1} octets" in said


def test_the_sockets_of_the_longest_topology_fit_below_the_longest_directory() -> None:
    deepest = "/labs/multi_node_3-abcd/cfg/libvirt/qemu/lib/domain-10-controller/monitor.sock"
    assert LONGEST_DIRECTORY + len(deepest) <= 107


def test_no_file_and_no_toml_are_said_in_one_line(tmp_path: Path) -> None:
    assert complaint(tmp_path / "none.toml").startswith("no hosts file ")
    (tmp_path / "bad.toml").write_text("[hosts")
    assert "not TOML" in complaint(tmp_path / "bad.toml")
