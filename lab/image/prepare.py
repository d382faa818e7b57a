"""Gives a published CentOS image the packages that the guides need, once.

The image is booted with an open management NIC, installs, and powers itself off; the lab's
guests then need no network. The plan is a plain text that tests look at. The boot itself was
not run where this was written (no way to the CentOS mirrors): trust it accordingly.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from urllib.request import getproxies_environment

from lab.accelerator import WITH_ITS_PARENT, Accelerator, qemu_program
from lab.cache import content_key, locked
from lab.console import last_lines, tail
from lab.errors import ImageError
from lab.image.cache import Image, entering, images_root
from lab.image.kept import Images
from lab.image.seed import volume
from lab.made_once import Cached, made_once
from lab.progress import Say

DONE = "vpnproof: packages installed"
CONSOLE, SCRIPT = "/dev/ttyS0", "/root/prepare"
SAID = "prepare: "
"""Begins each line of the script on the console, which the guest's other programs write to, too."""
_LIMIT_SECONDS = 3600 * 2  # some 150 packages, on a guest that may be emulated
_NEEDED_MIB = 6000

_HOST_OF_GUEST = r"\g<1>10.0.2.2"  # as QEMU's user networking calls it
_LOOPBACK = re.compile(r"^((?:\w+://)?(?:[^/@]*@)?)(?:localhost|127\.[\d.]+|\[::1\])(?=[:/]|$)")

_COMMON = """
    httpd mod_ssl php-cli php-json php-pdo bind bind-utils keepalived rsync tcpdump
    openvpn iptables sqlite openssl nmap-ncat cronie logrotate
    strace tar sudo hostname diffutils procps-ng
"""
_EL9 = """
    python3-mod_wsgi python3-cryptography python3-flask iptables-nft-services
    nftables policycoreutils-python-utils conntrack-tools ucarp /usr/sbin/service
"""
"""`service` is of a package that no other has to bring."""
_EL7 = """
    mod_wsgi python36-cryptography python36-flask python36-mod_wsgi
    iptables-services policycoreutils-python ucarp conntrack-tools
"""


# sets of packages of their own, by name; see debian.toml. PHP's sodium is EPEL's, not RHEL's.
_SETS = {"genuine": "php-fpm php-mbstring php-opcache php-sodium pwgen chrony"}


def plan(release: int, sets: tuple[str, ...] = ()) -> list[str]:
    """Return the shell commands that prepare CentOS `release` (7 or 9), in order."""
    return [
        *(_archives_of_7() if release == 7 else _archives_of_9()),
        f"yum -y install {_words(_COMMON + (_EL7 if release == 7 else _EL9))}",
        *(f"yum -y install {_SETS[name]}" for name in sets),
        *(_settled_9() if release == 9 else []),
        # the guides' own steps start what they need; their iptables files exclude firewalld
        "systemctl disable httpd named keepalived iptables ip6tables crond || true",
        "systemctl disable --now firewalld && systemctl mask firewalld || true",
        # a guest that crashes stays so: no kernel is kept in reserve, which would take memory, too
        "grubby --update-kernel=ALL --remove-args=crashkernel || true",
        "systemctl disable kdump || true",
        # each guest gets its identity from its own seed
        "rm -f /etc/ssh/ssh_host_* && : > /etc/machine-id",
        "cloud-init clean --logs || rm -rf /var/lib/cloud/*",
    ]


def seed_files(release: int, sets: tuple[str, ...] = ()) -> dict[str, bytes]:
    """Return the seed of the preparing boot: run the plan, say so on the console, power off."""
    done = "sync", f"echo '{DONE}' > {CONSOLE}"
    # Before -x: a proxy's address may hold a password, which the console would show.
    script = "\n".join(["#!/bin/sh", *_proxies(), "set -ex", *plan(release, sets), *done])
    # A getty hangs the console up some seconds into the script: whatever has it open then cannot
    # write to it any more, and ends. So it is opened anew for each line.
    told = f"while IFS= read -r line; do printf '{SAID}%s\\n' \"$line\" > {CONSOLE}; done"
    user_data = {
        "write_files": [{"path": SCRIPT, "permissions": "0700", "content": script + "\n"}],
        # At once: what cloud-init does last would make again what the script has cleaned of it.
        "runcmd": [f"{SCRIPT} 2>&1 | {told}; rm -f {SCRIPT}; sync; poweroff -f"],
    }
    network = {
        "version": 2,
        # Named, for cloud-init of CentOS 7 writes a profile for a NIC that is called as the entry.
        "ethernets": {"build": {"match": {"macaddress": _MAC}, "set-name": "eth0", "dhcp4": True}},
    }
    return {
        "meta-data": json.dumps({"instance-id": f"prepare-{release}"}).encode(),
        "user-data": b"#cloud-config\n" + json.dumps(user_data, indent=2).encode(),
        "network-config": json.dumps(network).encode(),
    }


