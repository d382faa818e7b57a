"""Secrets are looked for by a program of its own; here, in a directory in place of a machine."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from checks.engine.verdict import Status
from checks.multi_node.secrecy import OF_MACHINES, OF_RUN
from evidence.events.installed import SecretsSearched
from evidence.history import read_history
from evidence.secret import Known, Secrets
from scenarios.multi_node import secrecy, secret_hunt, test_secrecy
from scenarios.multi_node.secret_hunt import search, watch
from tests.scenarios.pretended_portal import PRINTED, PretendedPortal
from tests.scenarios.test_multi_node_scenarios import ScriptedClients, Stage
from tests.scenarios.test_multi_node_scenarios import stage as stage

VALUE = "correct-horse-battery"
SECRET = {VALUE.encode(): "admin's password"}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the root of a machine, whose journal is empty, and where the search may write."""
    for name in ("var/log", "etc", "run"):
        (tmp_path / "root" / name).mkdir(parents=True)
    (tmp_path / "place").mkdir()
    monkeypatch.setattr(secret_hunt, "_JOURNAL", ("true",))
    return tmp_path / "root"


def found(machine: Path) -> dict[str, list[str]]:
    answers = search(machine.parent / "place", SECRET, machine)
    assert [one["where"] for one in answers] == [OF_MACHINES[i] for i in (1, 0, 2)]
    assert not any(one["unread"] for one in answers)
    return {one["where"]: [row["at"] for row in one["found"]] for one in answers}


def test_a_machine_without_secrets_is_searched_and_told_so(machine: Path) -> None:
    (machine / "var/log/syslog").write_text("nothing")
    answers = search(machine.parent / "place", SECRET, machine)
    assert [one["found"] for one in answers] == [[], [], []]
    assert [one["searched"] > 0 for one in answers] == [True, True, True]


def test_a_secret_in_a_log_is_found_whoever_may_read_it(machine: Path) -> None:
    log = machine / "var/log/syslog"
    log.write_bytes(b"\0binary\n" + VALUE.encode() + b"\n")
    log.chmod(0o600)
    assert found(machine)["logs"] == [str(log)]


def test_a_log_that_was_packed_is_read(machine: Path) -> None:
    packed = machine / "var/log/syslog.1.gz"
    packed.write_bytes(gzip.compress(f"it was {VALUE}".encode()))
    packed.chmod(0o600)
    assert found(machine)["logs"] == [str(packed)]


def test_the_journal_is_a_log(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_hunt, "_JOURNAL", ("echo", f"_CMDLINE=x {VALUE}"))
    assert found(machine)["logs"] == ["the journal"]


