"""vpn-daemon stays up, small, and there for its controller, whatever its peers do."""

from __future__ import annotations

import os
import random
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from lab.errors import DeadlinePassed
from lab.wait import until
from tests.reference.daemon_process import (
    WITHIN_S,
    Daemon,
    client_context,
    over_tls,
    place_keys,
    running,
)
from tests.reference.drop_in import SOFTWARE, Machine
from tests.reference.openvpn_management import row, serving
from tests.reference.test_drop_in_daemon import KEYS, PATH, authority

__all__ = ["authority"]

PEERS = 500
MOST_KIB = 256 * 1024
"""MemoryMax of the unit."""
SEED = 41194


@pytest.fixture
def plain(installed: Machine) -> Iterator[Daemon]:
    with running([installed.root / PATH / "vpn-daemon"]) as one:
        yield one


@pytest.fixture
def secured(machine: Machine, authority: Path) -> Iterator[Daemon]:
    keys = place_keys(authority, machine.root / KEYS)
    with running([machine.root / PATH / "vpn-daemon"], keys) as one:
        yield one


def served(daemon: Daemon, authority: Path) -> bool:
    context = client_context(authority, "vpn-daemon-client")
    return over_tls(daemon, context, "LIST") == ["OK: 0", "OK: 0"]


def crowd(daemon: Daemon, stack: ExitStack, count: int = PEERS) -> list[socket.socket]:
    """Connect peers that stay."""
    return [stack.enter_context(daemon.connect()) for _ in range(count)]


def test_five_hundred_half_open_peers_do_not_keep_the_controller_out(
    secured: Daemon, authority: Path
) -> None:
    before = secured.sockets
    with ExitStack() as stack:
        crowd(secured, stack)
        assert served(secured, authority)
        assert secured.sockets < PEERS
    assert served(secured, authority)
    assert _comes_down_to(secured, before + 2)


def test_five_hundred_idle_peers_do_not_keep_another_out(plain: Daemon) -> None:
    before = plain.sockets
    with ExitStack() as stack:
        crowd(plain, stack)
        assert plain.ask("LIST") == ["OK: 0", "OK: 0"]
    assert _comes_down_to(plain, before + 2)


def test_who_has_asked_is_not_driven_out_by_who_has_not(plain: Daemon) -> None:
    with ExitStack() as stack:
        asker = stack.enter_context(plain.connect())
        asker.sendall(b"LIST\n")
        assert asker.recv(100) == b"OK: 0\n"
        crowd(plain, stack)
        asker.sendall(b"LIST\n")
        assert asker.recv(100) == b"OK: 0\n"


def test_slow_peers_hold_nobody_up(plain: Daemon) -> None:
    with ExitStack() as stack:
        peers = crowd(plain, stack, 100)
        for octet in b"LIS":
            for peer in peers:
                peer.sendall(bytes([octet]))
            assert plain.ask("LIST") == ["OK: 0", "OK: 0"]
        for peer in peers:
            peer.sendall(b"T\n")
            assert peer.recv(100) == b"OK: 0\n"


def test_an_openvpn_that_does_not_answer_holds_nobody_else_up(plain: Daemon) -> None:
    with ExitStack() as stack:
        mute = stack.enter_context(serving(answer=lambda _: b""))
        waiting = stack.enter_context(plain.connect())
        waiting.sendall(f"SET_PORTS {mute.port}\nLIST\n".encode())
        one = stack.enter_context(serving([row()]))
        assert plain.ask(f"SET_PORTS {one.port}", "LIST")[1] == "OK: 1"
        assert waiting.makefile("rb").readline() == b"OK: 0\n"


def test_lines_that_never_end_take_no_more_than_their_limit(plain: Daemon) -> None:
    with ExitStack() as stack:
        for peer in crowd(plain, stack, 200):
            peer.settimeout(0.2)
            with suppress(OSError):  # it may close while we still send
                peer.sendall(b"x" * 60_000)
        assert plain.ask("LIST") == ["OK: 0", "OK: 0"]
        assert plain.resident_kib < MOST_KIB


def test_a_peer_that_takes_no_answers_is_not_read_for_ever(plain: Daemon) -> None:
    with ExitStack() as stack:
        deaf = stack.enter_context(plain.connect())
        deaf.settimeout(1)
        sent = 0
        with suppress(TimeoutError):
            while sent < 64 * 1024 * 1024:
                sent += deaf.send(b"HELP\n" * 1000)
        assert sent < 64 * 1024 * 1024
        assert plain.ask("LIST") == ["OK: 0", "OK: 0"]
        assert plain.resident_kib < MOST_KIB


def test_garbage_before_and_in_place_of_tls_changes_nothing(
    secured: Daemon, authority: Path
) -> None:
    drawn = random.Random(SEED)  # noqa: S311 - garbage, no secret
    hello = bytes.fromhex("1603010200010001fc0303")
    for number in range(200):
        with secured.connect() as peer, suppress(OSError):
            peer.sendall((hello if number % 2 else b"") + drawn.randbytes(drawn.randrange(3000)))
    assert served(secured, authority)


def test_garbage_in_the_protocol_has_answers_or_an_end(plain: Daemon) -> None:
    drawn = random.Random(SEED)  # noqa: S311 - garbage, no secret
    for _ in range(50):
        with plain.connect() as peer, suppress(OSError):
            peer.sendall(drawn.randbytes(drawn.randrange(100_000)))
            peer.shutdown(socket.SHUT_WR)
            answered = b"".join(iter(lambda: peer.recv(65_536), b""))
            assert set(answered.splitlines()) <= {b"ERR: NOT_SUPPORTED"}
    assert plain.ask("LIST") == ["OK: 0", "OK: 0"]


def test_a_peer_that_asks_for_more_ports_than_there_are_is_refused(plain: Daemon) -> None:
    answers = plain.ask(
        "SET_PORTS" + " 1" * 4096, "SET_PORTS" + " 1" * 4097, "SET_PORTS " + "9" * 60_000
    )
    assert answers[:3] == ["OK: 0", "ERR: INVALID_PORT", "ERR: INVALID_PORT"]


# The unit

UNIT = SOFTWARE / "packages/systemd/vpn-daemon.service"
ANALYZE = shutil.which("systemd-analyze")


def test_its_user_may_do_next_to_nothing(tmp_path: Path) -> None:
    if ANALYZE is None:
        pytest.skip("systemd-analyze tells how much a unit may do")
    unit = tmp_path / "vpn-daemon.service"
    text = UNIT.read_text().replace("@DAEMON@", "/bin/true").replace("@ENVIRONMENT@", "/dev/null")
    unit.write_text(text)
    done = subprocess.run(
        [ANALYZE, "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True, text=True, check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    found = re.search(r"Overall exposure level for \S+: (\d+\.\d)", done.stdout)
    if found is None:
        pytest.skip(f"this systemd-analyze does not tell: {done.stderr.strip()}")
    assert float(found[1]) <= 2.0, done.stdout


def test_a_flag_that_is_not_set_hides_no_other() -> None:
    (start,) = [line for line in UNIT.read_text().splitlines() if line.startswith("ExecStart=")]
    assert start.endswith("-listen ${LISTEN} $ENABLE_TLS")


def _comes_down_to(daemon: Daemon, sockets: int) -> bool:
    """Tell whether a daemon closes what its peers have closed; a busy host takes its time."""
    with suppress(DeadlinePassed):
        until(lambda: daemon.sockets <= sockets, WITHIN_S, "sockets to be closed", every=0.2)
    return daemon.sockets <= sockets
