"""A site is looked at before anything starts; each thing that is wrong is one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import paramiko
import pytest

import lab.connection
import lab.site.machine
from lab.errors import DeadlinePassed, SiteError
from lab.keys import KeyPair
from lab.site import Site, SiteFile
from lab.site.access import Hop, SiteAccess
from tests.lab.ssh_server import SshServer
from tests.site.hosts import MACS, Host, site_of


def looked_at(file: SiteFile, directory: Path) -> Site:
    site = Site(file, directory)
    try:
        site.look()
    finally:
        site.close()
    return site


def complaint(file: SiteFile, directory: Path) -> str:
    with pytest.raises(SiteError) as refused:
        looked_at(file, directory)
    (line,) = refused.value.message.splitlines()
    return line


def test_nics_are_found_by_their_addresses(two: dict[str, Host], tmp_path: Path) -> None:
    site = looked_at(site_of(tmp_path, two), tmp_path)
    assert (site.mac("secondary", 0), site.interface("secondary", 0)) == (MACS["secondary"], "eth0")


def test_who_is_not_root_there_uses_sudo(two: dict[str, Host], tmp_path: Path) -> None:
    two["primary"].server.user = "admin"
    two["primary"].program("sudo", '#!/bin/sh\nshift; exec "$@"\n')
    site = looked_at(site_of(tmp_path, two, primary='user = "admin"\n'), tmp_path)
    assert site.reached["primary"].nics[0].interface == "eth0"


def test_a_user_who_cannot_become_root_is_one_line(two: dict[str, Host], tmp_path: Path) -> None:
    two["primary"].server.user = "admin"
    two["primary"].program("sudo", "#!/bin/sh\necho sudo: a password is required >&2; exit 1\n")
    told = complaint(site_of(tmp_path, two, primary='user = "admin"\n'), tmp_path)
    assert told == "primary: admin cannot become root by sudo: sudo: a password is required"


def test_a_machine_that_does_not_tell_of_our_ssh_is_one_line(
    two: dict[str, Host], tmp_path: Path
) -> None:
    """It would be captured, and each packet of it bring another."""
    two["primary"].server.environment["SSH_CONNECTION"] = "UNKNOWN"
    told = complaint(site_of(tmp_path, two), tmp_path)
    assert told.startswith("primary: SSH_CONNECTION does not say where our SSH comes from")


def test_a_changed_host_key_is_one_line(two: dict[str, Host], tmp_path: Path) -> None:
    two["primary"].server.host_key = KeyPair.generate()  # what known_hosts will have
    assert "its host key is another" in complaint(site_of(tmp_path, two), tmp_path)


def test_a_machine_that_lets_nobody_in_is_one_line(two: dict[str, Host], tmp_path: Path) -> None:
    two["secondary"].server.user = "nobody"
    assert "it does not let root in with" in complaint(site_of(tmp_path, two), tmp_path)


def test_a_machine_that_is_not_there_is_one_line(two: dict[str, Host], tmp_path: Path) -> None:
    file = site_of(tmp_path, two)
    nobody = replace(file.access["secondary"], hops=(Hop("127.0.0.1", 1, "root", None),))
    told = complaint(replace(file, access={**file.access, "secondary": nobody}), tmp_path)
    assert told.startswith("secondary (root@127.0.0.1:1): cannot be reached: ")


def test_a_machine_that_lets_in_twice_and_no_more_is_one_line(
    two: dict[str, Host], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, port = SiteAccess.connect, two["primary"].server.access.port
    asked: list[float] = []

    def twice(access: SiteAccess, patience: float) -> paramiko.SSHClient:
        if access.hops[-1].port == port:
            asked.append(patience)
            if len(asked) > 2:
                raise paramiko.SSHException("Error reading SSH protocol banner")
        return connect(access, patience)

    monkeypatch.setattr(SiteAccess, "connect", twice)
    told = complaint(site_of(tmp_path, two), tmp_path)
    assert told.startswith("primary: the SSH connection broke during `echo $SSH_CONNECTION`")
    assert "Error reading SSH protocol banner" in told


def test_a_machine_that_falls_silent_is_not_waited_for_without_end(
    two: dict[str, Host], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab.site.machine, "_ANSWERS_S", 0.1)
    monkeypatch.setattr(lab.connection, "_GRACE", 0.1)
    site = Site(site_of(tmp_path, two), tmp_path)
    two["primary"].server.listening.clear()
    with pytest.raises(DeadlinePassed, match="primary"):
        site.machines["primary"].own_session()


def test_a_command_that_fails_there_is_one_line(two: dict[str, Host], tmp_path: Path) -> None:
    two["primary"].program("ip", "#!/bin/sh\necho no such object >&2; exit 3\n")
    told = complaint(site_of(tmp_path, two), tmp_path)
    assert told == "primary: `ip -j addr` ended with status 3 no such object"


@pytest.mark.parametrize("program", ["tcpdump", "ping"])
def test_a_machine_that_lacks_a_program_is_one_line(
    program: str, two: dict[str, Host], tmp_path: Path
) -> None:
    host = two["primary"]
    (host.folder / program).unlink()
    (host.folder / "sh").symlink_to("/bin/sh")
    host.server.environment["PATH"] = str(host.folder)
    assert complaint(site_of(tmp_path, two), tmp_path) == f"primary: there is no {program}"


def test_a_machine_that_lacks_its_address_is_one_line(two: dict[str, Host], tmp_path: Path) -> None:
    two["primary"].program("ip", "#!/bin/sh\necho '[]'\n")
    told = complaint(site_of(tmp_path, two), tmp_path)
    assert told == "primary: no interface has 192.168.70.1, which the topology gives its NIC 0"


def test_all_that_is_wrong_is_told_at_once(two: dict[str, Host], tmp_path: Path) -> None:
    for host in two.values():
        host.program("ip", "#!/bin/sh\necho '[]'\n")
    with pytest.raises(SiteError) as refused:
        looked_at(site_of(tmp_path, two), tmp_path)
    assert len(refused.value.message.splitlines()) == 2


def test_a_jump_host_is_gone_through(two: dict[str, Host], tmp_path: Path) -> None:
    (tmp_path / "jump").mkdir()
    jump = SshServer(tmp_path / "jump")
    try:
        port = jump.access.port
        file = site_of(
            tmp_path,
            two,
            primary='jump = "bastion"\n',
            known=f"[127.0.0.1]:{port} {jump.host_key.public}\n",
            head=(
                f'[jumps.bastion]\naddress = "127.0.0.1"\nport = {port}\n'
                f'key = "{jump.access.key}"\n'
            ),
        )
        site = looked_at(file, tmp_path)
        assert set(jump.led_to) == {("127.0.0.1", two["primary"].server.access.port)}
        assert site.reached["primary"].nics[0].mac == MACS["primary"]
    finally:
        jump.close()
