"""libvirt: the machines' power, and their memory on disk.

Each lab has a libvirt daemon of its own, in the lab's directory: no root, no names shared with
anybody, and it goes when the lab goes. `Hypervisor.open` takes another libvirt instead.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import pwd
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from urllib.parse import urlencode
from xml.etree import ElementTree

import libvirt
import libvirt_qemu

from lab.cache import cache_root
from lab.console import tail
from lab.errors import LabError, MachineError
from lab.wait import until

# libvirt prints every error to stderr by itself; ours are raised, with what to do about them.
libvirt.registerErrorHandler(lambda _context, _error: None, None)

OLDEST_QEMU = (7, 2)
"""The first that has Unix datagram sockets for NICs (`-netdev dgram,local.type=unix`)."""

_SHUTS_DOWN_S = 150  # systemd gives a service 90 s to stop, and then some more to what is left
_DAEMON_STARTS_S = 60.0
_ANSWERS_S = 300.0  # a start, the longest of what is asked so, takes seconds
_DAEMONS = (("virtqemud", "virtqemud-sock"), ("libvirtd", "libvirt-sock"))


class Hypervisor:
    """A connection to libvirt and the power switches of the machines it runs."""

    def __init__(self, connection: libvirt.virConnect, *, private: bool) -> None:
        self._connection = connection
        self.private = private
        """Whether only this lab's machines live there."""

    @classmethod
    def open(cls, uri: str) -> Hypervisor:
        """Connect to an existing libvirt; LabError when it does not answer."""
        return cls(_connect(uri), private=False)

    @classmethod
    def start(cls, directory: Path) -> Hypervisor:
        """Start (or find again) the private libvirt daemon that lives in `directory`."""
        program, name = _daemon()
        path = directory / "run" / "libvirt" / name
        uri = f"qemu+unix:///session?{urlencode({'socket': path})}"
        if not _listening(path):
            _start_daemon(program, directory)
            until(lambda: _listening(path), 20, f"{program} to open {path}", every=0.02)
        return cls(_connect(uri), private=True)

    def close(self) -> None:
        """Close the connection; the machines keep running."""
        with contextlib.suppress(libvirt.libvirtError):
            self._connection.close()

    def define(self, xml: str) -> None:
        """Make a machine known; it does not run yet."""
        with _explained("libvirt refuses the machine"):
            self._connection.defineXML(xml)

    def forget(self, name: str) -> None:
        """Undo `define`; nothing happens when the machine is not known."""
        with contextlib.suppress(libvirt.libvirtError):
            self._connection.lookupByName(name).undefine()

    def power_on(self, name: str) -> None:
        """Start a machine that is off."""
        with _explained(f"cannot start {name}"):
            _answered(lambda: self._domain(name).create())

    def shut_down(self, name: str) -> None:
        """Ask the machine's operating system to power off, and wait until it has."""
        with _explained(f"cannot shut down {name}"):
            self._domain(name).shutdown()
        until(lambda: not self.is_on(name), _SHUTS_DOWN_S, f"{name} to shut down", every=0.2)

    def kill(self, name: str) -> None:
        """Cut the machine's power; nothing happens when it is off."""
        with _explained(f"cannot cut the power of {name}"):
            try:
                _answered(lambda: self._domain(name).destroy())
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_OPERATION_INVALID:
                    raise

    def reboot(self, name: str) -> None:
        """Press the reset button: the machine starts again at once."""
        with _explained(f"cannot reset {name}"):
            self._domain(name).reset()

    def pause(self, name: str) -> None:
        """Stop the machine's processors where they are."""
        with _explained(f"cannot pause {name}"):
            _answered(lambda: self._domain(name).suspend())

    def resume(self, name: str) -> None:
        """Let a paused machine go on."""
        with _explained(f"cannot resume {name}"):
            _answered(lambda: self._domain(name).resume())

    def set_link(self, name: str, nic: str, *, up: bool) -> None:
        """Give the NIC that QEMU calls `nic` its carrier, or take it away: a cable pulled out."""
        order = {"execute": "set_link", "arguments": {"name": nic, "up": up}}
        with _explained(f"cannot set the link of {nic} of {name}"):
            said = libvirt_qemu.qemuMonitorCommand(self._domain(name), json.dumps(order), 0)
        if error := json.loads(said).get("error"):
            raise MachineError(f"cannot set the link of {nic} of {name}: {error['desc']}")

    def is_on(self, name: str) -> bool:
        """Whether the machine has power (running or paused)."""
        with _explained(f"cannot ask for the state of {name}"):
            return bool(self._domain(name).isActive())

    def state(self, name: str) -> str:
        """Return "off", "running", "paused" or "crashed"."""
        with _explained(f"cannot ask for the state of {name}"):
            state, _reason = self._domain(name).state()
        return {
            libvirt.VIR_DOMAIN_RUNNING: "running",
            libvirt.VIR_DOMAIN_BLOCKED: "running",
            libvirt.VIR_DOMAIN_PAUSED: "paused",
            libvirt.VIR_DOMAIN_CRASHED: "crashed",
        }.get(state, "off")

    def has_files_below(self, name: str, directory: Path) -> bool:
        """Whether the machine, if it is known, has a disk below `directory`."""
        try:
            described = self._domain(name).XMLDesc()
        except libvirt.libvirtError:
            return False
        disks = ElementTree.fromstring(described).iterfind(  # noqa: S314 - libvirt wrote it
            "devices/disk/source"
        )
        place = directory.resolve()
        return any(place in Path(disk.get("file", "")).resolve().parents for disk in disks)

    def save(self, name: str, path: Path) -> None:
        """Write the memory of a paused machine to `path`; the machine is off afterwards."""
        with _explained(f"cannot save the memory of {name}"):
            self._domain(name).saveFlags(str(path), None, libvirt.VIR_DOMAIN_SAVE_PAUSED)

    def restore(self, path: Path, xml: str) -> None:
        """Load a saved machine under changed `xml` (disks, ports); it is paused afterwards."""
        with _explained(f"cannot restore {path}"):
            self._connection.restoreFlags(str(path), xml, libvirt.VIR_DOMAIN_SAVE_PAUSED)

    def _domain(self, name: str) -> libvirt.virDomain:
        return self._connection.lookupByName(name)


