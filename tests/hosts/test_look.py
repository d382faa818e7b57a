"""Before anything starts, each host is asked whether it is fit: what is wrong is a line each."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.hosts import asked, connection, look
from lab.hosts.connection import Connections
from lab.hosts.look import Found
from lab.keys import KeyPair
from tests.hosts.playing import Stage


@contextmanager
def looked(
    stage: Stage, *, lab_mib: int = 0, **more: str
) -> Iterator[tuple[Mapping[str, Found], Mapping[str, list[str]]]]:
    connections = Connections(stage.read(**more).hosts)
    try:
        yield look.look(connections.each, lab_mib)
    finally:
        connections.close()


def test_hosts_say_what_they_are(two: Stage) -> None:
    with looked(two) as (fit, wrong):
        assert wrong == {}
        assert list(fit) == ["one", "two"]
        assert fit["one"].python == sys.version_info[:2]
        assert fit["one"].cores >= 1
        assert fit["one"].memory_mib > 0
        assert fit["one"].architecture == platform.machine()


def test_all_goes_over_one_connection_a_host(two: Stage) -> None:
    connections = Connections(two.read().hosts)
    try:
        look.look(connections.each)
        before = two.hosts["one"].server.connections
        for number in range(3):
            said = connections.each["one"].run(f"echo {number}; cat", b"given")
            assert said.out == f"{number}\ngiven".encode()
        assert two.hosts["one"].server.connections == before
    finally:
        connections.close()


def test_a_host_that_cannot_be_reached_is_named(two: Stage) -> None:
    file = two.read()
    two.hosts["two"].go()
    connections = Connections(file.hosts)
    try:
        fit, wrong = look.look(connections.each)
    finally:
        connections.close()
    assert list(fit) == ["one"]
    ((line,),) = wrong.values()
    assert line.startswith(f"{file.hosts[1]}: cannot be reached: ")


def test_a_host_that_lets_us_in_and_does_nothing_is_not_waited_for(
    two: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_OPENS_WITHIN_S", 0.3)
    two.hosts["one"].server.listening.clear()
    with looked(two) as (_, wrong):
        assert wrong["one"] == ["one: did not answer in 0.3 s"]


def test_a_host_key_that_changed_is_refused(two: Stage) -> None:
    file = two.read()
    port = file.hosts[0].there.port
    other = KeyPair.generate().public
    (two.folder / "other").write_text(f"[127.0.0.1]:{port} {other}\n")
    with looked(two, one='known_hosts = "other"') as (fit, wrong):
        assert list(fit) == ["two"]
        ((line,),) = wrong.values()
        assert "host key is another than the one in known_hosts" in line


def test_a_host_that_lets_nobody_in_is_named(two: Stage) -> None:
    with looked(two, one='user = "nobody"') as (fit, wrong):
        assert list(fit) == ["two"]
        assert "does not let nobody in with" in wrong["one"][0]


def python_says(version: str) -> str:
    """Play a Python of another version, as far as a host is asked."""
    return f"""#!/bin/sh
