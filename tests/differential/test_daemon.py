"""vpn-daemon beside the genuine program: the protocol, lists, TLS, and how neither starts."""

from __future__ import annotations

import ssl
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from provision.genuine.golang import compile_program
from provision.genuine.recipe import GoProgram
from tests.differential.unpacked import genuine_place, unpacked
from tests.reference.daemon_process import (
    Daemon,
    client_context,
    over_tls,
    place_keys,
    running,
    talk,
)
from tests.reference.drop_in import Machine
from tests.reference.openvpn_management import NAME, row, serving
from tests.reference.test_drop_in_daemon import (
    GONE,
    KEYS,
    OTHER,
    PATH,
    authority,
    daemon,
    drop_in,
    secured,
    started,
    strangers,
)

__all__ = ["authority", "daemon", "drop_in", "genuine_place", "secured"]


@pytest.fixture(scope="module")
def genuine(genuine_place: Path) -> Path:
    """Compile the genuine program; it looks for its keys in its working directory."""
    tree, program = unpacked("vpn-daemon", genuine_place), genuine_place / "daemon"
    compile_program(GoProgram("vpn-daemon/main.go", str(program)), tree, program)
    return program


SCRIPTS: dict[str, list[str | bytes]] = {
    "ports": ["SET_PORTS", "SET_PORTS ", "SET_PORTS 1", "SET_PORTS 1 2 ", "SET_PORTS  1"],
    "numbers": ["SET_PORTS 00001", "SET_PORTS -1", "SET_PORTS 0", "SET_PORTS 65536", "SET_PORTS x"],
    "names": ["DISCONNECT", "DISCONNECT a-b.c", "DISCONNECT a_b", "DISCONNECT a b", "DISCONNECT é"],
    "words": ["", " ", "list", "LIST ", " LIST", "LIST\r", "LIST\r\r", "QUIT ", "HELP"],
    "octets": [b"\xff\xfe", b"\0", b"LIST\0", "SET_PORTS ١"],
    "a long line": [b"x" * 65_535, "LIST"],
    "many names": ["DISCONNECT" + " a" * 30_000, "LIST"],
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_answers_are_the_genuine_ones(daemon: Daemon, genuine: Path, script: str) -> None:
    with running([genuine]) as theirs:
        assert daemon.ask(*SCRIPTS[script]) == theirs.ask(*SCRIPTS[script])


@pytest.mark.parametrize("rows", [[], [row()], [row("UNDEF"), row(), row(ip4="")]])
def test_lists_are_the_genuine_ones(daemon: Daemon, genuine: Path, rows: list[str]) -> None:
    with ExitStack() as stack:
        theirs = stack.enter_context(running([genuine]))
        one, other = (stack.enter_context(serving(rows)) for _ in range(2))
        asked = [f"SET_PORTS {one.port} {one.port} {other.port} {GONE}", "LIST"]
        asked += [f"DISCONNECT {NAME} {OTHER}", "LIST"]
        assert daemon.ask(*asked) == theirs.ask(*asked)
        assert one.killed[: len(one.killed) // 2] == one.killed[len(one.killed) // 2 :]


@pytest.mark.parametrize("octets", [65_536, 200_000])
def test_a_line_without_end_costs_the_connection_as_with_the_genuine_one(
    daemon: Daemon, genuine: Path, octets: int
) -> None:
    with running([genuine]) as theirs:
        for one in (theirs, daemon):
            with one.connect() as peer:
                try:
                    answered = talk(peer, b"x" * octets)
                except ConnectionError:
                    answered = []
            assert answered == []
            assert one.ask("LIST") == ["OK: 0", "OK: 0"]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_both_let_the_same_peers_in(
    secured: Daemon, genuine: Path, authority: Path, tmp_path: Path
) -> None:
    contexts = strangers(authority)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        contexts[version.name] = client_context(authority, "vpn-daemon-client", version=version)
    with running([genuine], place_keys(authority, tmp_path)) as theirs:
        answers = {
            one: {name: over_tls(one, context, "LIST") for name, context in contexts.items()}
            for one in (theirs, secured)
        }
    assert answers[secured] == answers[theirs]


def test_neither_starts_without_keys(machine: Machine, genuine: Path, tmp_path: Path) -> None:
    ours = started(machine.root / PATH / "vpn-daemon", "-enable-tls")
    done = subprocess.run(
        [genuine, "-enable-tls"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ours[1].replace(f"{machine.root / KEYS}/", "") == done.stdout
    assert ours[0] == done.returncode == 1
