"""A NIC's carrier, taken away and given back on a real machine without a disk."""

from __future__ import annotations

import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from lab.errors import MachineError
from lab.hypervisor import Hypervisor
from tests.lab.test_hypervisor import end_daemon

MACHINE = """
<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>node-a</name>
  <memory unit='MiB'>32</memory>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <qemu:commandline>
    <qemu:arg value='-netdev'/>
    <qemu:arg value='dgram,id=wire0,local.type=unix,local.path={directory}/nic,remote.type=unix,\
remote.path={directory}/port'/>
    <qemu:arg value='-device'/>
    <qemu:arg value='virtio-net-pci,netdev=wire0,mac=52:54:00:00:00:01,bus=pci.0,addr=0x10'/>
  </qemu:commandline>
</domain>
"""
FRAMES = 2000  # more than the kernel and QEMU keep for a NIC that takes none


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("VPNPROOF_CACHE", str(tmp_path / "cache"))
    short = Path(tempfile.mkdtemp(prefix="vp", dir="/tmp"))
    yield short
    shutil.rmtree(short)


@pytest.fixture
def private(directory: Path) -> Iterator[Hypervisor]:
    opened = Hypervisor.start(directory)
    try:
        yield opened
    finally:
        opened.close()
        end_daemon(directory, signal.SIGKILL)


def takes_frames(nic: Path) -> bool:
    """Whether frames sent to a NIC come to an end in it, as they do at one without carrier.

    The machine is paused: with its carrier, the NIC keeps them for it, and soon has no room.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
        sending.settimeout(3)
        sending.connect(str(nic))
        try:
            for _ in range(FRAMES):
                sending.send(b"\xff" * 60)
        except TimeoutError:
            return False
    return True


def test_a_cable_is_pulled_out_and_put_back(private: Hypervisor, directory: Path) -> None:
    private.define(MACHINE.format(directory=directory))
    private._domain("node-a").createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    try:
        private.set_link("node-a", "wire0", up=False)
        assert takes_frames(directory / "nic")
        private.set_link("node-a", "wire0", up=True)
        assert not takes_frames(directory / "nic")
        with pytest.raises(MachineError, match="cannot set the link of wire9 of node-a"):
            private.set_link("node-a", "wire9", up=False)
    finally:
        private.kill("node-a")
