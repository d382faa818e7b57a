"""What is done to a published CentOS image; the boot itself needs a network."""

from __future__ import annotations

import json
from pathlib import Path

from lab.accelerator import tcg
from lab.image.prepare import DONE, command, plan, seed_files


def test_release_9_takes_epel_and_crb_and_does_without_ucarp_where_there_is_none():
    commands = plan(9)
    assert "dnf config-manager --set-enabled crb" in commands
    assert "dnf -y install ucarp || true" in commands
    assert any("iptables-nft-services" in each and "openvpn" in each for each in commands)


def test_release_7_installs_from_the_archives():
    commands = "\n".join(plan(7))
    assert "vault.centos.org" in commands
    assert "archive/epel" in commands
    assert "dnf" not in commands


def test_the_boot_says_on_the_console_when_it_is_done_and_powers_off():
    user_data = json.loads(seed_files(9)["user-data"].removeprefix(b"#cloud-config\n"))
    script = user_data["write_files"][0]["content"]
    assert script.startswith("#!/bin/sh\nset -ex\n")
    assert script.endswith(f"echo '{DONE}' > /dev/ttyS0\n")
    assert user_data["runcmd"][0].endswith("poweroff")


def test_the_guests_firewall_and_identity_do_not_stay():
    commands = "\n".join(plan(9))
    assert "systemctl mask firewalld" in commands
    assert "rm -f /etc/ssh/ssh_host_*" in commands


def test_the_command_boots_the_disk_with_an_open_nic():
    line = command(Path("/d"), Path("/s"), Path("/c"), tcg("a test"))
    assert "user,id=build" in line
    assert "-kernel" not in line


def test_a_package_set_is_a_plan_of_its_own(tmp_path: Path) -> None:
    assert any("php-fpm" in each for each in plan(9, ("genuine",)))
    assert not any("php-fpm" in each for each in plan(9))
