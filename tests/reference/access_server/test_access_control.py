"""What asks the running service over its socket: the same answers as by the program alone."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from openvpnas import profiles, snapshot
from openvpnas.asked import PROGRAMS
from openvpnas.certificate_store import CertificateStore
from openvpnas.config import Config
from openvpnas.control import ALONE, VALUE, Answer, Control, NotAQuestion, Question, decode
from openvpnas.paths import Paths
from openvpnas.users import Users

SACLI = "scripts/sacli"


@dataclass
class Service:
    """A control socket that is open, and what it was asked."""

    paths: Paths
    asked: list[Question] = field(default_factory=list)

    def recording(self, name: str) -> Callable[[Paths, Question], Answer]:
        def program(paths: Paths, question: Question) -> Answer:
            self.asked.append(question)
            return PROGRAMS[name](paths, question)

        return program


@pytest.fixture(scope="session")
def furnished(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a primary node with a user who has certificates, and a snapshot that has arrived."""
    root = tmp_path_factory.mktemp("furnished") / "root"
    shutil.copytree(template, root)
    paths = Paths(root)
    users, config, store = Users.at(paths), Config.at(paths), CertificateStore.at(paths)
    users.put("alice", "prop_autologin", "true")
    users.add_one_time_passwords("alice", ["one", "two"])
    profiles.user_login("alice", config, users, store)
    profiles.auto_login("alice", config, users, store)
    snapshot.make(paths)
    paths.staging.mkdir()
    shutil.copytree(paths.outgoing / "complete", paths.staging / "incoming")
    return root


@pytest.fixture
def short() -> Iterator[Path]:
    """Give a directory whose name leaves room for a socket's: 107 bytes in all."""
    with tempfile.TemporaryDirectory(prefix="control", dir="/tmp") as directory:
        yield Path(directory)


@pytest.fixture
def node(furnished: Path, short: Path) -> Paths:
    shutil.copytree(furnished, short / "node")
    return Paths(short / "node")


@contextmanager
def serving(paths: Paths) -> Iterator[Service]:
    service = Service(paths)
    control = Control(paths, {name: service.recording(name) for name in PROGRAMS})
    try:
        yield service
    finally:
        control.finish()


Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def run(installed: Path, tmp_path: Path) -> Run:
    """Give what runs an installed program on a node, from a directory with a few files."""
    (tmp_path / "value file").write_bytes(b"LAB-25-abcdef\r\n")
    (tmp_path / "broken").write_bytes(b"\xff\n")
    (tmp_path / "long").write_text("word " * 5000)

    def started(
        paths: Paths, program: str, *words: str, stdin: bytes = b"", **variables: str
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [installed / "usr/local/openvpn_as" / program, *words],
            input=stdin,
            cwd=tmp_path,
            env={**os.environ, "OPENVPN_AS_ROOT": str(paths.root), **variables},
            capture_output=True,
            check=False,
            timeout=60,
        )

    return started


@pytest.fixture
def without_twins(installed: Path, short: Path) -> Path:
    """Give an installation in which nothing can be done alone: 99 says that it was tried."""
    home = short / "home"
    shutil.copytree(installed / "usr/local/openvpn_as", home)
    for twin in (home / "libexec/alone").iterdir():
        twin.write_text("#!/bin/sh\nexit 99\n")
    return home


