"""What is done to a published CentOS image; the boot itself needs a network."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.accelerator import tcg
from lab.errors import ImageError
from lab.image import Image
from lab.image.prepare import CONSOLE, DONE, SAID, SCRIPT, command, plan, prepared, seed_files


def user_data(release: int) -> Any:
    return json.loads(seed_files(release)["user-data"].removeprefix(b"#cloud-config\n"))


def test_release_9_takes_epel_and_crb_and_does_not_do_without_ucarp():
    commands = plan(9)
    assert "dnf config-manager --set-enabled crb" in commands
    (installed,) = (each for each in commands if "iptables-nft-services" in each)
    assert {"ucarp", "openvpn", "keepalived"} <= set(installed.split())
    assert "||" not in installed


def test_a_guest_that_crashes_boots_no_other_kernel():
    assert any("--remove-args=crashkernel" in each for each in plan(9))


def test_release_7_installs_from_the_archives():
    commands = "\n".join(plan(7))
    assert "vault.centos.org" in commands
    assert "archive/epel" in commands
    assert "dnf" not in commands


def test_the_boot_says_on_the_console_when_it_is_done_and_powers_off():
    told = user_data(9)
    script = told["write_files"][0]["content"]
    assert script.startswith("#!/bin/sh\nset -ex\n")
    assert script.endswith(f"echo '{DONE}' > /dev/ttyS0\n")
    assert told["runcmd"][0].endswith("; sync; poweroff -f")


def test_a_console_that_getty_hangs_up_costs_no_more_than_what_was_said_then(tmp_path: Path):
    """It is opened for each line: what is open at a hang-up can only fail from then on."""
    console, script = tmp_path / "console", tmp_path / "prepare"
    gone = tmp_path / "gone"
    script.write_text(
        f"#!/bin/sh\nset -e\necho before\nuntil grep -qs before {console}; do :; done\n"
        f"mv {console} {gone}\necho after >&2\n"
    )
    script.chmod(0o755)
    typed = user_data(9)["runcmd"][0].replace(CONSOLE, str(console)).replace(SCRIPT, str(script))
    subprocess.run(["sh", "-c", typed.replace("sync; poweroff -f", ":")], check=True, timeout=30)
    assert (gone.read_text(), console.read_text()) == (
        f"{SAID}before\n",
        f"{SAID}after\n",
    )
    assert not script.exists()


def script(release: int) -> list[str]:
    (file,) = user_data(release)["write_files"]
    return file["content"].splitlines()


@pytest.fixture
def proxies(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set this user's proxies, and no others."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)

    def set_them(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return set_them


@pytest.mark.parametrize("release", [7, 9])
def test_a_proxy_of_this_host_is_the_preparing_guests_too(
    release: int, proxies: Callable[..., None]
):
    """And is shown by nothing: it may hold a password. The image stays the one that it was."""
    before = plan(release)
    proxies(http_proxy="http://me:s3cret@proxy.example.org:3128", no_proxy="example.org")
    assert script(release)[1:4] == [
        "export http_proxy=http://me:s3cret@proxy.example.org:3128",
        "export no_proxy=example.org",
        "set -ex",
    ]
    assert plan(release) == before


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ("http://127.0.0.1:3128", "http://10.0.2.2:3128"),
        ("http://localhost:8080/", "http://10.0.2.2:8080/"),
        ("http://me:a@[::1]:3128", "http://me:a@10.0.2.2:3128"),
        ("127.0.0.1:3128", "10.0.2.2:3128"),
        ("http://127.example.org:3128", "http://127.example.org:3128"),
    ],
)
def test_a_proxy_on_this_hosts_loopback_is_found_from_a_guest(
    own: str, told: str, proxies: Callable[..., None]
):
    proxies(https_proxy=own)
    assert script(9)[1] == f"export https_proxy={told}"


def test_what_goes_by_no_proxy_is_told_as_it_is(proxies: Callable[..., None]):
    proxies(no_proxy="localhost")
    assert script(9)[1] == "export no_proxy=localhost"


def test_without_a_proxy_none_is_told(proxies: Callable[..., None]):
    proxies()
    assert script(9)[1] == "set -ex"


@pytest.mark.parametrize("release", [7, 9])
def test_the_preparing_boots_nic_has_a_name_that_a_profile_of_centos_can_be_of(release: int):
    """cloud-init of CentOS 7 takes the entry's own name, which is no NIC's, unless one is set."""
    (nic,) = json.loads(seed_files(release)["network-config"])["ethernets"].values()
    assert nic["set-name"] == "eth0"


def test_apache_finds_the_certificate_that_its_ssl_conf_names_before_it_was_ever_started():
    commands = plan(9)
    made = commands.index("/usr/libexec/httpd-ssl-gencerts")
    assert any("mod_ssl" in each for each in commands[:made])
    assert "/usr/libexec/httpd-ssl-gencerts" not in plan(7)  # there mod_ssl makes it itself


def test_a_guest_without_a_way_to_its_archives_is_updated_with_nothing():
    """Set last: while the packages come, an archive that cannot be reached is an error."""
    commands = plan(9, ("genuine",))
    set_at = commands.index("dnf config-manager --save --setopt=skip_if_unavailable=True")
    assert not any(" install " in each for each in commands[set_at:])


def test_a_link_that_is_lost_takes_no_addresses_along(tmp_path: Path):
    (told,) = (each for each in plan(9) if "NetworkManager" in each)
    there = tmp_path / "00-server.conf"
    told = told.replace("/etc/NetworkManager/conf.d/00-server.conf", str(there))
    subprocess.run(["sh", "-c", told], check=True)
    assert there.read_text() == "[main]\nno-auto-default=*\nignore-carrier=*\n"


def test_what_the_steps_call_is_named_and_not_left_to_other_packages():
    (installed,) = (each for each in plan(9) if "iptables-nft-services" in each)
    assert {"tar", "sudo", "hostname", "/usr/sbin/service"} <= set(installed.split())


def test_nothing_looks_for_updates_by_itself():
    assert any("disable" in each and "dnf-makecache.timer" in each for each in plan(9))
    assert not any("dnf" in each for each in plan(7))


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


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return what a boot says; programs stand in for QEMU's."""
    programs, said = tmp_path / "bin", tmp_path / "said"
    programs.mkdir()
    boot = f'for word; do case $word in file:*) cp {said} "${{word#file:}}" ;; esac; done'
    make = 'for file; do :; done; : > "$file"'
    for name, script in (("qemu-system-x86_64", boot), ("qemu-img", make)):
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    return said


def prepare_it() -> Image:
    base = Image("centos-stream-9", "el", "0" * 64, Path("/base.qcow2"))
    return prepared(base, 9, tcg("a test"), lambda _line: None)


def test_a_boot_that_says_it_is_done_leaves_an_image(console: Path):
    console.write_text(f"{SAID}{DONE}\n")
    assert prepare_it().disk.exists()


def test_what_went_wrong_is_shown_and_not_the_shutdown_that_came_after_it(console: Path):
    shutdown = "[  OK  ] Stopped something.\n" * 200
    console.write_text(f"[   1.0] Linux\n{SAID}No match for argument: openvpn\n{shutdown}")
    with pytest.raises(ImageError, match="No match for argument: openvpn") as wrong:
        prepare_it()
    assert "Stopped something" not in wrong.value.message


def test_a_boot_in_which_the_script_never_began_shows_how_far_it_came(console: Path):
    console.write_text("[   1.0] Linux\nKernel panic\n")
    with pytest.raises(ImageError, match="Kernel panic"):
        prepare_it()
