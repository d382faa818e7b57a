"""Which QEMU accelerator really works on this machine.

/dev/kvm may open and KVM may create a VM whose guest then never runs a single instruction of its
own (nested virtualisation of some clouds). So a payload of 512 bytes is booted under both: it
goes through protected mode into long mode, turns paging on, works on memory, and says so on a
port. KVM is used only if it gets there before emulation does. The answer is kept until this
machine, its kernel, its QEMU or who may use /dev/kvm changes.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.cache import cache_root, content_key, replacing
from lab.errors import LabError

EMULATED_CPU = "Westmere"  # x86-64-v2 with AES; a named model, so that frozen guests stay thawable
EMULATED_PACE = 4.0  # emulated guests take up to so many times as long; waits scale with it
_ATTAINED = 0x2A
_STATUS = _ATTAINED << 1 | 1  # how QEMU's isa-debug-exit device ends the process
_EMULATION_SECONDS = 60.0
_DEVICE = Path("/dev/kvm")
#: Ends a child with the thread that waits for it, also when that is killed.
WITH_ITS_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")
_LAST_WORDS = 500  # characters of what a QEMU that ended said

# 16-bit: cli; zero the segments; stack at 0x7c00; clear 0x1000-0x3fff and map 2 MiB there;
# CR3 = 0x1000, CR4.PAE, EFER.LME, CR0.PE and PG; load the GDT; jump to the 64-bit segment.
# 64-bit: sixty million rounds of add, store, xor; then `out 0xf4, 0x2a`; hlt.
_CODE = bytes.fromhex(
    "fa31c08ed88ec08ed0bc007cbf0010b9000c6631c0fc66f3ab66c70600100320000066c7060020033000"
    "0066c70600308300000066b8001000000f22d866b8200000000f22e066b9800000c00f32660d00010000"
    "0f300f20c0660d010000800f22c00f0116a07cea6c7c0800b90087930331c001c8488904250080000048"
    "33042500800000ffc975eab02ae6f4f4ebfd000000000000000000000000009a20000f00907c"
)
PAYLOAD = _CODE.ljust(510, b"\0") + b"\x55\xaa"


@dataclass(frozen=True)
class Accelerator:
    """What guests run on: "kvm" or "tcg"; `pace` is how much slower than KVM to expect them."""

    name: str
    cpu_model: str
    reason: str
    pace: float

    def __str__(self) -> str:
        return f"{self.name} ({self.reason})"


def kvm(reason: str) -> Accelerator:
    """Return hardware virtualisation, chosen for `reason`."""
    return Accelerator("kvm", "host", reason, pace=1.0)


def tcg(reason: str) -> Accelerator:
    """Return emulation, chosen for `reason`."""
    return Accelerator("tcg", EMULATED_CPU, reason, pace=EMULATED_PACE)


def choose(forced: str | None = None) -> Accelerator:
    """Return the accelerator to use: `forced` ("kvm" or "tcg") unseen, else the one that works.

    The first call on a machine takes some 3 s, later ones read the answer. LabError when QEMU is
    missing or boots nothing at all.
    """
    if forced is not None:
        known = {"kvm": kvm, "tcg": tcg}
        if forced not in known:
            raise LabError(f"there is no accelerator {forced!r}", hint="use kvm or tcg")
        return known[forced]("asked for")
    remembered = cache_root() / f"accelerator-{_machine_key()[:16]}.json"
    if (known_answer := _remembered(remembered)) is not None:
        return known_answer
    answer = measure()
    with replacing(remembered) as partial:
        partial.write_text(json.dumps(asdict(answer)) + "\n")
    return answer


_FLAGS = {
    # x86-64 psABI, "Micro-Architecture Levels", by Linux's names; each level has those before
    "x86-64-v1": "",
    "x86-64-v2": "cx16 lahf_lm popcnt pni ssse3 sse4_1 sse4_2",
    "x86-64-v3": "avx avx2 bmi1 bmi2 f16c fma abm movbe xsave",
}
_EMULATED_LEVEL = "x86-64-v2"


def check_cpu(level: str, accelerator: Accelerator, cpuinfo: Path = Path("/proc/cpuinfo")) -> None:
    """Raise LabError where guests' programs need a processor of a level that they do not get.

    Under KVM that is this host's: such a guest's first program would be an illegal instruction.
    """
    levels = list(_FLAGS)
    wanted = levels[: levels.index(level) + 1]
    if accelerator.name != "kvm":
        missing = set(wanted[levels.index(_EMULATED_LEVEL) + 1 :])
    else:
        told = [line for line in cpuinfo.read_text().splitlines() if line.startswith("flags")]
        has = set(told[0].partition(":")[2].split()) if told else set()
        missing = {flag for one in wanted for flag in _FLAGS[one].split()} - has
    if missing:
        raise LabError(
            f"the guests of this image need a processor of {level}, and get none under"
            f" {accelerator.name}: {', '.join(sorted(missing))} missing",
            hint="take another --image, or --accel",
        )


def qemu_program() -> str:
    """Return QEMU's path: under its own name, or where Red Hat keeps it. LabError without one."""
    for program in ("qemu-system-x86_64", "/usr/libexec/qemu-kvm"):
        if found := shutil.which(program):
            return found
    raise LabError("QEMU is not installed", hint="run lab/setup")


