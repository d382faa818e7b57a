"""KVM is used when it boots something sooner than emulation does, and only then."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab import accelerator
from lab.accelerator import PAYLOAD, choose, measure
from lab.errors import LabError

REACHED = 85  # what QEMU's isa-debug-exit makes of the payload's word

QEMU = """#!/bin/sh
case "$*" in
*--version*) echo "QEMU emulator version 7.2" ;;
*"-accel tcg"*) {tcg} ;;
*"-accel kvm"*) {kvm} ;;
esac
"""


@pytest.fixture
def qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VPNPROOF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def install(*, tcg: str, kvm: str) -> None:
        program = tmp_path / "qemu-system-x86_64"
        program.write_text(QEMU.format(tcg=tcg, kvm=kvm))
        program.chmod(0o755)

    return install


@pytest.fixture
def device(tmp_path: Path) -> Path:
    path = tmp_path / "kvm"
    path.touch()
    return path


def test_the_payload_is_a_boot_sector():
    assert len(PAYLOAD) == 512
    assert PAYLOAD.endswith(b"\x55\xaa")


def test_kvm_that_boots_sooner_is_used(qemu, device: Path):
    qemu(tcg=f"sleep 1; exit {REACHED}", kvm=f"exit {REACHED}")
    assert measure(device).name == "kvm"
    assert measure(device).pace == 1.0


@pytest.mark.parametrize("kvm", ["exec sleep 60", "exit 134"], ids=["hangs", "aborts"])
def test_kvm_that_boots_nothing_is_not_used(qemu, device: Path, kvm: str):
    qemu(tcg=f"exit {REACHED}", kvm=kvm)
    chosen = measure(device)
    assert chosen.name == "tcg"
    assert "booted nothing" in str(chosen)


def test_without_the_device_nothing_is_tried(qemu, tmp_path: Path):
    qemu(tcg="exit 1", kvm="exit 1")
    assert measure(tmp_path / "absent").name == "tcg"


def test_a_qemu_that_boots_nothing_at_all_is_an_error(qemu, device: Path):
    qemu(tcg="exit 1", kvm="exit 1")
    with pytest.raises(LabError, match="512 bytes"):
        measure(device)


def test_the_answer_is_kept_until_qemu_changes(qemu, monkeypatch: pytest.MonkeyPatch):
    answers = iter([accelerator.tcg("first"), accelerator.tcg("second")])
    monkeypatch.setattr(accelerator, "measure", lambda: next(answers))
    qemu(tcg="exit 0", kvm="exit 0")
    assert choose().reason == "first"
    assert choose().reason == "first"
    monkeypatch.setattr(accelerator, "PAYLOAD", b"another")
    assert choose().reason == "second"


def test_a_spoilt_answer_is_measured_anew(qemu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(accelerator, "measure", lambda: accelerator.tcg("measured"))
    qemu(tcg="exit 0", kvm="exit 0")
    choose()
    (kept,) = (tmp_path / "cache").glob("accelerator-*.json")
    kept.write_text('{"name"')
    assert choose().reason == "measured"


def test_a_forced_accelerator_is_taken_unseen():
    assert choose("kvm").name == "kvm"
    with pytest.raises(LabError, match="xen"):
        choose("xen")
