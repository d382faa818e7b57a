"""How much the API's client takes of a vpn-daemon, and vpn-daemon of the OpenVPNs it asks."""

from __future__ import annotations

import asyncio
import contextlib
import io
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.reference import drop_in

__all__ = ["drop_in"]  # finds the guest-side packages


class Says(io.BytesIO):
    """A connection to a daemon that says this, whatever it is asked."""

    def write(self, asked: object, /) -> int:
        return len(bytes(asked)) if isinstance(asked, bytes) else 0


class SaysOn(Says):
    """One whose line never ends."""

    def readline(self, size: int | None = -1, /) -> bytes:
        assert size not in (None, -1), "who reads without a limit reads whatever is said"
        return b"x" * (size or 0)


def session(stream: io.BytesIO) -> Any:
    from vpn_server_api.daemon import DaemonSession

    return DaemonSession(stream, lambda: None)


@pytest.mark.parametrize("row", [b"abc", b"", b"abc 10.1.0.2", b"a b c d"])
def test_a_daemons_row_that_is_none_is_no_client(row: bytes) -> None:
    from vpn_server_api.daemon import DaemonError

    with pytest.raises(DaemonError, match="is no name with two addresses"):
        session(Says(b"OK: 1\n" + row + b"\n")).clients()


def test_a_daemon_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from vpn_server_api import daemon

    monkeypatch.setattr(daemon, "_TALK_S", 0.5)
    given_up = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            peer, _ = server.accept()
            with peer, contextlib.suppress(OSError):
                peer.sendall(b"OK: 9999\n")
                while not given_up.wait(0.02):
                    peer.sendall(b"name 10.1.0.2 fd00::2\n")

        thread = threading.Thread(target=drip)
        thread.start()
        opened = daemon.DaemonSession.open("127.0.0.1", tmp_path, server.getsockname()[1])
        with pytest.raises(daemon.DaemonError), opened as talk:
            talk.clients()
        given_up.set()
        thread.join()


def test_a_daemons_list_is_taken_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    from vpn_server_api import daemon

    monkeypatch.setattr(daemon, "MOST_CLIENTS", 2)
    row = b"name 10.1.0.2 fd00::2\n"
    assert len(session(Says(b"OK: 2\n" + 2 * row)).clients()) == 2
    with pytest.raises(daemon.DaemonError, match="tells of 3 clients, which is more than 2"):
        session(Says(b"OK: 3\n" + 3 * row)).clients()


@pytest.mark.parametrize("said", [b"", b"OK: 1\n"])
def test_a_daemons_line_without_an_end_is_not_waited_for(said: bytes) -> None:
    from vpn_server_api import daemon

    class Then(SaysOn):
        def readline(self, size: int | None = -1, /) -> bytes:
            return io.BytesIO.readline(self, size) or super().readline(size)

    with pytest.raises(daemon.DaemonError, match="a line of 4096 octets or more"):
        session(Then(said)).clients()


def test_a_port_that_is_named_many_times_does_not_make_a_list_of_any_length(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from vpn_daemon import session as sessions
    from vpn_daemon.management import Client, Management

    class Ten(Management):
        async def clients(self, _port: int) -> list[Client]:
            return [Client(f"client-{number}", "10.1.0.2", "fd00::2") for number in range(10)]

    async def listed() -> bytes:
        reader = asyncio.StreamReader()
        peer = sessions.Session(reader, None, Ten(asyncio.Semaphore(1)), lambda: None)
        peer.ports = (11940,) * 100
        return await peer._list()

    monkeypatch.setattr(sessions, "MOST_CLIENTS", 25)
    count, *rows = asyncio.run(listed()).splitlines()
    assert (count, len(rows)) == (b"OK: 25", 25)
    assert "a list has 25 clients at most: 975 are left out" in capsys.readouterr().out
