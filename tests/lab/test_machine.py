"""A machine over genuine SSH: commands, files, deadlines, broken connections."""

import contextlib
import dataclasses
import grp
import os
import pwd
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import paramiko
import pytest
from paramiko.pipe import PosixPipe

from lab.errors import (
    CommandFailed,
    DeadlinePassed,
    MachineError,
    MachineHung,
    OutputTooLong,
    ScenarioError,
)
from lab.keys import KeyPair
from lab.machine import CommandResult, Machine
from lab.ssh import Access, connect
from lab.timing import Kind, Recorder
from lab.wait import pause
from tests.lab.ssh_server import SshServer

MIB = 2**20


@pytest.fixture
def owned() -> dict[str, str]:
    """Whose the files are: these tests need not run as root."""
    return {
        "owner": pwd.getpwuid(os.getuid()).pw_name,
        "group": grp.getgrgid(os.getgid()).gr_name,
    }


def test_a_command_returns_what_it_said_and_its_status(machine: Machine) -> None:
    result = machine.run("echo out; echo err >&2; exit 3", check=False)
    assert (result.status, result.stdout, result.stderr) == (3, "out\n", "err\n")
    assert result.output == "out\nerr\n"


def test_waiting_for_another_labs_quiet_is_no_part_of_what_a_command_takes(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = 0.0

    @contextlib.contextmanager
    def an_hour_later(_lab: Path) -> Iterator[None]:
        nonlocal ahead
        ahead = 3600.0
        yield

    own = SimpleNamespace(**vars(time))
    own.monotonic = lambda: time.monotonic() + ahead
    monkeypatch.setattr("lab.machine.time", own)
    monkeypatch.setattr("lab.machine.busy", an_hour_later)
    assert machine.run("true").seconds < 3600


def test_output_that_is_not_utf8_does_not_stop_a_command(machine: Machine) -> None:
    assert machine.run(r"printf 'a\377b'").stdout == "a\ufffdb"


def test_a_failed_command_names_machine_command_status_and_output(machine: Machine) -> None:
    with pytest.raises(CommandFailed) as caught:
        machine.run("echo no such thing >&2; exit 7")
    text = str(caught.value)
    assert "node-a" in text
    assert "`echo no such thing >&2; exit 7` ended with status 7" in text
    assert text.endswith("no such thing")


def test_a_command_ended_by_a_signal_has_status_minus_one(machine: Machine) -> None:
    assert machine.run("echo before; kill -9 $$", check=False).status == -1
    assert machine.run("echo still connected").stdout == "still connected\n"


def test_input_of_some_mebibytes_arrives_whole(machine: Machine) -> None:
    content = os.urandom(5 * MIB)
    assert machine.run("wc -c", stdin=content).stdout.strip() == str(len(content))


def test_a_command_without_input_sees_end_of_file(machine: Machine) -> None:
    assert machine.run("cat; echo done").stdout == "done\n"


def test_a_command_need_not_read_its_input(machine: Machine) -> None:
    assert machine.run("exec <&-; echo enough", stdin=b"x" * 8 * MIB).stdout == "enough\n"


def test_large_output_on_both_streams_arrives_whole(machine: Machine) -> None:
    command = "head -c 5000000 /dev/zero | tr '\\0' o; head -c 3000000 /dev/zero | tr '\\0' e >&2"
    result = machine.run(command)
    assert (len(result.stdout), len(result.stderr)) == (5_000_000, 3_000_000)


def test_input_and_output_may_be_large_at_once(machine: Machine) -> None:
    assert len(machine.run("cat", stdin=b"x" * 6 * MIB).stdout) == 6 * MIB


def test_a_command_that_leaves_something_in_the_background_returns(machine: Machine) -> None:
    result = machine.run("sleep 30 & echo $!")
    os.kill(int(result.stdout), 9)
    assert result.status == 0


def test_words_said_after_the_end_of_a_command_are_not_lost(machine: Machine) -> None:
    command = "(for i in 1 2 3 4 5 6 7 8; do sleep 0.1; echo $i; done) & echo 0"
    assert machine.run(command).stdout.split() == [str(i) for i in range(9)]


def test_what_a_command_said_comes_whole_though_its_status_came_a_second_before(
    machine: Machine, server: SshServer
) -> None:
    """The host kept sshd from running, or us; sshd tells of a child's end before its last words."""
    server.talking.clear()
    later = threading.Timer(1.0, server.talking.set)
    later.start()
    assert machine.run("echo out; echo err >&2").output == "out\nerr\n"
    later.join()


def test_a_machine_that_stands_still_after_a_status_has_not_said_all(
    machine: Machine, server: SshServer
) -> None:
    server.talking.clear()
    with pytest.raises(DeadlinePassed, match="`echo out` on node-a"):
        machine.run("echo out", timeout=1)
    server.talking.set()
    assert machine.run("echo again").stdout == "again\n"


def test_output_that_still_comes_at_the_deadline_is_not_whole(machine: Machine) -> None:
    command = "(for i in $(seq 30); do echo more; sleep 0.1; done) & echo begun"
    with pytest.raises(DeadlinePassed, match=r"(?s)on node-a.*begun.*more"):
        machine.run(command, timeout=0.5)


def test_a_command_that_ended_right_before_its_deadline_is_done(machine: Machine) -> None:
    result = machine.run("sleep 30 >&2 & echo $!; sleep 0.35", timeout=0.5)
    os.kill(int(result.stdout), 9)


def test_a_command_that_takes_too_long_is_an_error_with_its_output_so_far(
    machine: Machine,
) -> None:
    with pytest.raises(DeadlinePassed, match=r"(?s)`echo soon; exec sleep 2` on node-a.*soon"):
        machine.run("echo soon; exec sleep 2", timeout=0.3)


def test_the_connection_outlives_a_command_that_took_too_long(
    machine: Machine, server: SshServer
) -> None:
    with pytest.raises(DeadlinePassed, match="it said nothing so far"):
        machine.run("exec sleep 1", timeout=0.1)
    assert machine.run("echo here").stdout == "here\n"
    assert server.connections == 1


@pytest.mark.parametrize("content", [b"", b"text\n", bytes(range(256)) * 5000])
def test_what_was_put_is_what_is_got(
    machine: Machine, tmp_path: Path, owned: dict[str, str], content: bytes
) -> None:
    path = str(tmp_path / "a file with 'quotes'")
    machine.put(content, path, **owned)
    assert machine.get(path) == content


def test_a_file_that_was_put_has_its_mode_and_missing_directories_are_open_to_all(
    machine: Machine, tmp_path: Path, owned: dict[str, str]
) -> None:
    path = tmp_path / "new directory" / "deeper" / "secret"
    machine.put("x", str(path), mode=0o600, **owned)
    assert path.stat().st_mode & 0o7777 == 0o600
    assert path.parent.stat().st_mode & 0o7777 == 0o755


def test_putting_a_file_leaves_nothing_beside_it(
    machine: Machine, tmp_path: Path, owned: dict[str, str]
) -> None:
    (tmp_path / "etc").mkdir()
    machine.put("x", str(tmp_path / "etc" / "conf"), **owned)
    with pytest.raises(CommandFailed):
        machine.put("y", str(tmp_path / "etc" / "conf"), owner="nobody-of-that-name")
    assert [path.name for path in (tmp_path / "etc").iterdir()] == ["conf"]
    assert (tmp_path / "etc" / "conf").read_text() == "x"


def test_a_file_is_never_put_into_a_directory_of_its_name(
    machine: Machine, tmp_path: Path, owned: dict[str, str]
) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(CommandFailed):
        machine.put("x", str(tmp_path / "taken"), **owned)
    assert list((tmp_path / "taken").iterdir()) == []


def test_a_connection_that_breaks_in_the_middle_leaves_the_old_file(
    machine: Machine, server: SshServer, tmp_path: Path, owned: dict[str, str]
) -> None:
    path = tmp_path / "conf"
    path.write_text("old")
    server.cut_after = MIB
    with pytest.raises(MachineError):
        machine.put(b"x" * 8 * MIB, str(path), **owned)
    server.wait_for_commands()
    assert path.read_text() == "old"


def test_getting_a_file_that_is_not_there_is_file_not_found(
    machine: Machine, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match=r"node-a:.*/nothing"):
        machine.get(str(tmp_path / "nothing"))


def test_getting_a_directory_is_a_failed_command(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match=r"(?i)directory"):
        machine.get(str(tmp_path))


def test_a_machine_with_another_host_key_is_refused(server: SshServer) -> None:
    expected = dataclasses.replace(server.access, host_key=KeyPair.generate().public)
    with pytest.raises(MachineError, match=r"BadHostKey|does not match"):
        Machine("node-a", expected).run("true")


def test_a_wrong_client_key_is_refused(server: SshServer, tmp_path: Path) -> None:
    KeyPair.generate().write_private(tmp_path / "other")
    with pytest.raises(MachineError, match="Authentication"):
        Machine("node-a", dataclasses.replace(server.access, key=tmp_path / "other")).run("true")


def test_commands_go_over_one_connection(machine: Machine, server: SshServer) -> None:
    for _ in range(3):
        machine.run("true")
    assert server.connections == 1


def test_a_login_that_fails_halfway_is_begun_anew(machine: Machine, server: SshServer) -> None:
    server.hangs_up = 2
    assert machine.run("echo in").stdout == "in\n"
    assert server.connections == 3


def test_a_machine_that_never_lets_in_is_an_error(machine: Machine, server: SshServer) -> None:
    server.hangs_up = 100
    with pytest.raises(MachineError, match="node-a"):
        machine.run("true")
    assert server.connections == 3


def test_a_connection_that_was_dropped_is_opened_anew(machine: Machine, server: SshServer) -> None:
    machine.run("true")
    server.drop()
    assert machine.run("echo back").stdout == "back\n"
    assert server.connections == 2


def test_a_connection_that_breaks_during_a_command_shows_the_console(
    machine: Machine, server: SshServer
) -> None:
    server.cut_after = 1
    with pytest.raises(MachineError, match=r"(?s)broke during `cat`.*the console's last line"):
        machine.run("cat", stdin="x", check=False)


def test_a_machine_that_stops_answering_is_given_up_after_the_deadline(
    machine: Machine, server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.connection._GRACE", 0.1)
    machine.run("true")
    server.listening.clear()
    with pytest.raises(DeadlinePassed, match="`true` on node-a: the machine does not answer"):
        machine.run("true", timeout=0.1)
    server.listening.set()
    assert machine.run("echo awake").stdout == "awake\n"


def test_commands_run_side_by_side(machine: Machine, server: SshServer) -> None:
    with ThreadPoolExecutor(20) as pool:
        results = list(pool.map(lambda i: machine.run(f"sleep 0.05; echo {i}").stdout, range(40)))
    assert results == [f"{i}\n" for i in range(40)]
    assert server.connections == 1
    assert server.most_at_once <= 10


def test_side_by_side_after_a_drop_nobody_cuts_anothers_connection(
    machine: Machine, server: SshServer
) -> None:
    machine.run("true")
    server.drop()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda i: machine.run(f"echo {i}").stdout, range(16)))
    assert results == [f"{i}\n" for i in range(16)]


