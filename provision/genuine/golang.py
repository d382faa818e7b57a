"""Programs in Go: static, without network, and the same bytes each time."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from provision.errors import PackagingFailed
from provision.genuine.recipe import GoProgram

_SECONDS = 900  # the first program takes the standard library with it
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def architecture() -> str:
    """Return this machine's architecture as Go and Debian call it; guests have the same."""
    return ARCHITECTURES.get(platform.machine(), platform.machine())


@cache
def _own_directory() -> tempfile.TemporaryDirectory[str]:
    """Return Go's directory for this process: the standard library is compiled once in it."""
    return tempfile.TemporaryDirectory(prefix="vpnproof-go-")


def compile_program(program: GoProgram, tree: Path, target: Path) -> None:
    """Compile a program of the unpacked source `tree`; PackagingFailed with what Go said."""
    if shutil.which("go") is None:
        raise PackagingFailed(f"{program.path} needs Go", hint="run lab/setup --genuine")
    set_here = " ".join(f"-X {name}={value}" for name, value in program.variables.items())
    command = ["go", "build", "-trimpath", "-buildvcs=false", "-o", str(target)]
    command += ["-ldflags", f"-s -w -buildid= {set_here}".strip(), program.path]
    own = _own_directory().name
    environment = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": own,
        "GOCACHE": f"{own}/cache",
        "GOPATH": f"{own}/path",
        "GOPROXY": "off",
        "GOFLAGS": "",
        "GOTOOLCHAIN": "local",
        "GOOS": "linux",
        "GOARCH": architecture(),
        "CGO_ENABLED": "0",
    }
    try:
        done = subprocess.run(
            command,
            cwd=tree,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise PackagingFailed(f"go build {program.path} took over {_SECONDS} s") from error
    if done.returncode != 0:
        raise PackagingFailed(f"go build {program.path} failed:\n{done.stderr.strip()}")
