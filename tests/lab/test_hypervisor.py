"""libvirt's own test driver for power, and real private daemons for living side by side."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lab import hypervisor as module
from lab.errors import LabError, MachineError
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
        end_daemon(directory, signal.SIGTERM)


def end_daemon(directory: Path, number: signal.Signals) -> None:
    for pid in (directory / "run" / "libvirt").glob("*d.pid"):
        with contextlib.suppress(psutil.NoSuchProcess):
            daemon = psutil.Process(int(pid.read_text()))
            daemon.send_signal(number)
            daemon.wait(10)


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


def test_a_private_daemon_serves_qemu_and_outlives_its_connection(
    short_directory: Path, daemons: list[Path]
) -> None:
    daemons.append(short_directory)
    first = Hypervisor.start(short_directory)
    assert first.private
    first.define(SMALL.format(kind="qemu", name="node-a"))
    first.close()
    again = Hypervisor.start(short_directory)
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


def test_two_private_daemons_do_not_see_each_others_machines(
    short_directory: Path, daemons: list[Path]
) -> None:
    labs = [short_directory / "a", short_directory / "b"]
    for directory in labs:
        directory.mkdir()
        daemons.append(directory)
    one, other = (Hypervisor.start(directory) for directory in labs)
    one.define(SMALL.format(kind="qemu", name="node-a"))
    with pytest.raises(MachineError, match="node-a"):
        other.state("node-a")
    one.close()
    other.close()


def test_everything_of_a_private_daemon_lies_in_its_directory(
    short_directory: Path, daemons: list[Path]
) -> None:
    daemons.append(short_directory)
    Hypervisor.start(short_directory).close()
    assert (short_directory / "cfg" / "libvirt" / "qemu.conf").exists()
    assert (short_directory / "run").stat().st_mode & 0o7777 == 0o700
    pid = next((short_directory / "run" / "libvirt").glob("*d.pid")).read_text()
    assert f"HOME={short_directory}" in Path(f"/proc/{int(pid)}/environ").read_text()
    assert psutil.Process(int(pid)).ppid() != os.getpid()


def test_libvirts_errors_are_raised_and_not_printed(
    pretended: Hypervisor, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(MachineError):
        pretended.power_on("node-z")
    assert capfd.readouterr() == ("", "")
