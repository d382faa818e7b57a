"""A NIC's carrier, taken away and given back on a real machine without a disk."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import libvirt
import pytest

from lab.errors import MachineError
from lab.hypervisor import Hypervisor
from lab.wire import free_udp_port
from tests.lab.test_hypervisor import end_daemon

MAC = "52:54:00:00:00:01"
MACHINE = """
<domain type='qemu'>
  <name>node-a</name>
  <memory unit='MiB'>32</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices>
    <interface type='udp'>
      <mac address='{mac}'/>
      <source address='127.0.0.1' port='{there}'>
        <local address='127.0.0.1' port='{here}'/>
      </source>
      <model type='virtio'/>
    </interface>
  </devices>
</domain>
"""


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hypervisor]:
    monkeypatch.setenv("VPNPROOF_CACHE", str(tmp_path / "cache"))
    directory = Path(tempfile.mkdtemp(prefix="vp", dir="/tmp"))
    opened = Hypervisor.start(directory)
    try:
        yield opened
    finally:
        opened.close()
        end_daemon(directory, signal.SIGKILL)
        shutil.rmtree(directory)


def link_of(hypervisor: Hypervisor) -> str:
    described = hypervisor._domain("node-a").XMLDesc()
    found = ElementTree.fromstring(described).find(  # noqa: S314 - libvirt wrote it
        "devices/interface/link"
    )
    return "up" if found is None else found.get("state", "")


def test_a_cable_is_pulled_out_and_put_back(private: Hypervisor) -> None:
    private.define(MACHINE.format(mac=MAC, there=free_udp_port(), here=free_udp_port()))
    private._domain("node-a").createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    try:
        private.set_link("node-a", MAC, up=False)
        assert link_of(private) == "down"
        private.set_link("node-a", MAC, up=True)
        assert link_of(private) == "up"
        with pytest.raises(MachineError, match="no NIC with the address 52:54:00:00:00:99"):
            private.set_link("node-a", "52:54:00:00:00:99", up=False)
    finally:
        private.kill("node-a")