[ "$1" = -c ] && exit 0
exec {sys.executable} -c "import sys; sys.version_info = ({version}); sys.argv = ['-', '$2']
exec(sys.stdin.read())"
"""


def test_another_python_is_refused(two: Stage) -> None:
    two.hosts["one"].program("python3", python_says("3, 99"))
    with looked(two) as (_, wrong):
        assert "has Python 3.99, and 3." in wrong["one"][0]


def test_a_host_without_python_is_named(two: Stage) -> None:
    two.hosts["one"].program("python3", "#!/bin/sh\nexit 1\n")
    for tool in ("sh", "cat", "base64"):
        (two.hosts["one"].programs / tool).symlink_to(f"/bin/{tool}")
    two.hosts["one"].server.environment["PATH"] = str(two.hosts["one"].programs)
    with looked(two) as (_, wrong):
        assert "has no Python 3.11 or newer" in wrong["one"][0]


def test_another_architecture_is_refused(two: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with looked(two) as (fit, wrong):
        assert not fit
        assert wrong["two"][0].endswith(", and this host riscv64")


def test_a_host_without_room_says_how_much_it_has(
    two: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "ROOM_MIB", 2**40)
    with looked(two, lab_mib=2**40) as (_, wrong):
        disk, memory = wrong["one"]
        assert f"{2**40} are needed" in disk
        assert "MiB of memory, a lab needs" in memory


def test_a_host_has_to_have_memory_for_all_labs_that_its_file_wants_there(two: Stage) -> None:
    with looked(two, lab_mib=2**40 // 64, one="labs = 64", two="labs = 1") as (_, wrong):
        ((one,), (other,)) = wrong["one"], wrong["two"]
    assert one.endswith(f"MiB of memory, 64 labs need {2**40} MiB")
    assert other.endswith(f"MiB of memory, a lab needs {2**40 // 64} MiB")


def test_a_directory_that_others_may_write_to_is_refused(two: Stage) -> None:
    two.hosts["one"].directory.mkdir()
    two.hosts["one"].directory.chmod(0o777)
    with looked(two) as (_, wrong):
        assert "is not yours alone: its mode is drwxrwxrwx" in wrong["one"][0]


def test_two_names_of_one_place_are_found_out(two: Stage) -> None:
    two.hosts["two"].directory.symlink_to(two.folder)
    both = f'directory = "{two.hosts["two"].directory}/shared"'
    with looked(two, one=f'directory = "{two.folder}/shared"', two=both) as (fit, wrong):
        assert list(fit) == ["one"]
        assert wrong["two"] == [f"two: is one by another address: {two.folder}/shared is one place"]


def test_an_answer_that_is_none_is_told_in_one_line(two: Stage) -> None:
    two.hosts["one"].program("python3", "#!/bin/sh\n[ $1 = -c ] && exit 0\necho Hello; echo hm >&2")
    with looked(two) as (_, wrong):
        assert wrong["one"][0].endswith("cannot be asked what it is: hm")


def test_a_shell_that_greets_programs_is_named(two: Stage) -> None:
    two.hosts["one"].server.greeting = "echo Welcome to one;"
    with looked(two) as (fit, wrong):
        assert list(fit) == ["two"]
        assert "its shell says 'Welcome to one' before each command" in wrong["one"][0]


def test_a_qemu_that_is_too_old_is_named(two: Stage) -> None:
    said = "QEMU emulator version 6.2.0 (Debian 1:6.2+dfsg-2ubuntu6)"
    two.hosts["one"].program("qemu-system-x86_64", f"#!/bin/sh\necho '{said}'\n")
    with looked(two) as (fit, wrong):
        assert list(fit) == ["two"]
        assert wrong["one"][0].endswith("has QEMU 6.2.0, and labs need 7.2 or newer")


def test_a_server_that_takes_few_sessions_is_named(two: Stage) -> None:
    two.hosts["one"].server.most_sessions = 2
    with looked(two) as (fit, wrong):
        assert list(fit) == ["two"]
        wanted = r"takes [12] sessions on one connection, 9 are needed: see MaxSessions"
        assert re.search(wanted, wrong["one"][0])


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give an agent's socket; it holds nothing yet."""
    socket = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL) as one:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        until = time.monotonic() + 10
        while not socket.exists() and time.monotonic() < until:
            time.sleep(0.01)
        yield socket
        one.terminate()


def locked(stage: Stage, host: str) -> Path:
    """Let a host's key have a passphrase, its public half beside it; an agent may hold it."""
    key = stage.hosts[host].server.access.key
    subprocess.run(["ssh-add", "-q", str(key)], check=True)
    said = subprocess.run(["ssh-keygen", "-y", "-f", str(key)], capture_output=True, check=True)
    key.with_name(f"{key.name}.pub").write_bytes(said.stdout)
    change = ["ssh-keygen", "-q", "-p", "-f", str(key), "-P", "", "-N", "secret"]
    subprocess.run(change, check=True)
    return key


@pytest.mark.usefixtures("agent")
def test_a_key_with_a_passphrase_is_used_by_the_agent_that_holds_it(two: Stage) -> None:
    locked(two, "one")
    with looked(two) as (fit, wrong):
        assert wrong == {}
        assert list(fit) == ["one", "two"]


@pytest.mark.usefixtures("agent")
def test_a_key_with_a_passphrase_that_no_agent_holds_is_named(two: Stage) -> None:
    key = locked(two, "one")
    subprocess.run(["ssh-add", "-q", "-D"], check=True)
    with looked(two) as (fit, wrong):
        assert list(fit) == ["two"]
        assert f"{key} has a passphrase: add it to your agent (ssh-add)" in wrong["one"][0]


def test_where_no_programs_may_run_no_directory_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = SimpleNamespace(f_flag=os.ST_NOEXEC | os.ST_NODEV)
    monkeypatch.setattr(asked.os, "statvfs", lambda _: seen)
    assert "mounted noexec" in asked._problem(tmp_path, tmp_path)


def test_what_other_hosts_may_share_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "file_system", lambda _: "nfs4")
    told = asked._problem(tmp_path, tmp_path)
    assert told == "lies on nfs4, which other hosts may share: it has to be this host's own"


def test_the_file_system_is_read_from_the_mounts(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        "31 22 0:27 / /home rw,noatime shared:2 master:1 - nfs4 filer:/home rw\n"
    )
    assert asked.file_system(os.makedev(0, 27), str(mounts)) == "nfs4"
    assert asked.file_system(os.makedev(8, 1), str(mounts)) == "ext4"
    assert asked.file_system(os.makedev(9, 9), str(mounts)) == ""
    assert asked.file_system(0, str(tmp_path / "none")) == ""
