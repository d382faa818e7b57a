"""libvirt's own test driver for power, and real private daemons for living side by side."""

import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from lab import hypervisor as module
from lab.errors import LabError, MachineError
from lab.guardian.belonging import processes_of
from lab.hypervisor import Hypervisor

SMALL = """
<domain type='{kind}'>
  <name>{name}</name>
  <memory unit='MiB'>64</memory>
  <os><type arch='x86_64'>hvm</type></os>
</domain>
"""


@pytest.fixture
def pretended() -> Iterator[Hypervisor]:
    """Give libvirt's test driver, which keeps its machines in this process."""
    opened = Hypervisor.open("test:///default")
    opened.define(SMALL.format(kind="test", name="node-a"))
    yield opened
    opened.kill("node-a")
    opened.forget("node-a")
    opened.close()


@pytest.fixture
def daemons() -> Iterator[list[Path]]:
    """Collect lab directories, whose daemons are ended by their pids afterwards."""
    directories: list[Path] = []
    yield directories
    for directory in directories:
        end_daemon(directory, signal.SIGKILL)  # its directory goes, so nothing needs to be tidy


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the lab directory of a private daemon that several tests use."""
    directory = Path(tempfile.mkdtemp(prefix="vp", dir="/tmp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VPNPROOF_CACHE", str(tmp_path_factory.mktemp("cache")))
        Hypervisor.start(directory).close()
    yield directory
    end_daemon(directory, signal.SIGKILL)
    shutil.rmtree(directory)


def end_daemon(directory: Path, number: signal.Signals) -> None:
    """Send a signal to the daemon that lives in `directory`, and to no other that has its pid."""
    for one in processes_of(directory):
        pidfd = os.pidfd_open(one.pid)
        if one in processes_of(directory):
            signal.pidfd_send_signal(pidfd, number)
            assert select.select([pidfd], [], [], 10)[0]
        os.close(pidfd)


def test_a_machine_that_was_defined_is_off(pretended: Hypervisor) -> None:
    assert pretended.state("node-a") == "off"
    assert not pretended.is_on("node-a")


def test_power_goes_on_and_is_cut(pretended: Hypervisor) -> None:
    pretended.power_on("node-a")
    assert pretended.state("node-a") == "running"
    pretended.kill("node-a")
    assert pretended.state("node-a") == "off"


def test_cutting_the_power_of_a_machine_that_is_off_does_nothing(pretended: Hypervisor) -> None:
    pretended.kill("node-a")
    assert pretended.state("node-a") == "off"


def test_a_paused_machine_has_power_and_goes_on(pretended: Hypervisor) -> None:
    pretended.power_on("node-a")
    pretended.pause("node-a")
    assert pretended.state("node-a") == "paused"
    assert pretended.is_on("node-a")
    pretended.resume("node-a")
    assert pretended.state("node-a") == "running"


def test_shutting_down_waits_until_the_machine_is_off(pretended: Hypervisor) -> None:
    pretended.power_on("node-a")
    pretended.shut_down("node-a")
    assert not pretended.is_on("node-a")


@pytest.mark.parametrize("act", ["shut_down", "pause", "resume"])
def test_what_a_machine_that_is_off_cannot_do_is_an_error_that_names_it(
    pretended: Hypervisor, act: str
) -> None:
    with pytest.raises(MachineError, match=r"cannot .* node-a: .*\n?hint: "):
        getattr(pretended, act)("node-a")


def test_a_machine_cannot_be_started_twice(pretended: Hypervisor) -> None:
    pretended.power_on("node-a")
    with pytest.raises(MachineError, match="cannot start node-a"):
        pretended.power_on("node-a")


def test_a_machine_that_is_not_known_is_an_error_that_names_it(pretended: Hypervisor) -> None:
    with pytest.raises(MachineError, match="node-z"):
        pretended.power_on("node-z")
    with pytest.raises(MachineError, match="node-z"):
        pretended.kill("node-z")


def test_forgetting_a_machine_that_is_not_known_does_nothing(pretended: Hypervisor) -> None:
    pretended.forget("node-z")


def test_a_machine_is_known_by_where_its_disk_lies(pretended: Hypervisor, tmp_path: Path) -> None:
    disk = f"<devices><disk><source file='{tmp_path}/disks/x.qcow2'/><target dev='vda'/></disk>"
    xml = SMALL.format(kind="test", name="node-b").replace(
        "</domain>", f"{disk}</devices></domain>"
    )
    pretended.define(xml)
    assert pretended.has_files_below("node-b", tmp_path)
    assert not pretended.has_files_below("node-b", tmp_path / "disk")
    assert not pretended.has_files_below("node-a", tmp_path)
    assert not pretended.has_files_below("node-z", tmp_path)
    pretended.forget("node-b")


def test_a_libvirt_that_never_answers_is_an_error_that_names_the_machine(
    pretended: Hypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.hypervisor._ANSWERS_S", 0.05)
    hangs = threading.Event()
    stuck = SimpleNamespace(
        create=hangs.wait, destroy=hangs.wait, suspend=hangs.wait, resume=hangs.wait
    )
    monkeypatch.setattr(pretended, "_domain", lambda _name: stuck)
    try:
        for act in ("power_on", "kill", "pause", "resume"):
            with pytest.raises(MachineError, match=r"cannot .* node-a: libvirt did not answer"):
                getattr(pretended, act)("node-a")
    finally:
        hangs.set()


def test_xml_that_libvirt_refuses_is_an_error_with_its_words(pretended: Hypervisor) -> None:
    with pytest.raises(MachineError, match="libvirt refuses the machine"):
        pretended.define("<domain type='test'/>")


@pytest.mark.parametrize("uri", ["qemu+unix:///session?socket=/nonexistent/sock", "nonsense:///"])
def test_a_libvirt_that_does_not_answer_is_an_error_with_a_way_out(uri: str) -> None:
    with pytest.raises(LabError, match=r"does not answer(?s:.*)hint: run lab/setup"):
        Hypervisor.open(uri)


def test_a_host_without_libvirt_is_told_to_run_setup(
    monkeypatch: pytest.MonkeyPatch, short_directory: Path
) -> None:
    monkeypatch.setattr(module, "_DAEMONS", (("no-such-daemon", "sock"),))
    with pytest.raises(LabError, match=r"no libvirt daemon on this host(?s:.*)lab/setup"):
        Hypervisor.start(short_directory)
    assert list(short_directory.iterdir()) == []


def test_a_daemon_that_cannot_start_is_an_error_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch, short_directory: Path
) -> None:
    program = short_directory / "broken"
    program.write_text("#!/bin/sh\necho out of luck >&2\nexit 6\n")
    program.chmod(0o755)
    monkeypatch.setattr(module, "_DAEMONS", ((str(program), "sock"),))
    with pytest.raises(LabError, match=r"did not start \(status 6\)(?s:.*)out of luck"):
        Hypervisor.start(short_directory)


def test_a_daemon_that_is_never_ready_is_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch, short_directory: Path
) -> None:
    program = short_directory / "stuck"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(module, "_DAEMONS", ((str(program), "sock"),))
    monkeypatch.setattr(module, "_DAEMON_STARTS_S", 0.2)
    with pytest.raises(LabError, match="was not ready after 0 s"):
        Hypervisor.start(short_directory)


def test_a_private_daemon_serves_qemu_and_outlives_its_connection(
    daemon: Path,
) -> None:
    first = Hypervisor.start(daemon)
    assert first.private
    first.define(SMALL.format(kind="qemu", name="node-a"))
    first.close()
    again = Hypervisor.start(daemon)
    assert again.state("node-a") == "off"
    again.close()


def test_a_private_daemon_that_was_killed_is_started_again(
    short_directory: Path, daemons: list[Path]
) -> None:
    daemons.append(short_directory)
    Hypervisor.start(short_directory).close()
    end_daemon(short_directory, signal.SIGKILL)
    again = Hypervisor.start(short_directory)
    again.define(SMALL.format(kind="qemu", name="node-a"))
    assert again.state("node-a") == "off"
    again.close()


STARTS = """
import sys, pathlib
from lab.hypervisor import Hypervisor
Hypervisor.start(pathlib.Path(sys.argv[1]))
"""


def test_a_machine_of_which_root_is_the_only_person_runs_a_private_daemon(
    short_directory: Path, daemons: list[Path]
) -> None:
    """As in a container, or on a server just set up: none of its users is a person's."""
    daemons.append(short_directory)
    users = Path("/etc/passwd").read_text().splitlines(keepends=True)
    few = short_directory / "passwd"
    few.write_text("".join(one for one in users if int(one.split(":")[2]) < 1000))
    subprocess.run(
        [
            *("unshare", "--map-root-user", "--mount", "sh", "-ec"),
            'mount --bind "$1" /etc/passwd; shift; exec "$@"',
            *("sh", few, sys.executable, "-c", STARTS, short_directory),
        ],
        check=True,
    )


