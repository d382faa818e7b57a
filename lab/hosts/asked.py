"""What a host is asked before anything is there: sent as text, run by its own Python.

Needs the standard library alone, and says what it found as JSON.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

SHARED = ("nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "fuse.sshfs", "fuse.glusterfs")
"""File systems of the network: runs on two hosts would take each other's labs for their own."""


def found(directory: str) -> dict[str, Any]:
    """Return what this host is, and what would keep us from `directory`."""
    above = Path(directory)
    while not above.exists():
        above = above.parent
    return {
        "python": list(sys.version_info[:2]),
        "executable": sys.executable,
        "architecture": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": _memory_mib(),
        "disk_mib": shutil.disk_usage(above).free // 2**20,
        "machine": f"{_text('/proc/sys/kernel/random/boot_id')} {above.stat().st_dev}",
        "directory": os.path.realpath(directory),
        "problem": _problem(Path(directory), above),
        "system": platform.platform(),
        "processor": _processor(),
        "qemu": _version("qemu-system-x86_64", "/usr/libexec/qemu-kvm"),
        "libvirt": _version("virtqemud", "libvirtd", "/usr/sbin/virtqemud", "/usr/sbin/libvirtd"),
    }


def _problem(directory: Path, above: Path) -> str:
    """Return what is wrong with a directory of ours, "" when it can be had."""
    if os.statvfs(above).f_flag & os.ST_NOEXEC:
        return "lies where no programs may run: its file system is mounted noexec"
    if (system := file_system(above.stat().st_dev)) in SHARED:
        return f"lies on {system}, which other hosts may share: it has to be this host's own"
    if directory != above:
        able = above.is_dir() and os.access(above, os.W_OK | os.X_OK)
        return "" if able else f"cannot be made: {above} does not let you write"
    seen = directory.lstat()
    if not stat.S_ISDIR(seen.st_mode):
        return "is no directory"
    if seen.st_uid != os.getuid() or seen.st_mode & 0o022:
        return f"is not yours alone: its mode is {stat.filemode(seen.st_mode)}"
    return "" if os.access(directory, os.W_OK | os.X_OK) else "cannot be written to"


def file_system(device: int, mounts: str = "/proc/self/mountinfo") -> str:
    """Return the kind of the file system with this device number, "" where that is not told."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in _text(mounts).splitlines():
        mounted, _, told = line.partition(" - ")
        if told and mounted.split()[2] == wanted:
            return told.split()[0]
    return ""


def _memory_mib() -> int:
    for line in _text("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return 0


def _processor() -> str:
    for line in _text("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return ""


def _version(*programs: str) -> str:
    for program in programs:
        if path := shutil.which(program):
            said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
            version = re.search(r"\d+(\.\d+)+", said.stdout)
            return version[0] if version else ""
    return ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


if __name__ == "__main__":
    print(json.dumps(found(sys.argv[1])))  # noqa: T201 - its answer