@pytest.mark.parametrize("command", [("false",), ("no-such-program",)])
def test_a_journal_that_cannot_be_read_is_told(
    machine: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setattr(secret_hunt, "_JOURNAL", command)
    logs = search(machine.parent / "place", SECRET, machine)[1]
    assert logs["unread"][0].startswith("the journal: ")


def test_a_file_that_everybody_may_read_is_found_where_everybody_may_enter(machine: Path) -> None:
    inner = machine / "etc" / "api"
    inner.mkdir()
    (inner / "config.php").write_text(VALUE)
    (inner / "config.php").chmod(0o644)
    (inner / "private").write_text(VALUE)
    (inner / "private").chmod(0o640)
    assert found(machine)["files that everybody may read"] == [str(inner / "config.php")]
    inner.chmod(0o750)
    assert found(machine)["files that everybody may read"] == []


def test_a_network_namespace_is_no_file_that_was_not_searched(machine: Path) -> None:
    """Seen: `ip netns add` mounts one at what looks like a file for everybody, and cannot be read.

    So a client machine left MN-32 UNKNOWN.
    """
    namespace = machine / "run/netns/client"
    namespace.parent.mkdir()
    namespace.touch()
    (machine / "run/open").write_text(VALUE)
    script = 'mount --bind /proc/self/ns/net "$1" && shift && exec "$@"'
    program = [sys.executable, secret_hunt.__file__, "search", machine.parent / "place", machine]
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", namespace, *program],
        input=json.dumps([["a password", VALUE]]),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    (answer,) = [one for one in json.loads(done.stdout) if one["where"] == OF_MACHINES[2]]
    assert answer["unread"] == []
    assert [row["at"] for row in answer["found"]] == [str(machine / "run/open")]


def test_what_is_too_large_is_told(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_hunt, "LARGEST", 3)
    (machine / "var/log/syslog").write_text("more")
    logs = search(machine.parent / "place", SECRET, machine)[1]
    assert logs["unread"] == [f"{machine}/var/log/syslog: it has 4 octets"]


@pytest.fixture
def failing_grep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a grep first in the path that does something else about files with "odd" in the name."""

    def put(failure: str) -> None:
        place = tmp_path / "bin"
        place.mkdir()
        program = place / "grep"
        real = shutil.which("grep")
        program.write_text(f'#!/bin/sh\ncase $* in *odd*) {failure};; esac\nexec {real} "$@"\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")

    return put


@pytest.mark.parametrize(
    ("failure", "said"),
    [("echo grep: memory exhausted >&2; exit 2", "memory exhausted"), ("kill -9 $$", "ended by")],
)
def test_a_search_that_failed_is_repeated_file_by_file_and_what_fails_is_told(
    machine: Path, failing_grep: Callable[[str], None], failure: str, said: str
) -> None:
    failing_grep(failure)
    for name in ("odd", "syslog", "daemon.log"):
        (machine / "var/log" / name).write_text(VALUE)
    logs = search(machine.parent / "place", SECRET, machine)[1]
    assert [one["at"] for one in logs["found"]] == [
        str(machine / "var/log" / name) for name in ("daemon.log", "syslog")
    ]
    (unread,) = logs["unread"]
    assert unread.startswith(f"{machine}/var/log/odd: it could not be searched: ")
    assert said in unread


def test_a_packed_log_whose_search_failed_is_told_by_its_own_name(
    machine: Path, monkeypatch: pytest.MonkeyPatch, failing_grep: Callable[[str], None]
) -> None:
    packed = machine / "var/log/syslog.1.gz"
    packed.write_bytes(gzip.compress(b"nothing"))
    place = machine.parent / "odd-place"
    place.mkdir()
    failing_grep("exit 2")
    logs = search(place, SECRET, machine)[1]
    assert sorted(one.split(": ")[0] for one in logs["unread"]) == [str(packed), "the journal"]


def test_command_lines_whose_search_failed_are_told(
    machine: Path, monkeypatch: pytest.MonkeyPatch, failing_grep: Callable[[str], None]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(machine.parent / "odd-tmp"))
    (machine.parent / "odd-tmp").mkdir()
    failing_grep("exit 2")
    (unread,) = search(machine.parent / "place", SECRET, machine)[0]["unread"]
    assert unread.startswith("the command lines: it could not be searched: ")


def test_a_file_that_is_gone_when_it_is_searched_is_no_failure(
    machine: Path, failing_grep: Callable[[str], None]
) -> None:
    odd = machine / "var/log/odd"
    odd.write_text("short-lived")
    failing_grep(f"rm -f {odd}; exit 2")
    assert search(machine.parent / "place", SECRET, machine)[1]["unread"] == []


@pytest.fixture
def careless() -> Iterator[None]:
    """Let a process run that was told a password on its command line."""
    words = [sys.executable, "-c", "input()", "--password", VALUE]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as process:
        yield
        process.communicate(b"\n")


def test_a_command_line_is_noted_while_it_is_there(machine: Path, careless: None) -> None:
    watch(machine.parent / "place", over=lambda: True)
    assert (machine.parent / "place" / secret_hunt.SEEN).stat().st_mode & 0o077 == 0
    (at,) = found(machine)["command lines"]
    assert at.startswith("python")


def test_a_command_line_that_was_noted_is_found_after_its_process(machine: Path) -> None:
    noted = machine.parent / "place" / secret_hunt.SEEN
    noted.write_text(f"curl curl -u user:{VALUE} https://x\n")
    assert found(machine)["command lines"] == ["curl"]


def test_the_program_is_told_secrets_by_stdin_and_prints_none(
    machine: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine / "var/log/syslog").write_text(VALUE)
    told = SimpleNamespace(read=lambda: json.dumps([["admin's password", VALUE]]))
    monkeypatch.setattr(sys, "stdin", told)
    assert secret_hunt.main(["search", str(machine.parent / "place"), str(machine)]) == 0
    said = capsys.readouterr().out
    assert VALUE not in said
    assert len(json.loads(said)) == len(OF_MACHINES)


def test_the_program_imports_nothing_of_this_project() -> None:
    text = Path(secret_hunt.__file__).read_text()
    for package in ("lab", "evidence", "checks", "provision", "scenarios"):
        assert f"from {package}" not in text


# What is looked for


def test_a_key_is_looked_for_by_its_lines_and_a_password_in_every_form() -> None:
    key = "-----BEGIN PRIVATE KEY-----\n" + "A" * 64 + "\nshort\n-----END PRIVATE KEY-----"
    wanted = secrecy.to_look_for(
        [
            Known(of="key", value=key),
            Known(of="password", value="long/enough"),
            Known(of="host key", value="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 root@node"),
            Known(of="known hosts", value="[127.0.0.1]:2222 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5"),
        ]
    )
    assert [text for name, text in wanted if name == "key"] == ["A" * 64]
    texts = {text for name, text in wanted if name == "password"}
    assert {"long/enough", "long%2Fenough", b"long/enough".hex()} <= texts
    assert {name for name, _ in wanted} == {"key", "password"}


def test_what_only_the_controller_knows_is_kept_apart(stage: Stage) -> None:
    said = json.dumps(
        {"API secret of x": "s3cret-of-x", "/var/lib/vpn-server-api/ta.key": "00" * 20}
    )
    machine = SimpleNamespace(name="controller", run=lambda *_: SimpleNamespace(stdout=said))
    secrecy.keep_all(stage.history, cast(Any, machine))
    assert {one.value for one in Secrets(stage.directory).known()} == {"s3cret-of-x", "00" * 20}


def test_the_evidence_so_far_is_searched(stage: Stage) -> None:
    Secrets(stage.directory).keep({"admin's password": VALUE})
    (stage.directory / "trouble.log").write_text(f"it said {VALUE}")
    secrecy.search_evidence(stage.history, cast(Any, SimpleNamespace(directory=stage.directory)))
    (event,) = read_history(stage.history.path).of(SecretsSearched)
    assert (event.where, event.secrets) == (OF_RUN, ("admin's password",))
    assert [one.at for one in event.found] == ["trouble.log (plain)"]


# The scenario, on machines that answer from a script


class Searched:
    """A machine that is watched, changed, and searched: nothing is found there."""

    def __init__(self, name: str, portal: PretendedPortal) -> None:
        self.name, self.portal = name, portal
        self.asked: list[str] = []

    def put(self, content: str, path: str, **_: Any) -> None:
        assert path == secrecy._SCRIPT
        compile(content, path, "exec")

    def run(self, command: str, *, stdin: str = "", **_: Any) -> Any:
        self.asked.append(command)
        said = ""
        if "deploy_controller.log" in command:
            said = PRINTED
        elif "curl -q -K -" in command:
            said = self.portal.answer(command, stdin)
        elif "php -r" in command:
            said = json.dumps({"API secret of x": "s3cret-of-x"})
        elif " search " in command:
            assert "s3cret-of-x" not in command
            assert "s3cret-of-x" in stdin
            answer = {"searched": 3, "found": [], "unread": []}
            said = json.dumps([{"where": where, **answer} for where in OF_MACHINES])
        return SimpleNamespace(status=0, stdout=said, output="", seconds=0.1)


def test_every_machine_is_watched_and_searched_and_left_as_it_was(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal = PretendedPortal(stage.site)
    machines = {name: Searched(name, portal) for name in stage.site.hosts}

    class Lab(dict[str, Searched]):
        directory = stage.directory

    test_secrecy.test_no_secret_stands_where_others_may_read_it(
        cast(Any, Lab(machines)),
        stage.site,
        stage.clients(ScriptedClients(stage.site), 4),
        stage.history,
        stage.judge,
    )
    assert stage.verdict.status is Status.PASS, stage.verdict.text
    for machine in machines.values():
        assert machine.asked[-1].endswith(f"rm -rf {secrecy._PLACE}")