def test_a_machine_without_any_user_but_root_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, short_directory: Path
) -> None:
    monkeypatch.setattr(module.os, "geteuid", lambda: 0)
    monkeypatch.setattr(module.pwd, "getpwall", lambda: [pwd.getpwuid(0)])
    with pytest.raises(LabError, match="root is the only user"):
        Hypervisor.start(short_directory)


def test_two_private_daemons_do_not_see_each_others_machines(
    daemon: Path, short_directory: Path, daemons: list[Path]
) -> None:
    daemons.append(short_directory)
    one, other = Hypervisor.start(daemon), Hypervisor.start(short_directory)
    one.define(SMALL.format(kind="qemu", name="only-here"))
    with pytest.raises(MachineError, match="only-here"):
        other.state("only-here")
    one.close()
    other.close()


def test_everything_of_a_private_daemon_lies_in_its_directory(
    daemon: Path,
) -> None:
    assert (daemon / "cfg" / "libvirt" / "qemu.conf").exists()
    assert (daemon / "run").stat().st_mode & 0o7777 == 0o700
    pid = next((daemon / "run" / "libvirt").glob("*d.pid")).read_text()
    assert f"HOME={daemon}" in Path(f"/proc/{int(pid)}/environ").read_text()
    assert psutil.Process(int(pid)).ppid() != os.getpid()


