"""Builds the Debian 12 guest with mmdebstrap: disk, kernel and initial RAM disk.

Needs no root: an ordinary user builds in a user namespace. What is in the guest is said by
`debian.toml`, how it is trimmed by `debian-customize.sh`; both are part of the image's key.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
import tomllib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from lab.cache import content_key, locked, require_space
from lab.errors import ImageError
from lab.image import aptsources
from lab.image.archives import KEYRING, Archives
from lab.image.cache import Image, entering, images_root
from lab.image.kept import Images
from lab.made_once import Cached, made_once
from lab.progress import Say

NAME, RELEASE = "debian-12", "bookworm"
ARCHIVES_OF_RUN = "VPNPROOF_ARCHIVES_OF_RUN"
"""Names the variable that tells a host of a run over many which archives home reaches, as JSON.

All of them call the guest by these, whatever mirrors each has: one builds it, the others have it
from there, also those that could not build it.
"""
APPEND = "root=/dev/vda rw console=ttyS0 mitigations=off fsck.mode=skip loglevel=5"
_BUILT_FROM = "built here with mmdebstrap from "
_HERE = Path(__file__).parent
_BUILD_MIB = 1600  # the unpacked tree, in the directory for temporary files
_RESULT_MIB = 1400  # raw disk and qcow2 side by side, in the cache
_LEFT_OUT = ("man", "doc", "locale", "info", "lintian")  # of /usr/share
_STEPS = (
    (re.compile(r"I: running apt-get update"), "reading package lists"),
    (re.compile(r"I: downloading packages"), "downloading packages"),
    (re.compile(r"I: extracting archives"), "unpacking packages"),
    (re.compile(r"I: installing essential"), "installing the base system"),
    (re.compile(r"I: installing remaining"), "installing what the guides need"),
    (re.compile(r"I: running --customize-hook"), "trimming the guest and making its disk"),
)


@dataclass(frozen=True)
class Recipe:
    """Everything that shapes the image."""

    packages: tuple[str, ...]
    size_gib: int
    sources: tuple[str, ...]
    customize: str
    disk: str
    architecture: str
    disabled: tuple[str, ...] = ()
    """Units of the added packages that a guest does not start by itself."""
    called_by: tuple[str, ...] = ()
    """The archives that stand for these sources in the key, if others do."""

    @property
    def key(self) -> str:
        """The hash of everything that shapes the image."""
        return content_key(
            RELEASE,
            APPEND,
            "\n".join(self.packages),
            str(self.size_gib),
            "\n".join(self.called_by or self.sources),
            self.customize,
            self.disk,
            self.architecture,
            "\n".join(_LEFT_OUT),
            *self.disabled,
        )


def recipe(say: Say = lambda _line: None, sets: Iterable[str] = ()) -> Recipe:
    """Return what would be built on this machine now, with the package sets that `sets` names."""
    wanted = tomllib.loads((_HERE / "debian.toml").read_text())
    added = [wanted["sets"][name] for name in sets]
    called_by = tuple(json.loads(os.environ.get(ARCHIVES_OF_RUN, "[]")))
    packages = [name for part in (wanted, *added) for name in part["packages"]]
    return Recipe(
        packages=tuple(sorted(packages)),
        size_gib=int(wanted["size_gib"]),
        sources=() if called_by else archives(say),
        customize=(_HERE / "debian-customize.sh").read_text(),
        disk=(_HERE / "debian-disk.sh").read_text(),
        architecture=platform.machine(),
        disabled=tuple(unit for part in added for unit in part["disabled"]),
        called_by=called_by,
    )


def archives(say: Say = lambda _line: None) -> tuple[str, ...]:
    """Return Debian's archives as this machine reaches them; ImageError where it has no keys."""
    return tuple(str(each) for each in Archives().debian(RELEASE, say))


def build(say: Say, sets: Iterable[str] = ()) -> Image:
    """Return the Debian guest, from the cache or built now (some 80 s); `say` gets each step.

    `sets` names the package sets of `debian.toml` that it has beyond what every guest has.
    """
    wanted, images = recipe(say, sets), Images()
    image = _image(wanted)
    if found := images.find(image, say):
        return found
    with locked(NAME):
        if found := images.find(image, say):  # somebody else built it while we waited
            return found
        with made_once(Cached("image", image.key), say):
            return images.find(image, say) or _built(wanted, image, say)


