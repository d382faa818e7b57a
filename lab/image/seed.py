"""The NoCloud seed: the small volume that makes a guest who it is.

The same seed configures Debian (systemd-networkd) and CentOS (NetworkManager): interfaces are
matched by MAC and get the name given here, root logs in with the lab's key, and the host keys
are the ones given here, so that nobody has to trust a host key on first use. The same values
make the same bytes. Makes no keys, and does not know what a lab is.
"""

from __future__ import annotations

import hashlib
import io
import ipaddress
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pycdlib

from lab.cache import replacing
from lab.errors import ImageError

Document: TypeAlias = dict[str, Any]

VOLUME = "cidata"  # the label by which cloud-init's NoCloud source finds it
_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
_EPOCH = 0.0  # what every date on the volume says, so that equal seeds are equal bytes


@dataclass(frozen=True)
class Interface:
    """One NIC as the guest shall see it: `name` is set on the NIC that has `mac`.

    `addresses` are in CIDR form; `gateways` become default routes of their family.
    """

    name: str
    mac: str
    addresses: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    mtu: int | None = None

    def __post_init__(self) -> None:
        if not _MAC.fullmatch(self.mac.lower()):
            raise ImageError(f"seed: {self.name}: {self.mac!r} is not a MAC address")
        try:
            for address in self.addresses:
                ipaddress.ip_interface(address)
            for address in (*self.gateways, *self.nameservers):
                ipaddress.ip_address(address)
        except ValueError as wrong:
            raise ImageError(f"seed: {self.name}: {wrong}") from wrong

    def document(self) -> Document:
        """Return this interface as an `ethernets` entry of network-config version 2."""
        entry: Document = {
            "match": {"macaddress": self.mac.lower()},
            "set-name": self.name,
            "dhcp4": False,
            "dhcp6": False,
            "accept-ra": False,
            "addresses": list(self.addresses),
        }
        if self.gateways:
            entry["routes"] = [{"to": _everywhere(via), "via": via} for via in self.gateways]
        if self.nameservers or self.search:
            entry["nameservers"] = {
                "addresses": list(self.nameservers),
                "search": list(self.search),
            }
        if self.mtu is not None:
            entry["mtu"] = self.mtu
        return entry


@dataclass(frozen=True)
class HostKey:
    """An Ed25519 host key in OpenSSH's text forms."""

    private: str
    public: str


@dataclass(frozen=True)
class Seed:
    """Who a guest is. `hosts` are further lines of /etc/hosts: (address, names)."""

    hostname: str
    fqdn: str
    authorized_key: str
    host_key: HostKey
    interfaces: tuple[Interface, ...]
    hosts: tuple[tuple[str, str], ...] = ()

    def network_config(self) -> Document:
        """Return network-config, version 2."""
        return {
            "version": 2,
            "ethernets": {each.name: each.document() for each in self.interfaces},
        }

    def user_data(self) -> Document:
        """Return cloud-config: identity and the way in; no packages, no growing of disks."""
        return {
            "hostname": self.hostname,
            "fqdn": self.fqdn,
            "prefer_fqdn_over_hostname": False,
            "preserve_hostname": False,
            "manage_etc_hosts": False,
            "disable_root": False,
            "ssh_pwauth": False,
            "ssh_authorized_keys": [self.authorized_key.strip()],
            "ssh_deletekeys": True,
            "ssh_genkeytypes": [],
            "ssh_keys": {
                "ed25519_private": self.host_key.private,
                "ed25519_public": self.host_key.public.strip(),
            },
            "growpart": {"mode": "off"},
            "resize_rootfs": False,
            "package_update": False,
            "package_upgrade": False,
            "write_files": [
                {"path": "/etc/hosts", "content": self._hosts_file()},
                # networkd leaves this file to others; NetworkManager writes the same into it
                {"path": "/etc/resolv.conf", "content": self._resolv_conf()},
            ],
        }

    def meta_data(self) -> Document:
        """Return meta-data; the instance id follows the content, so a changed seed is applied."""
        content = json.dumps([self.user_data(), self.network_config()], sort_keys=True)
        digest = hashlib.sha256(content.encode()).hexdigest()[:16]
        return {
            "instance-id": f"{self.hostname}-{digest}",
            "local-hostname": self.hostname,
            # everything is on this volume: nothing has to wait for a network
            "dsmode": "local",
        }

    def files(self) -> dict[str, bytes]:
        """Return the volume's files by name; JSON is YAML, so it needs no YAML writer."""
        return {
            "meta-data": _text(self.meta_data()),
            "user-data": b"#cloud-config\n" + _text(self.user_data()),
            "network-config": _text(self.network_config()),
        }

    def write(self, path: Path) -> Path:
        """Write the ISO volume to `path`, whole or not at all, readable by its owner only."""
        with replacing(path) as partial:
            partial.touch(mode=0o600)
            partial.write_bytes(volume(self.files()))
        return path

    def _hosts_file(self) -> str:
        lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
        own = [a for each in self.interfaces if each.name != "mgmt0" for a in each.addresses]
        for address in own or ["127.0.1.1/8"]:
            lines.append(f"{ipaddress.ip_interface(address).ip} {self.fqdn} {self.hostname}")
        lines += [f"{address} {names}" for address, names in self.hosts]
        return "\n".join(lines) + "\n"

    def _resolv_conf(self) -> str:
        servers = dict.fromkeys(s for each in self.interfaces for s in each.nameservers)
        search = dict.fromkeys(s for each in self.interfaces for s in each.search)
        lines = [f"search {' '.join(search)}"] if search else []
        lines += [f"nameserver {server}" for server in servers]
        return "\n".join(lines) + "\n"


def volume(files: dict[str, bytes], label: str = VOLUME) -> bytes:
    """Return an ISO 9660 volume (with Joliet names) that holds `files`, dated 1970."""
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, joliet=3, vol_ident=label)
    for number, (name, content) in enumerate(sorted(files.items())):
        iso.add_fp(io.BytesIO(content), len(content), f"/FILE{number}.;1", joliet_path=f"/{name}")
    for descriptor in (iso.pvd, iso.joliet_vd):
        for date in ("creation", "modification", "effective"):
            _date(descriptor, f"volume_{date}_date")
        assert descriptor is not None  # noqa: S101 - joliet=3 asked for it
        for record in (descriptor.root_dir_record, *descriptor.root_dir_record.children):
            _date(record, "date")
    written = io.BytesIO()
    iso.write_fp(written)
    iso.close()
    return written.getvalue()


def _date(owner: object, attribute: str) -> None:
    """Set a date of the volume to the epoch; pycdlib itself would write the present moment."""
    epoch = type(getattr(owner, attribute))()
    epoch.new(_EPOCH)
    setattr(owner, attribute, epoch)


def _text(document: Document) -> bytes:
    return json.dumps(document, indent=2).encode() + b"\n"


def _everywhere(gateway: str) -> str:
    return "0.0.0.0/0" if ipaddress.ip_address(gateway).version == 4 else "::/0"
