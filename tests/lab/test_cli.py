"""`python -m lab`: what it says of labs that are there, half there, or not."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lab import cli, paths
from lab.clock import NS, ClockOffset
from lab.connection import Connection
from lab.errors import LabError, MachineError
from lab.machine import CommandResult, Machine
from lab.marker import MARKER, hold
from lab.quiet import quiet
from lab.removal import remove
from lab.state import LabState, MachineState
from lab.topology import TOPOLOGIES, read_topology
from lab.wire import Port, Wire


def write_lab(directory: Path, uri: str | None = None) -> None:
    topology = read_topology("failover")
    machines = {
        machine.name: MachineState(ssh_port=2200 + index, host_key="ssh-ed25519 AAAA")
        for index, machine in enumerate(topology.machines)
    }
    LabState(
        topology=topology,
        image="debian-12",
        accelerator="tcg",
        uri=uri,
        machines=machines,
        clock=ClockOffset(4150 * NS, NS // 100),
    ).write(directory)


def without_owner(directory: Path) -> Path:
    pid, ticks, boot = (directory / MARKER).read_text().split()
    (directory / MARKER).write_text(f"{pid} {int(ticks) + 100} {boot}")
    return directory


def test_without_labs_status_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status"]) == 0
    assert capsys.readouterr().out == "no labs\n"


def test_status_lists_machines_and_half_made_labs(capsys: pytest.CaptureFixture[str]) -> None:
    whole, half = (paths.new_lab_directory("failover") for _ in range(2))
    write_lab(whole)
    assert cli.main(["status"]) == 0
    said = capsys.readouterr().out
    assert whole.name in said
    assert half.name in said
    assert "half-made" in said
    for word in ("gateway", "2202", "gone", "1 h 9 min 10.000 s behind, ±0.010 s"):
        assert word in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["ssh", "none", "gateway"],
        ["console", "none", "x"],
        ["run", "none", "x", "true"],
        ["down", "none"],
    ],
)
def test_a_lab_that_does_not_exist_is_answered_with_those_that_do(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    there = paths.new_lab_directory("failover")
    assert cli.main(arguments) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "error: there is no lab 'none'" in said.err
    assert f"hint: labs of this user: {there.name}" in said.err


def test_a_persons_command_keeps_no_lab_from_being_timed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = paths.new_lab_directory("failover")
    write_lab(directory)

    def execute(*_: object) -> tuple[int, bytes, bytes]:
        threading.Thread(target=time_something, daemon=True).start()
        assert timed.wait(20)
        return 3, b"out", b"err"

    def time_something() -> None:
        with quiet(Path("/labs/timed")):
            timed.set()

    timed = threading.Event()

    monkeypatch.setattr(Connection, "execute", execute)
    assert cli.main(["run", directory.name, "primary", "sleep", "3600"]) == 3
    assert capsys.readouterr().out == "out"


def test_a_machine_that_does_not_exist_is_answered_with_those_that_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    directory = paths.new_lab_directory("failover")
    write_lab(directory)
    assert cli.main(["ssh", directory.name, "toaster"]) == 1
    said = capsys.readouterr().err
    assert "no machine 'toaster'" in said
    assert "primary, secondary, gateway, client" in said


def test_an_error_with_brackets_is_printed_as_it_is(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    strange = tmp_path / "[red]x[" / "y]"
    assert cli.main(["up", f"{strange}.toml"]) == 1
    assert "[red]x[/y].toml" in capsys.readouterr().err


def test_a_wrong_topology_is_refused_before_anything_is_made(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, private_places: Path
) -> None:
    (tmp_path / "wrong.toml").write_text("name = 5")
    assert cli.main(["up", str(tmp_path / "wrong.toml")]) == 1
    assert "wrong.toml: name: 5:" in capsys.readouterr().err
    assert not private_places.exists()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("memory_mib = 512", "memory_mib = 1_000_000", "memory_mib = 1000000"),
        ("memory_mib = 512", "vcpus = 1_000_000", "vcpus: 1000000: "),
        ('"192.168.70.1"', '"192.168.70.255"', "not the broadcast address"),
        ('name = "primary"', 'name = "a\\nb"', "'a\\nb'"),
    ],
)
def test_a_topology_that_cannot_be_is_refused_before_anything_is_made(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    private_places: Path,
    old: str,
    new: str,
    said: str,
) -> None:
    content = (TOPOLOGIES / "failover.toml").read_text()
    assert old in content
    (tmp_path / "wrong.toml").write_text(content.replace(old, new, 1))
    assert cli.main(["up", str(tmp_path / "wrong.toml")]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err
    assert len(shown.err.splitlines()) <= 2
    assert not private_places.exists()


def test_a_lab_that_its_image_makes_too_large_is_refused_before_that_is_fetched(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, private_places: Path
) -> None:
    free = read_topology("failover").memory_mib
    monkeypatch.setattr("lab.topology.free_memory_mib", lambda: free)
    monkeypatch.setattr(cli, "prepare", lambda *_, **__: pytest.fail("began"))
    assert cli.main(["up", "failover", "--image", "centos-stream-9"]) == 1
    assert f"this host has {free} MiB free" in capsys.readouterr().err
    assert not private_places.exists()


def test_gc_removes_what_has_neither_owner_nor_wire(capsys: pytest.CaptureFixture[str]) -> None:
    orphan = without_owner(paths.new_lab_directory("failover"))
    owned = paths.new_lab_directory("failover")
    assert cli.main(["gc"]) == 0
    assert capsys.readouterr().out == f"removed {orphan.name}\n"
    assert not orphan.exists()
    assert owned.exists()
    assert cli.main(["gc"]) == 0
    assert capsys.readouterr().out == "nothing to remove\n"


def test_gc_keeps_a_lab_whose_wire_is_alive(
    short_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VPNPROOF_LABS", str(short_directory))
    directory = without_owner(paths.new_lab_directory("failover"))
    port = Port(name="gateway/wire0", segment="lan")
    wire = Wire.start(directory, [port], capture=directory / "wire.pcapng")
    try:
        assert cli.collect_garbage() == []
        assert directory.exists()
    finally:
        wire.stop()
    assert cli.collect_garbage() == [directory.name]
    assert not directory.exists()


def test_gc_keeps_a_lab_that_its_guardian_still_ends() -> None:
    directory = without_owner(paths.new_lab_directory("failover"))
    held = hold(directory)
    assert held is not None
    assert cli.collect_garbage() == []
    os.close(held)
    assert cli.collect_garbage() == [directory.name]


def test_gc_refuses_a_directory_that_holds_other_things_and_says_which(
    private_places: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    orphan = without_owner(paths.new_lab_directory("failover"))
    for name in ("Documents", "projects"):
        (private_places / name).mkdir()
        (private_places / name / "letter.txt").write_text("dear")
    for arguments in (["gc"], ["status"], ["down", "all"]):
        assert cli.main(arguments) == 1
        assert "it holds 'Documents', 'projects'" in capsys.readouterr().err
    assert orphan.exists()
    assert (private_places / "Documents" / "letter.txt").read_text() == "dear"


def test_gc_removes_what_was_left_half_made(private_places: Path) -> None:
    (paths.labs() / ".failover-12ab.unfinished").mkdir()
    assert cli.collect_garbage() == [".failover-12ab.unfinished"]
    assert not list(private_places.glob(".failover-*"))


def test_one_lab_that_cannot_be_removed_keeps_none_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    labs = sorted(without_owner(paths.new_lab_directory("failover")) for _ in range(3))

    def remove_but_the_first(directory: Path) -> None:
        if directory == labs[0]:
            raise LabError("stuck")
        remove(directory)

    monkeypatch.setattr(cli, "remove", remove_but_the_first)
    with pytest.raises(LabError, match="stuck"):
        cli.collect_garbage()
    assert list(paths.lab_directories()) == labs[:1]


@pytest.mark.parametrize("name", ["..", ".", "/", "../labs", "x/../.."])
def test_a_path_is_no_lab(name: str, private_places: Path) -> None:
    paths.labs()
    (private_places.parent / "lab.json").write_text("{}")
    assert cli.main(["down", name]) == 1
    assert private_places.exists()


def test_down_removes_a_lab_and_all_removes_every_one(capsys: pytest.CaptureFixture[str]) -> None:
    labs = [paths.new_lab_directory("failover") for _ in range(3)]
    write_lab(labs[0])
    assert cli.main(["down", labs[0].name]) == 0
    assert not labs[0].exists()
    assert cli.main(["down", "all"]) == 0
    assert list(paths.lab_directories()) == []
    assert capsys.readouterr().out.count("is down") == 3


def test_down_goes_on_after_a_lab_that_cannot_be_removed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    labs = sorted(paths.new_lab_directory("failover") for _ in range(3))

    def remove_but_the_first(directory: Path) -> None:
        if directory == labs[0]:
            raise LabError("stuck")
        remove(directory)

    monkeypatch.setattr(cli, "remove", remove_but_the_first)
    assert cli.main(["down", "all"]) == 1
    assert list(paths.lab_directories()) == labs[:1]
    assert "stuck" in capsys.readouterr().err


def test_removing_a_lab_in_a_libvirt_that_is_gone_removes_its_files() -> None:
    directory = paths.new_lab_directory("failover")
    write_lab(directory, uri="qemu+unix:///session?socket=/nonexistent/sock")
    remove(directory)
    assert not directory.exists()


def test_removing_a_lab_ends_its_machines_in_a_libvirt_that_others_use(tmp_path: Path) -> None:
    directory = paths.new_lab_directory("failover")
    write_lab(directory, uri="test:///default")
    remove(directory)
    assert not directory.exists()


def test_the_lines_to_look_around_name_lab_and_machines() -> None:
    directory = paths.new_lab_directory("failover")
    write_lab(directory)
    lines = cli.how_to_look(directory)
    assert f"python -m lab ssh {directory.name} gateway" in lines
    assert f"python -m lab console {directory.name} primary" in lines
    assert lines[-1] == f"python -m lab down {directory.name}"


def test_it_runs_as_a_module(private_places: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "lab", "status"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"VPNPROOF_LABS": str(private_places)},
    )
    assert (ran.returncode, ran.stdout) == (0, "no labs\n"), ran.stderr


def test_a_lab_file_is_json_that_others_can_read() -> None:
    directory = paths.new_lab_directory("failover")
    write_lab(directory)
    assert json.loads((directory / "lab.json").read_text())["image"] == "debian-12"


HOSTILE = "\x1b]0;title\x07\x1b[2J[red]\u202e"
SHOWN = r"\x1b]0;title\x07\x1b[2J[red]\u202e"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_console_is_shown_so_that_nothing_in_it_acts_on_a_terminal(
    terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    directory = paths.new_lab_directory("failover")
    write_lab(directory)
    (directory / "consoles").mkdir()
    (directory / "consoles" / "gateway.log").write_text(f"a\tb\r\n{HOSTILE}\r\n", newline="")
    monkeypatch.setattr("lab.console.pause", interrupted)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    assert cli.main(["console", directory.name, "gateway"]) == 130
    assert capsys.readouterr().out == f"a\tb\n{SHOWN if terminal else HOSTILE}\n"


def test_what_a_command_said_goes_to_a_file_as_it_is_and_not_to_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = paths.new_lab_directory("failover")
    write_lab(directory)
    said = CommandResult("x", 3, HOSTILE, HOSTILE, 0.0)
    monkeypatch.setattr(Machine, "run", lambda *_, **__: said)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert cli.main(["run", directory.name, "gateway", "x"]) == 3
    heard = capsys.readouterr()
    assert (heard.out, heard.err) == (SHOWN, HOSTILE)


def test_an_error_that_quotes_a_guest_is_shown_safely(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise MachineError(f"it said {HOSTILE}", hint=HOSTILE)

    directory = paths.new_lab_directory("failover")
    write_lab(directory)
    monkeypatch.setattr(Machine, "run", broken)
    assert cli.main(["run", directory.name, "gateway", "x"]) == 1
    assert capsys.readouterr().err == f"error: it said {SHOWN}\nhint: {SHOWN}\n"