def test_the_testinfra_host_asks_over_the_same_connection(
    machine: Machine, server: SshServer, tmp_path: Path
) -> None:
    (tmp_path / "conf").write_text("answer = 42\n")
    asked = machine.host.file(str(tmp_path / "conf"))
    assert asked.exists
    assert asked.contains("42")
    assert asked.content == b"answer = 42\n"
    assert machine.host.run("echo %s; exit 4", "two words").rc == 4
    assert machine.host.check_output("echo %s", "two  words") == "two  words"
    assert server.connections == 1


def test_waiting_for_a_machine_that_answers_returns(machine: Machine) -> None:
    machine.wait_until_up(5)
    assert machine.run("echo up").stdout == "up\n"


def test_waiting_for_a_silent_machine_names_the_reason_and_the_console(server: SshServer) -> None:
    wrong = dataclasses.replace(server.access, host_key=KeyPair.generate().public)
    waiting = Machine("node-a", wrong, console=lambda: "kernel panic")
    with pytest.raises(DeadlinePassed, match=r"(?s)node-a to answer on SSH.*Key.*kernel panic"):
        waiting.wait_until_up(0.1)


@pytest.mark.parametrize(
    ("said", "error"),
    [("[    0.052000] tsc: Unable to calibrate\n", MachineHung), ("login:", DeadlinePassed)],
)
def test_a_machine_whose_kernel_stopped_as_it_booted_is_not_waited_for(
    server: SshServer, monkeypatch: pytest.MonkeyPatch, said: str, error: type[DeadlinePassed]
) -> None:
    monkeypatch.setattr("lab.boot._SILENT_S", 0.1)
    wrong = dataclasses.replace(server.access, host_key=KeyPair.generate().public)
    waiting = Machine("node-a", wrong, console=lambda: said)
    with pytest.raises(DeadlinePassed) as caught:
        waiting.wait_until_up(2)
    assert caught.type is error
    assert said in caught.value.message


