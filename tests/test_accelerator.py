"""KVM is used when it boots something sooner than emulation does, and only then."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab import accelerator
from lab.accelerator import PAYLOAD, check_cpu, choose, kvm, measure, tcg
from lab.errors import LabError
from lab.wait import until

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


def test_kvm_is_used_where_qemu_emulates_nothing(qemu, device: Path):
    qemu(tcg="echo 'invalid accelerator tcg' >&2; exit 1", kvm=f"exit {REACHED}")
    assert measure(device).name == "kvm"


def test_a_qemu_that_ends_at_once_is_quoted(qemu, device: Path):
    """Nobody is asked whether this machine is busy."""
    refused = "echo 'unsupported machine type: pc' >&2; exit 1"
    qemu(tcg=refused, kvm=refused)
    with pytest.raises(LabError, match="unsupported machine type: pc") as caught:
        measure(device)
    assert "busy" not in str(caught.value)


def test_the_answer_is_another_for_who_may_use_kvm_now(
    qemu, device: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(accelerator, "measure", lambda: answers.pop(0))
    answers = [accelerator.tcg("no device"), accelerator.kvm("a device")]
    qemu(tcg="exit 0", kvm="exit 0")
    monkeypatch.setattr(accelerator, "_DEVICE", device.with_name("absent"))
    assert choose().name == "tcg"
    monkeypatch.setattr(accelerator, "_DEVICE", device)
    assert choose().name == "kvm"


def test_a_payload_that_hangs_ends_with_who_waits_for_it(qemu, device: Path, tmp_path: Path):
    running = tmp_path / "pid"
    qemu(tcg=f"echo $$ > {running}; exec sleep 600", kvm="exit 1")
    program = "import pathlib, sys, lab.accelerator as a; a.measure(pathlib.Path(sys.argv[1]))"
    with subprocess.Popen([sys.executable, "-c", program, str(device)]) as owner:
        until(lambda: running.exists() and running.read_text(), 30, "the payload to run")
        hung = Path("/proc", running.read_text().strip())
        assert hung.exists()
        owner.kill()
    until(lambda: _has_ended(hung), 30, "it to end")


def _has_ended(process: Path) -> bool:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X")
    except OSError:
        return True


CPUINFO = "processor : 0\nflags : fpu sse2 {flags}\n\nprocessor : 1\n"
V2 = "cx16 lahf_lm popcnt pni ssse3 sse4_1 sse4_2"


def test_guests_get_a_processor_that_their_programs_run_on(tmp_path: Path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(CPUINFO.format(flags=V2))
    for level in ("x86-64-v1", "x86-64-v2"):
        check_cpu(level, kvm("a test"), cpuinfo)
        check_cpu(level, tcg("a test"), cpuinfo)
    with pytest.raises(LabError, match=r"x86-64-v3.*avx2"):
        check_cpu("x86-64-v3", kvm("a test"), cpuinfo)
    with pytest.raises(LabError, match="x86-64-v3"):
        check_cpu("x86-64-v3", tcg("a test"), cpuinfo)
    cpuinfo.write_text(CPUINFO.format(flags=V2.replace("sse4_2", "")))
    with pytest.raises(LabError, match="sse4_2"):
        check_cpu("x86-64-v2", kvm("a test"), cpuinfo)


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