def require_unix_nics() -> None:
    """Raise LabError when this host's QEMU cannot have Unix sockets for NICs (7.2 is the first).

    There is no way back to UDP: any user of the host could read and forge frames on it.
    """
    said = installed_versions()["qemu"]
    found = re.search(r"version (\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < OLDEST_QEMU:
        needed = ".".join(map(str, OLDEST_QEMU))
        raise LabError(
            f"this host's QEMU is too old: {said!r}, {needed} is needed",
            hint="its NICs could not be sockets that only you may use; install a newer QEMU",
        )


@functools.cache
def installed_versions() -> dict[str, str]:
    """Return what a checkpoint depends on: the versions of libvirt's daemon and of QEMU."""
    daemon, _ = _daemon()
    emulator = shutil.which("qemu-system-x86_64") or "/usr/libexec/qemu-kvm"
    return {"libvirt": _first_line(daemon), "qemu": _first_line(emulator)}


def _first_line(program: str) -> str:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise LabError(f"{program} does not run: {error}", hint="run lab/setup") from error
    return said.stdout.partition("\n")[0]


def _connect(uri: str) -> libvirt.virConnect:
    try:
        return libvirt.open(uri)
    except libvirt.libvirtError as error:
        raise LabError(
            f"libvirt at {uri} does not answer: {error}",
            hint="run lab/setup, or give another --libvirt-uri",
        ) from error


def _daemon() -> tuple[str, str]:
    """Return the path of libvirt's daemon for QEMU, and the name of its socket."""
    for name, listening in _DAEMONS:
        if program := shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"):
            return program, listening
    raise LabError("there is no libvirt daemon on this host", hint="run lab/setup")


def _listening(path: Path) -> bool:
    """Whether a daemon takes connections there; one that was killed leaves its socket behind."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


def _an_ordinary_user() -> pwd.struct_passwd:
    """Return a user that is not root: libvirt looks up by what name it is asked, so one with one.

    LabError where root is the only user.
    """
    for one in pwd.getpwall():
        if one.pw_uid and one.pw_gid:
            return one
    raise LabError(
        "root is the only user of this machine, and libvirt is not to run as root",
        hint="add any user: useradd --system vpnproof",
    )


def _start_daemon(program: str, directory: Path) -> None:
    """Start libvirt's daemon; it goes to the background once it is ready."""
    configuration, runtime = directory / "cfg", directory / "run"
    (configuration / "libvirt").mkdir(mode=0o700, parents=True, exist_ok=True)
    # QEMU writes console logs itself: no virtlogd has to run for a lab. And it runs as you do:
    # where SELinux is on, libvirt would label it (svirt_t), which keeps it from the sockets of the
    # wire: libvirt knows nothing of those.
    (configuration / "libvirt" / "qemu.conf").write_text(
        'stdio_handler = "file"\nsave_image_format = "raw"\nmax_core = 0\n'
        'security_driver = "none"\n'
    )
    runtime.mkdir(mode=0o700, exist_ok=True)
    capabilities = cache_root() / "libvirt"
    capabilities.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = directory / "libvirt.log"
    command = [program, "--daemon"]
    if os.geteuid() == 0:
        # libvirt run by root is the system's own, with its sockets in /run. Inside a user
        # namespace it takes itself for an ordinary user's and stays in the lab's directory.
        one = _an_ordinary_user()
        ids = (f"--map-user={one.pw_uid}", f"--map-group={one.pw_gid}")
        command = ["unshare", "--user", *ids, *command]
    try:
        with log.open("ab") as output:
            started = subprocess.run(
                command,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                timeout=_DAEMON_STARTS_S,
                env=os.environ
                | {
                    "HOME": str(directory),
                    "LIBVIRT_LOG_OUTPUTS": f"3:file:{log}",
                    "XDG_RUNTIME_DIR": str(runtime),
                    "XDG_CONFIG_HOME": str(configuration),
                    "XDG_CACHE_HOME": str(capabilities),
                    "XDG_DATA_HOME": str(directory / "data"),
                    "XDG_STATE_HOME": str(directory / "state"),
                },
            )
    except subprocess.TimeoutExpired as error:
        raise LabError(
            f"{program} was not ready after {_DAEMON_STARTS_S:.0f} s",
            hint=f"see {log}; does {capabilities} lie on a disk that answers?",
        ) from error
    if started.returncode != 0:
        last_words = tail(log, 2000)
        raise LabError(
            f"{program} did not start (status {started.returncode}):\n{last_words.rstrip()}",
            hint=f"run lab/setup; {log} says more",
        )


def _answered(act: Callable[[], object]) -> None:
    """Call libvirt on a thread of its own: a daemon that hangs would be waited for without end.

    TimeoutError when it does not answer; what it was asked for may happen yet.
    """
    done: Future[None] = Future()

    def call() -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            done.set_exception(error)
        else:
            done.set_result(None)

    threading.Thread(target=call, name="libvirt", daemon=True).start()
    done.result(_ANSWERS_S)


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except (libvirt.libvirtError, TimeoutError) as error:
        said = str(error) or f"libvirt did not answer in {_ANSWERS_S:.0f} s"
        raise MachineError(
            f"{what}: {said}", hint="libvirt.log and log/ in the lab's directory say more"
        ) from error