def test_a_machine_without_a_hypervisor_has_no_power_switch(machine: Machine) -> None:
    with pytest.raises(ScenarioError, match="node-a was reached without its hypervisor"):
        machine.kill()


def test_the_ssh_line_names_key_port_and_known_hosts(server: SshServer) -> None:
    line = server.access.ssh_command(Path("/with space/known_hosts"))
    assert re.fullmatch(
        rf"ssh -i \S+/client -p {server.access.port} "
        r"-o UserKnownHostsFile='/with space/known_hosts' root@127.0.0.1",
        line,
    )


def test_waiting_for_a_machine_that_was_given_up_ends(machine: Machine) -> None:
    machine.give_up()
    with pytest.raises(MachineError, match="node-a was given up"):
        machine.wait_until_up(3600)


def test_who_gives_up_a_machine_gives_it_up_by_every_way(
    machine: Machine, server: SshServer
) -> None:
    """Ctrl-C in a cold start: what the machine still is has other keys, and is waited for."""
    another = machine.reached_by(dataclasses.replace(server.access, key=Path("/nonexistent")))
    machine.give_up()
    with pytest.raises(MachineError, match="node-a was given up"):
        another.wait_until_up(3600)


def test_a_command_and_the_log_in_it_takes_are_told_apart(
    machine: Machine, recorder: Recorder
) -> None:
    for _ in range(3):
        machine.run("sleep 0.05")
    shares = recorder.take().shares
    assert (shares[Kind.COMMAND].count, shares[Kind.LOGIN].count) == (3, 1)
    assert shares[Kind.COMMAND].own_s >= 0.15
    assert shares[Kind.LOGIN].own_s > 0