LINES: list[tuple[tuple[str, ...], bytes]] = [
    (("ConfigQuery",), b""),
    (("--key", "ucarp.vhid", "ConfigQuery"), b""),
    (("-k", "no.such.key", "ConfigQuery"), b""),
    (("ConfigQuery", "--key=ucarp.vhid"), b""),
    (("--key", "ucarp.vhid", "--value", "77", "ConfigPut"), b""),
    (("--key", "ucarp.vhid", "--value", "256", "ConfigPut"), b""),
    (("--key", "host.name", "--value", "a b\n'\"$(id)\\0", "ConfigPut"), b""),
    (("--key", "vpn.server.config_text", "--value", "", "ConfigPut"), b""),
    (("--key", "vpn.server.config_text", "--value", "# é\n# \udcff", "ConfigPut"), b""),
    (("--value", "77", "ConfigPut"), b""),
    (("--key", "ucarp.vhid", "ConfigDel"), b""),
    (("-v", "LAB-25-abcdef", "LoadSubscription"), b""),
    (("--value_file", "value file", "LoadSubscription"), b""),
    (("--value_f=value file", "LoadSubscription"), b""),
    (("--value_file", "./value file", "LoadSubscription"), b"not this"),
    (("--value_file", "nowhere", "LoadSubscription"), b""),
    (("--value_file", ".", "LoadSubscription"), b""),
    (("--value_file", "/dev/stdin", "LoadSubscription"), b"LAB-25-abcdef\n"),
    (("--value_file", "long", "--user", "alice", "AddOneTimePasswords"), b""),
    (("--value_file", "-", "LoadSubscription"), b"LAB-25-abcdef\n\n"),
    (("--value_file", "-", "LoadSubscription"), b"short"),
    (("--value_file", "-", "LoadSubscription"), b""),
    (("--value_file", "-", "--user", "alice", "AddOneTimePasswords"), b"a b\r\nc\n"),
    (("--user", "alice", "OneTimePasswords"), b""),
    (("--user", "alice", "UserPropGet"), b""),
    (("UserPropGet",), b""),
    (("--user", "alice", "--key", "prop_deny", "--value", "true", "UserPropPut"), b""),
    (("--user", "nobody", "UserPropDelAll"), b""),
    (("--user", "alice", "--new_pass", "secret", "SetLocalPassword"), b""),
    (("--user", "alice", "GetUserlogin"), b""),
    (("--user", "alice", "GetAutologin"), b""),
    (("--user", "alice", "RevokeUser"), b""),
    (("--user", "bob", "RevokeUser"), b""),
    (("SubscriptionStatus",), b""),
    (("status",), b""),
    (("start",), b""),
    (("FailoverStatus",), b""),
    (("FailoverSync",), b""),
    (("--value", "{}", "FailoverValidate"), b""),
    (("--value", "[", "FailoverCommit"), b""),
    ((), b""),
    (("Nonsense",), b""),
    (("--help",), b""),
    (("--value", "--value_file", "ConfigPut"), b""),
    (("--value_file", "-", "Nonsense"), b"unread"),
    (("--val", "x", "ConfigQuery"), b""),
    (("--", "ConfigQuery"), b""),
    (("ConfigQuery", "twice"), b""),
]


@pytest.mark.parametrize(("words", "stdin"), LINES, ids=lambda given: repr(given)[:60])
def test_a_command_says_the_same_by_the_service_as_alone(
    run: Run, node: Paths, short: Path, words: tuple[str, ...], stdin: bytes
):
    other = Paths(short / "other")
    shutil.copytree(node.root, other.root)
    alone = run(other, SACLI, *words, stdin=stdin)
    with serving(node) as service:
        asked = run(node, SACLI, *words, stdin=stdin)
    assert service.asked or "\udcff" in "".join(words), "the service was not asked"
    root, root_of_other = os.fsencode(node.root), os.fsencode(other.root)
    assert asked.returncode == alone.returncode
    assert asked.stdout == alone.stdout.replace(root_of_other, root)
    assert asked.stderr == alone.stderr.replace(root_of_other, root)
    assert Config.at(node).all().keys() == Config.at(other).all().keys()
    assert snapshot.live_age(node) == snapshot.live_age(other)


@pytest.mark.parametrize("program", ["node-state", "accept-snapshot"])
def test_the_partner_is_told_the_same_by_the_service_as_alone(
    run: Run, node: Paths, short: Path, program: str
):
    other = Paths(short / "other")
    shutil.copytree(node.root, other.root)
    first = run(other, f"libexec/{program}")
    again = run(other, f"libexec/{program}")
    with serving(node) as service:
        asked = run(node, f"libexec/{program}")
        asked_again = run(node, f"libexec/{program}")
    assert len(service.asked) == 2
    for one, two in ((first, asked), (again, asked_again)):
        expected = (one.returncode, one.stdout, one.stderr.replace(b"/other/", b"/node/"))
        assert (two.returncode, two.stdout, two.stderr) == expected


