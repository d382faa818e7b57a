"""How a thawed guest becomes another machine: name, keys, machine-id, addresses.

A fresh guest learns all of this from its seed, by cloud-init. That alone would take longer than
everything else in a cold start (10 s of processor time a guest without KVM), so the same seed is
written into a thawed one of Debian directly, as cloud-init's networkd renderer does, and cloud-init
has no work left at later boots. Guests of EL become no other machine: each is booted.

Who a machine is must survive that its power is cut a second later: the last thing is a `sync`.
"""

from __future__ import annotations

import shlex

from lab.image.seed import Interface, Seed

_SCRIPT = """set -e
blockdev --flushbufs /dev/vdb
rm -f /etc/systemd/network/10-* /etc/ssh/ssh_host_*
rm -f /etc/systemd/system/cloud-init.target.wants/cloud-init-local.service
{files}
{machine_id}
hostname "$(cat /etc/hostname)"
{macs}
udevadm control --reload
networkctl reload
systemctl reload ssh
sync
"""

#: Not by `systemd-machine-id-setup`: it takes QEMU's uuid, which a thawed guest has in its memory,
#: or D-Bus' own copy, and so gives the same to all that were one guest.
_MACHINE_ID = """rm -f /etc/machine-id /var/lib/dbus/machine-id
tr -d - < /proc/sys/kernel/random/uuid > /etc/machine-id
chmod 444 /etc/machine-id
if [ -d /var/lib/dbus ]; then ln -s /etc/machine-id /var/lib/dbus/machine-id; fi"""


def becoming(seed: Seed) -> str:
    """Return the script that makes a thawed guest the machine of `seed`."""
    # QEMU's NIC has the machine's MAC from its next reset on; the guest remembers another.
    macs = "\n".join(
        f"ip link set {each.name} down && ip link set {each.name} address {each.mac} up"
        for each in seed.interfaces
        if each.name.startswith("wire")
    )
    writes = [_write(path, content, mode) for path, (content, mode) in _files(seed).items()]
    return _SCRIPT.format(files="\n".join(writes), machine_id=_MACHINE_ID, macs=macs)


def _files(seed: Seed) -> dict[str, tuple[str, int]]:
    """Return the files that make a guest the machine of `seed`: content and mode."""
    told = {entry["path"]: entry["content"] for entry in seed.user_data()["write_files"]}
    files = {path: (content, 0o644) for path, content in told.items()}
    files["/etc/hostname"] = (f"{seed.hostname}\n", 0o644)
    files["/root/.ssh/authorized_keys"] = (f"{seed.authorized_key.strip()}\n", 0o600)
    files["/etc/ssh/ssh_host_ed25519_key"] = (seed.host_key.private, 0o600)
    files["/etc/ssh/ssh_host_ed25519_key.pub"] = (f"{seed.host_key.public.strip()}\n", 0o644)
    for interface in seed.interfaces:
        base = f"/etc/systemd/network/10-{interface.name}"
        files[f"{base}.link"] = (_link(interface), 0o644)
        files[f"{base}.network"] = (_network(interface), 0o644)
    return files


def _link(interface: Interface) -> str:
    return f"[Match]\nMACAddress={interface.mac}\n\n[Link]\nName={interface.name}\n"


def _network(interface: Interface) -> str:
    lines = [
        "[Match]",
        f"MACAddress={interface.mac}",
        "",
        "[Network]",
        "DHCP=no",
        "LinkLocalAddressing=ipv6",
        "IPv6AcceptRA=no",
        *(f"Address={address}" for address in interface.addresses),
        *(f"Gateway={gateway}" for gateway in interface.gateways),
        *(f"DNS={server}" for server in interface.nameservers),
    ]
    return "\n".join(lines) + "\n"


def _write(path: str, content: str, mode: int) -> str:
    target = shlex.quote(path)
    return f"printf %s {shlex.quote(content)} > {target}\nchmod {mode:o} {target}"
