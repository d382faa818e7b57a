"""A thawed guest becomes the machine of its seed, by a script."""

from __future__ import annotations

import re
import subprocess

from lab.checkpoint.identity import becoming
from lab.image.seed import HostKey, Interface, Seed

SEED = Seed(
    hostname="node-a",
    fqdn="node-a.example.org",
    authorized_key="ssh-ed25519 CLIENT\n",
    host_key=HostKey("-----BEGIN KEY-----\nit's secret\n", "ssh-ed25519 HOST\n"),
    interfaces=(
        Interface(
            "wire0",
            "52:54:00:0a:0b:0c",
            ("192.0.2.7/24", "2001:db8::7/64"),
            ("192.0.2.1",),
            ("192.0.2.10",),
        ),
        Interface("mgmt0", "52:54:00:00:00:01", ("10.0.2.15/24",)),
    ),
)


def written(script: str) -> dict[str, str]:
    """Return what the script writes, by path: its own shell says so."""
    lines = re.findall(r"^(printf %s .*?) > (\S+)\nchmod", script, re.MULTILINE | re.DOTALL)
    return {
        path: subprocess.run(["sh", "-c", command], capture_output=True, check=True).stdout.decode()
        for command, path in lines
    }


def test_the_script_is_one_that_a_shell_takes() -> None:
    subprocess.run(["sh", "-n"], input=becoming(SEED).encode(), check=True)


def test_every_guest_gets_a_machine_id_and_addresses_of_its_own() -> None:
    script = becoming(SEED)
    assert script.startswith("set -e\n")
    assert "< /proc/sys/kernel/random/uuid > /etc/machine-id\n" in script
    assert "systemd-machine-id-setup" not in script  # it takes what all thawed guests share
    assert "ip link set wire0 address 52:54:00:0a:0b:0c up" in script
    assert "ip link set mgmt0" not in script


def test_a_guest_gets_its_seed_written_into_place() -> None:
    files = written(becoming(SEED))
    assert files["/etc/hostname"] == "node-a\n"
    assert files["/etc/ssh/ssh_host_ed25519_key"] == "-----BEGIN KEY-----\nit's secret\n"
    assert files["/etc/ssh/ssh_host_ed25519_key.pub"] == "ssh-ed25519 HOST\n"
    assert files["/root/.ssh/authorized_keys"] == "ssh-ed25519 CLIENT\n"
    assert "192.0.2.7 node-a.example.org node-a\n" in files["/etc/hosts"]
    assert files["/etc/resolv.conf"] == "nameserver 192.0.2.10\n"


def test_a_guests_networks_are_named_by_their_mac() -> None:
    files = written(becoming(SEED))
    link = files["/etc/systemd/network/10-wire0.link"]
    assert "MACAddress=52:54:00:0a:0b:0c" in link
    assert "Name=wire0" in link
    network = files["/etc/systemd/network/10-wire0.network"].splitlines()
    for line in (
        "Address=192.0.2.7/24",
        "Address=2001:db8::7/64",
        "Gateway=192.0.2.1",
        "DNS=192.0.2.10",
        "DHCP=no",
    ):
        assert line in network
    assert "Gateway" not in files["/etc/systemd/network/10-mgmt0.network"]


def test_secrets_are_readable_by_root_alone() -> None:
    script = becoming(SEED)
    assert "chmod 600 /etc/ssh/ssh_host_ed25519_key\n" in script
    assert "chmod 600 /root/.ssh/authorized_keys\n" in script