@pytest.mark.parametrize(
    ("name", "password", "common_name", "status"),
    [
        ("alice", "one", "alice", 0),
        ("alice", "three", "alice", 1),
        ("alice", "one", "bob", 1),
        ("", "", "alice_AUTOLOGIN", 0),
    ],
)
def test_a_log_in_is_judged_by_the_service(
    without_twins: Path, node: Paths, name: str, password: str, common_name: str, status: int
):
    credentials, log = node.root / "credentials", node.root / "node.log"
    credentials.write_text(f"{name}\n{password}\n")
    # the database's path tells which service: OpenVPN's scripts have its environment only
    with serving(node):
        done = subprocess.run(
            [without_twins / "libexec/verify-user", node.users_db, log, credentials],
            env={"PATH": os.environ["PATH"], "common_name": common_name},
            check=False,
        )
    assert done.returncode == status
    assert log.read_text().count(f"auth-user-pass-verify user={name!r}") == 1


def test_no_interpreter_is_started_to_ask(without_twins: Path, node: Paths):
    environment = {**os.environ, "OPENVPN_AS_ROOT": str(node.root)}
    with serving(node):
        done = subprocess.run(
            [without_twins / SACLI, "FailoverStatus"],
            env=environment,
            check=False,
            capture_output=True,
        )
    assert done.returncode == 0
    stopped = subprocess.run(
        [without_twins / SACLI, "FailoverStatus"], env=environment, check=False
    )
    assert stopped.returncode == 99


@pytest.mark.parametrize("answer", ["delete\n", "", " DELETE\n", "DELETE x\n", "yes"])
def test_ovpn_init_only_asks_whoever_does_not_confirm(without_twins: Path, answer: str):
    done = subprocess.run(
        [without_twins / "bin/ovpn-init", "--secondary", "--no_start"],
        input=answer,
        text=True,
        check=False,
        capture_output=True,
    )
    assert done.returncode == 1
    assert done.stderr == "ovpn-init: DELETE was not entered: nothing has been changed\n"
    assert done.stdout == "Please enter 'DELETE' to delete existing configuration: "


@pytest.mark.parametrize("words", [[], ["--batch"], ["--second"], ["--no_start"], ["--help"]])
def test_ovpn_init_itself_is_started_for_every_other_command_line(
    without_twins: Path, words: list[str]
):
    program = without_twins / "bin/ovpn-init"
    assert subprocess.run([program, *words], input="", text=True, check=False).returncode == 99


@pytest.mark.parametrize("answer", ["DELETE\n", "DELETE", "DELETE\r\n"])
def test_ovpn_init_goes_on_with_whoever_confirms(without_twins: Path, answer: str):
    done = subprocess.run(
        [without_twins / "bin/ovpn-init", "--secondary"], input=answer, text=True, check=False
    )
    assert done.returncode == 99


def test_only_root_can_ask(node: Paths):
    with serving(node):
        mode = stat.S_IMODE(node.control_socket.stat().st_mode)
        directory = stat.S_IMODE(node.control_socket.parent.stat().st_mode)
    assert (mode, directory) == (0o600, 0o700)


def test_many_are_answered_at_once(run: Run, node: Paths):
    keys = [f"test.key{number}" for number in range(12)]
    with serving(node), ThreadPoolExecutor(12) as beside:
        done = list(
            beside.map(lambda key: run(node, SACLI, "-k", key, "-v", key, "ConfigPut"), keys)
        )
    assert {one.stdout for one in done} == {b"[True, {}]\n"}
    assert set(keys) <= Config.at(node).all().keys()


def test_changes_side_by_side_leave_whole_files(run: Run, node: Paths):
    node.rendered.mkdir(parents=True)
    names = [f"user{number}" for number in range(12)]

    def deny(name: str) -> int:
        words = ("--user", name, "--key", "prop_deny", "--value", "true", "UserPropPut")
        return run(node, SACLI, *words).returncode

    with serving(node), ThreadPoolExecutor(12) as beside:
        assert list(beside.map(deny, names)) == [0] * len(names)
    assert set((node.rendered / "denied").read_text().split()) <= set(names)
    assert [file.name for file in node.rendered.iterdir() if file.name.startswith(".")] == []