def measure(device: Path = _DEVICE) -> Accelerator:
    """Boot the payload under emulation and under KVM, and return the faster that works.

    LabError with QEMU's own words where neither does.
    """
    if not os.access(device, os.R_OK | os.W_OK):
        if device.exists():
            return tcg(f"{device} may not be used by this user: usermod -aG kvm?")
        return tcg(f"{device} is not there")
    with tempfile.NamedTemporaryFile(suffix=".img") as disk:
        disk.write(PAYLOAD)
        disk.flush()
        emulated = _boot(disk.name, "tcg", EMULATED_CPU, _EMULATION_SECONDS)
        limit = emulated if isinstance(emulated, float) else _EMULATION_SECONDS
        accelerated = _boot(disk.name, "kvm", "host", limit)
    if isinstance(accelerated, float):
        other = f"tcg in {emulated:.1f} s" if isinstance(emulated, float) else "tcg booted nothing"
        return kvm(f"booted a payload in {accelerated:.1f} s, {other}")
    if isinstance(emulated, float):
        return tcg(f"/dev/kvm is there, but booted nothing in the {emulated:.1f} s tcg took")
    raise LabError(
        f"QEMU boots no payload of 512 bytes, under tcg: {emulated}; under kvm: {accelerated}",
        hint="run lab/setup; a QEMU with the machine `pc` is needed",
    )


def _boot(disk: str, name: str, cpu: str, limit: float) -> float | str:
    """Return the seconds that the payload took, or why it did not get there by `limit`."""
    started = time.monotonic()
    try:
        ended = subprocess.run(
            [
                *WITH_ITS_PARENT,
                *(
                    qemu_program(),
                    "-nodefaults",
                    "-no-user-config",
                    "-display",
                    "none",
                    "-machine",
                    "pc",
                ),
                *("-accel", name, "-cpu", cpu, "-m", "16", "-snapshot"),
                *("-drive", f"file={disk},format=raw,if=ide"),
                *("-device", "isa-debug-exit,iobase=0xf4,iosize=1"),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        return f"it had not ended after {limit:.1f} s; is this machine very busy?"
    if ended.returncode == _STATUS:
        return time.monotonic() - started
    said = ended.stderr.decode(errors="replace").strip()[-_LAST_WORDS:]
    return f"it ended with status {ended.returncode}" + (f", and said {said!r}" if said else "")


def _machine_key() -> str:
    """Return what an answer depends on: this boot, kernel and QEMU, and whether we may use KVM."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    try:
        version = subprocess.run(
            [qemu_program(), "--version"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as wrong:
        raise LabError(f"QEMU does not run: {wrong}", hint="run lab/setup") from wrong
    return content_key(
        boot.read_text() if boot.exists() else "",
        platform.release(),
        version.stdout,
        str(os.geteuid()),
        str(os.access(_DEVICE, os.R_OK | os.W_OK)),
        PAYLOAD,
    )


def _remembered(path: Path) -> Accelerator | None:
    try:
        return Accelerator(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None  # not there, or of another version: measured anew