def test_a_private_daemon_gives_its_machines_no_label_of_their_own(daemon: Path) -> None:
    """QEMU could not use the lab's sockets with SELinux' label of a guest, which is the default."""
    told = (daemon / "cfg" / "libvirt" / "qemu.conf").read_text().splitlines()
    assert 'security_driver = "none"' in told
    opened = Hypervisor.start(daemon)
    opened.define(SMALL.format(kind="qemu", name="unlabelled"))
    assert "<seclabel" not in opened._domain("unlabelled").XMLDesc()
    opened.close()


def test_libvirts_errors_are_raised_and_not_printed(
    pretended: Hypervisor, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(MachineError):
        pretended.power_on("node-z")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("said", "fine"),
    [
        ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)", True),
        ("QEMU emulator version 10.0.0 (qemu-kvm-10.0.0-1.el9)", True),
        ("QEMU emulator version 6.2.0 (Debian 1:6.2+dfsg-2ubuntu6)", False),
        ("QEMU emulator version 7.1.0", False),
        ("something else", False),
    ],
)
def test_a_qemu_whose_nics_anyone_could_write_to_is_refused(
    monkeypatch: pytest.MonkeyPatch, said: str, fine: bool
) -> None:
    monkeypatch.setattr(module, "installed_versions", lambda: {"qemu": said})
    if fine:
        module.require_unix_nics()
        return
    with pytest.raises(LabError, match=r"too old: .*7\.2 is needed"):
        module.require_unix_nics()