def test_the_socket_of_a_killed_service_stops_nobody(run: Run, node: Paths):
    node.control_socket.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(os.fspath(node.control_socket))
    assert run(node, SACLI, "-k", "ucarp.vhid", "-v", "77", "ConfigPut").returncode == 0
    assert Config.at(node).get("ucarp.vhid") == "77"
    with serving(node) as service:
        assert run(node, SACLI, "status").returncode == 0
    assert service.asked


@contextmanager
def dying(paths: Paths) -> Iterator[None]:
    """Have a service that takes every question and dies of it."""
    paths.control_socket.parent.mkdir(parents=True)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(os.fspath(paths.control_socket))
    listening.listen()

    def take() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            connection.recv(65536)
            connection.close()

    thread = threading.Thread(target=take)
    thread.start()
    try:
        yield
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
        listening.close()


def test_what_only_reads_is_done_alone_if_the_service_dies_of_it(run: Run, node: Paths):
    with dying(node):
        done = run(node, SACLI, "ConfigQuery")
    assert done.returncode == 0
    assert b'"ucarp.vhid": "94"' in done.stdout


def test_a_change_that_the_service_dies_of_is_not_made_twice(run: Run, node: Paths):
    with dying(node):
        done = run(node, SACLI, "--key", "ucarp.vhid", "--value", "77", "ConfigPut")
    assert done.returncode == 1
    assert done.stdout == b""
    assert b"ended before it answered" in done.stderr
    assert Config.at(node).get("ucarp.vhid") == "94"


def test_standard_input_is_not_lost_when_the_program_has_to_do_it_alone(run: Run, node: Paths):
    verdicts = iter([Answer(VALUE, "-"), Answer(ALONE)])
    control = Control(node, {"sacli": lambda _paths, _question: next(verdicts)})
    done = run(node, SACLI, "--value_file", "-", "LoadSubscription", stdin=b"LAB-25-abcdef\n")
    control.finish()
    assert (done.returncode, done.stdout) == (0, b"[True, {}]\n")
    assert Config.at(node).get("subscription.bundle") == "LAB-25-abcdef"


def test_a_service_that_stops_gives_the_answer_it_owes(run: Run, node: Paths):
    asked, stopping = threading.Event(), threading.Event()

    def slow(_paths: Paths, _question: Question) -> Answer:
        asked.set()
        stopping.wait(10)
        return Answer(0, "done\n")

    control = Control(node, {"sacli": slow})
    with ThreadPoolExecutor() as beside:
        answer = beside.submit(run, node, SACLI, "status")
        asked.wait(10)
        stop = beside.submit(control.finish)
        while node.control_socket.exists():
            pass
        stopping.set()
        stop.result()
        assert answer.result().stdout == b"done\n"


def test_no_process_list_shows_what_is_asked(run: Run, node: Paths, tmp_path: Path):
    real = shutil.which("curl")
    (tmp_path / "curl").write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" >>"{tmp_path}/seen"\nexec {real} "$@"\n'
    )
    (tmp_path / "curl").chmod(0o755)
    with serving(node):
        words = ("--user", "alice", "--new_pass", "visible", "SetLocalPassword")
        run(node, SACLI, *words, PATH=f"{tmp_path}:{os.environ['PATH']}")
    seen = (tmp_path / "seen").read_text()
    assert "--unix-socket" in seen
    assert "visible" not in seen


@pytest.mark.parametrize(
    "body", [b"", b"x\0", b"2\0one\0", b"1\0one\0tail", b"1\0one\0v\xff", b"-1\0"]
)
def test_what_is_not_a_question_is_said(body: bytes):
    with pytest.raises(NotAQuestion):
        decode(body)


def test_words_may_hold_anything_but_nul():
    assert decode(b"2\0a\nb\0\0") == Question(("a\nb", ""))
    assert decode(b"0\0") == Question(())
    assert decode(b"1\0-\0v") == Question(("-",), "")