def _built(wanted: Recipe, image: Image, say: Say) -> Image:
    _require_tools()
    wanted = replace(wanted, sources=wanted.sources or archives(say))
    image = replace(image, source=f"{_BUILT_FROM}{wanted.sources[0]}")
    Images().make_room(_RESULT_MIB << 20, "the Debian guest")
    require_space(Path(tempfile.gettempdir()), _BUILD_MIB, "unpacking the Debian guest")
    with entering(image) as unfinished:
        _bootstrap(wanted, unfinished, say)
        say("converting the disk to qcow2")
        _convert(unfinished / "disk.raw", unfinished / "disk.qcow2")
    return image


def command(wanted: Recipe, target: Path, mode: str) -> list[str]:
    """Return the mmdebstrap command; environment variable DISK names the open disk file."""
    return [
        "mmdebstrap",
        f"--mode={mode}",
        f"--keyring={KEYRING}",  # and no other of this machine's: only Debian's archives get in
        "--variant=apt",
        "--format=null",
        f"--architectures={_debian_architecture(wanted.architecture)}",
        f"--include={','.join(wanted.packages)}",
        *(f"--aptopt={option}" for option in aptsources.download_options()),
        '--aptopt=Acquire::Languages "none"',
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT),
        *(
            f'--customize-hook=chroot "$1" systemctl disable --quiet {unit}'
            for unit in wanted.disabled
        ),
        f"--customize-hook={wanted.customize}",
        f"--customize-hook=download /kernel {target / 'kernel'}",
        f"--customize-hook=download /initrd {target / 'initrd'}",
        f"--customize-hook={wanted.disk}",
        RELEASE,
        "/dev/null",
        *wanted.sources,
    ]


def _image(wanted: Recipe) -> Image:
    place = images_root() / f"{NAME}-{wanted.key[:16]}"
    return Image(
        name=NAME,
        family="debian",
        key=wanted.key,
        disk=place / "disk.qcow2",
        kernel=place / "kernel",
        initrd=place / "initrd",
        append=APPEND,
        source=_BUILT_FROM + (wanted.called_by or wanted.sources)[0],
    )


def _require_tools() -> None:
    missing = [t for t in ("mmdebstrap", "mke2fs", "qemu-img") if not shutil.which(t, path=_PATH)]
    if os.geteuid() != 0 and not shutil.which("newuidmap"):
        missing.append("newuidmap")
    if missing:
        raise ImageError(
            f"building the Debian guest needs {', '.join(missing)}",
            hint="run lab/setup; where there is no mmdebstrap, choose --image=centos-stream-9",
        )


def _bootstrap(wanted: Recipe, target: Path, say: Say) -> None:
    raw = target / "disk.raw"
    raw.touch()
    # The root of an ordinary user's namespace is a stranger to this file; nobody else gets to
    # it, because the cache's `entering` made the directory 0700.
    raw.chmod(0o666)
    tail: deque[str] = deque(maxlen=15)
    with raw.open("r+b") as disk:
        environment = {
            **os.environ,
            "PATH": _PATH,
            "LC_ALL": "C.UTF-8",
            "DISK": f"/proc/self/fd/{disk.fileno()}",
            "SIZE_GIB": str(wanted.size_gib),
        }
        with subprocess.Popen(
            command(wanted, target, "root" if os.geteuid() == 0 else "unshare"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment,
            pass_fds=(disk.fileno(),),
        ) as process:
            for line in process.stdout or ():
                tail.append(line.rstrip())
                for pattern, step in _STEPS:
                    if pattern.match(line):
                        say(step)
    if process.returncode != 0:
        raise ImageError(
            "mmdebstrap could not build the Debian guest:\n" + "\n".join(tail),
            hint="is the Debian archive reachable (`apt-get update`)? The lines above say more",
        )


def _convert(raw: Path, qcow2: Path) -> None:
    subprocess.run(
        ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(raw), str(qcow2)], check=True
    )
    raw.unlink()


def _debian_architecture(machine: str) -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"  # an ordinary user has no sbin in it