def test_waiting_for_a_machine_is_its_own_affair(machine: Machine, recorder: Recorder) -> None:
    machine.wait_until_up(10)
    shares = recorder.take().shares
    assert shares[Kind.POWER].own_s == shares[Kind.POWER].wall_s > 0
    assert shares[Kind.LOGIN].own_s == 0


def test_a_command_that_never_ends_to_speak_is_ended_at_the_limit(
    machine: Machine, server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VPNPROOF_OUTPUT_MIB", "1")
    for stream in ("", " >&2"):
        with pytest.raises(OutputTooLong, match=r"`.*` on node-a said more than 1 MiB") as caught:
            machine.run(f"exec cat /dev/zero{stream}", timeout=60)
        assert "VPNPROOF_OUTPUT_MIB" in caught.value.hint
    server.wait_for_commands()
    assert machine.run("echo here").stdout == "here\n"
    assert server.connections == 1


def test_words_that_come_while_a_command_is_ended_cost_no_connection(
    machine: Machine, server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe that paramiko makes for `select` is written to while it is closed."""

    def close_slowly(pipe: PosixPipe) -> None:
        os.close(pipe._rfd)
        pause(0.3)
        os.close(pipe._wfd)
        pipe._closed = True

    monkeypatch.setattr(PosixPipe, "close", close_slowly)
    with pytest.raises(DeadlinePassed):
        machine.run("while echo word; do sleep 0.01; done", timeout=0.3)
    server.wait_for_commands()
    assert machine.run("echo here").stdout == "here\n"
    assert server.connections == 1


def test_a_file_that_is_too_large_is_not_got(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VPNPROOF_OUTPUT_MIB", "1")
    (tmp_path / "sparse").touch()
    os.truncate(tmp_path / "sparse", 8 * 1024 * MIB)
    with pytest.raises(OutputTooLong, match="said more than 1 MiB"):
        machine.get(str(tmp_path / "sparse"))


def test_output_up_to_the_limit_arrives_whole(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VPNPROOF_OUTPUT_MIB", "1")
    assert len(machine.run("head -c 1048576 /dev/zero").stdout) == MIB


def test_an_error_shows_the_end_of_a_long_output_and_keeps_all_of_it(machine: Machine) -> None:
    with pytest.raises(CommandFailed) as caught:
        machine.run("head -c 100000 /dev/zero | tr '\\0' x; echo; echo the end; exit 1")
    assert len(str(caught.value)) < 20_000
    assert str(caught.value).endswith("x\nthe end")
    assert "[84008 characters before this]" in str(caught.value)
    assert len(caught.value.output) == 100_009


def test_escape_sequences_in_an_output_do_not_act_where_an_error_is_shown(
    machine: Machine,
) -> None:
    with pytest.raises(CommandFailed) as caught:
        machine.run(r"printf '\033]0;title\007\nplain'; exit 1")
    assert str(caught.value).endswith("\\x1b]0;title\\x07\nplain")


def test_a_clock_that_tells_no_time_is_an_error_of_the_machine(machine: Machine) -> None:
    def run(command: str) -> CommandResult:
        return CommandResult(command, 0, "yesterday\n", "", 0.0)

    machine.run = run  # type: ignore[method-assign, assignment]
    with pytest.raises(MachineError, match="node-a: its clock cannot be read: b'yesterday"):
        machine.clock()


def test_one_who_talks_without_end_before_a_login_is_not_listened_to(tmp_path: Path) -> None:
    KeyPair.generate().write_private(tmp_path / "client")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number = listening.getsockname()[1]
        access = Access(number, tmp_path / "client", KeyPair.generate().public)

        def talk() -> None:
            with contextlib.suppress(OSError):
                guest, _ = listening.accept()
                with guest:
                    while True:
                        guest.sendall(b"x" * 65536)

        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        with pytest.raises((OSError, EOFError, paramiko.SSHException)):
            connect(access, patience=60)
        thread.join(10)
        assert not thread.is_alive()