def command(disk: Path, seed: Path, console: Path, accelerator: Accelerator) -> list[str]:
    """Return the QEMU command of the preparing boot; its NIC reaches out, as the user does."""
    return [
        *WITH_ITS_PARENT,
        qemu_program(),
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-machine", "q35", "-accel", accelerator.name, "-cpu", accelerator.cpu_model),
        *("-m", "1536", "-smp", "2"),
        *("-serial", f"file:{console}"),
        *("-drive", f"file={disk},if=virtio,format=qcow2,cache=unsafe"),
        *("-drive", f"file={seed},if=virtio,format=raw,readonly=on"),
        *("-netdev", "user,id=build", "-device", f"virtio-net-pci,netdev=build,mac={_MAC}"),
        *("-device", "virtio-rng-pci"),
    ]


def prepared_key(base: Image, release: int, sets: tuple[str, ...] = ()) -> str:
    """Return the key of the prepared image: what it was and what was done to it."""
    return content_key(base.key, "\n".join(plan(release, sets)))


def prepared(
    base: Image, release: int, accelerator: Accelerator, say: Say, sets: tuple[str, ...] = ()
) -> Image:
    """Return `base` with the guides' packages, from the cache or prepared now."""
    key, images = prepared_key(base, release, sets), Images()
    image = replace(base, key=key, disk=images_root() / f"{base.name}-{key[:16]}" / "disk.qcow2")
    with locked(f"{base.name}-prepared"):
        if found := images.find(image, say):
            return found
        with made_once(Cached("image", key), say):
            if found := images.find(image, say):
                return found
            say(f"installing the guides' packages in {base.name} (once)")
            images.make_room(_NEEDED_MIB << 20, f"preparing {base.name}")
            with entering(image) as unfinished:
                _boot_once(base.disk, seed_files(release, sets), unfinished, accelerator)
    return image


def _boot_once(base: Path, files: dict[str, bytes], place: Path, accelerator: Accelerator) -> None:
    overlay, seed, console = place / "overlay.qcow2", place / "seed.iso", place / "console.log"
    seed.write_bytes(volume(files))
    backing = ["-f", "qcow2", "-F", "qcow2", "-b", str(base)]
    subprocess.run(["qemu-img", "create", "-q", *backing, str(overlay)], check=True)
    try:
        subprocess.run(
            command(overlay, seed, console, accelerator), check=True, timeout=_LIMIT_SECONDS
        )
    except (subprocess.SubprocessError, OSError) as wrong:
        raise ImageError(f"the preparing boot failed: {wrong}\n{_tail(console)}") from wrong
    if DONE not in tail(console):
        raise ImageError(
            f"the guest did not install its packages; the last of it:\n{_said(console)}",
            hint="can this machine reach mirrors.centos.org (vault.centos.org for CentOS 7) and "
            "EPEL? Else use --image=debian-12",
        )
    subprocess.run(
        ["qemu-img", "convert", "-O", "qcow2", str(overlay), str(place / "disk.qcow2")], check=True
    )
    for passing in (overlay, seed):
        passing.unlink()


def _proxies() -> list[str]:
    """Return what tells a guest of this user's proxies; one on loopback is the host's, to it."""
    kept = getproxies_environment()
    told = {kind: _LOOPBACK.sub(_HOST_OF_GUEST, kept.get(kind, "")) for kind in ("http", "https")}
    told["no"] = kept.get("no", "")  # names, none of which is where a proxy is
    return [f"export {kind}_proxy={shlex.quote(to)}" for kind, to in told.items() if to]


def _words(text: str) -> str:
    return " ".join(text.split())


def _tail(console: Path, lines: int = 20) -> str:
    return last_lines(console, lines) or "(no console output)"


def _said(console: Path, lines: int = 20) -> str:
    """Return the script's last lines: a shutdown has come after them, and is longer than that."""
    said = [line for line in tail(console).splitlines() if SAID in line]
    return "\n".join(said[-lines:]) or _tail(console)


def _archives_of_9() -> list[str]:
    return [
        "dnf -y install dnf-plugins-core",
        "dnf config-manager --set-enabled crb",
        "dnf -y install epel-release",
    ]


def _settled_9() -> list[str]:
    """Return what a guest that will reach no archive, and was never used, needs besides."""
    return [
        # what mod_ssl's own configuration names is made at httpd's first start; the guides have
        # the configuration read before that, which fails without it
        "/usr/libexec/httpd-ssl-gencerts",
        # as servers have it (NetworkManager-config-server): a link that is lost takes no addresses
        # along, the virtual one among them
        "printf '[main]\\nno-auto-default=*\\nignore-carrier=*\\n' "
        "> /etc/NetworkManager/conf.d/00-server.conf",
        # `yum -y update` of the guide has nothing to do then, where it would be an error
        "dnf config-manager --save --setopt=skip_if_unavailable=True",
        "systemctl disable dnf-makecache.timer || true",
    ]


def _archives_of_7() -> list[str]:
    return [
        "sed -i -e 's/^mirrorlist=/#&/' "
        "-e 's,^#\\?baseurl=http://mirror.centos.org,baseurl=https://vault.centos.org,' "
        "/etc/yum.repos.d/CentOS-*.repo",
        "yum -y install epel-release",
        "sed -i -e 's/^metalink=/#&/' "
        "-e 's,^#\\?baseurl=https\\?://[^/]*/pub/epel,"
        "baseurl=https://archives.fedoraproject.org/pub/archive/epel,' /etc/yum.repos.d/epel*.repo",
    ]


_MAC = "52:54:00:00:00:fe"
