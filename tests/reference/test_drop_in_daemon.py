"""vpn-daemon: the text protocol, OpenVPN's management interface, and TLS."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

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

PATH = "usr/sbin" if Path("/etc/debian_version").exists() else "usr/bin"
KEYS = "etc/ssl/vpn-daemon" if PATH == "usr/sbin" else "etc/pki/vpn-daemon"
OTHER = "f" * 32
CLIENT = f"{NAME} 10.1.0.2 fd00:1:1:1::2"
GONE = 1
"""A port that nobody listens on."""


@pytest.fixture(scope="module")
def authority(installed: Machine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two CAs, and the certificates that the guide makes, of each."""
    made = tmp_path_factory.mktemp("ca")
    for directory in (made, made / "other"):
        directory.mkdir(exist_ok=True)
        for words in (["-init"], ["-client", "vpn-daemon-client"], ["-server", "vpn-daemon"]):
            done = installed.run("/usr/bin/vpn-ca", *words, cwd=directory)
            assert done.returncode == 0, done.stderr
    return made


@pytest.fixture(scope="module")
def drop_in(installed: Machine) -> Path:
    return installed.root / PATH / "vpn-daemon"


@pytest.fixture(scope="module")
def daemon(drop_in: Path) -> Iterator[Daemon]:
    """Run the drop-in without TLS."""
    with running([drop_in]) as one:
        yield one


@pytest.fixture(scope="module")
def secured(
    installed: Machine, authority: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    """Run the drop-in with TLS."""
    root = tmp_path_factory.mktemp("secured") / "machine"
    shutil.copytree(installed.root, root, symlinks=True)
    with running([root / PATH / "vpn-daemon"], place_keys(authority, root / KEYS)) as one:
        yield one


# The protocol


def test_a_list_names_who_is_connected_on_each_port(daemon: Daemon) -> None:
    with serving([row()]) as one, serving([row(OTHER, "10.1.0.66", "fd00:1:1:1::1:2")]) as other:
        answers = daemon.ask(f"SET_PORTS {one.port} {other.port}", "LIST")
    assert answers[:2] == ["OK: 0", "OK: 2"]
    assert sorted(answers[2:4]) == [CLIENT, f"{OTHER} 10.1.0.66 fd00:1:1:1::1:2"]
    assert answers[4:] == ["OK: 0"]


def test_a_disconnect_kills_on_every_port_whatever_openvpn_says(daemon: Daemon) -> None:
    with serving([row()]) as one, serving() as other:
        ports = f"SET_PORTS {one.port} {other.port} {GONE}"
        answers = daemon.ask(ports, f"DISCONNECT {NAME} {OTHER}")
    assert answers == ["OK: 0"] * 3
    assert one.killed == other.killed == [NAME, OTHER]


def test_a_port_that_nobody_listens_on_has_no_clients(daemon: Daemon) -> None:
    with serving([row()]) as one:
        assert daemon.ask(f"SET_PORTS {GONE} {one.port}", "LIST")[1:3] == ["OK: 1", CLIENT]


def test_before_ports_are_set_nobody_is_connected(daemon: Daemon) -> None:
    assert daemon.ask("LIST", f"DISCONNECT {NAME}") == ["OK: 0"] * 3


def test_ports_belong_to_one_connection(daemon: Daemon) -> None:
    with serving([row()]) as one, daemon.connect() as peer:
        peer.sendall(f"SET_PORTS {one.port}\n".encode())
        assert peer.recv(100) == b"OK: 0\n"
        assert daemon.ask("LIST") == ["OK: 0", "OK: 0"]
        assert talk(peer, "LIST")[0] == "OK: 1"


def test_wrong_ports_leave_the_ones_before(daemon: Daemon) -> None:
    with serving([row()]) as one:
        answers = daemon.ask(f"SET_PORTS {one.port}", "SET_PORTS 0", "SET_PORTS 65536", "LIST")
    assert answers[1:4] == ["ERR: INVALID_PORT", "ERR: INVALID_PORT", "OK: 1"]


def test_the_last_line_needs_no_end(daemon: Daemon) -> None:
    with daemon.connect() as peer:
        peer.sendall(b"LIST")
        peer.shutdown(socket.SHUT_WR)
        assert peer.recv(100) == b"OK: 0\n"


@pytest.mark.parametrize(
    "odd",
    [
        row("UNDEF"),
        row(ip4=""),
        row(ip6=""),
        "CLIENT_LIST,short",
        "CLIENT_LIST",
        row("two words"),
        row("new\rline"),
        row(ip4="10.1.0.2 10.9.9.9"),
        f"CLIENT_LIST_OF_ANOTHER_KIND,{NAME},x,10.1.0.2,fd00::2",
    ],
)
def test_a_row_that_is_no_connected_client_is_left_out(daemon: Daemon, odd: str) -> None:
    with serving([odd, row()]) as one:
        assert daemon.ask(f"SET_PORTS {one.port}", "LIST")[1:3] == ["OK: 1", CLIENT]


def test_an_openvpn_that_goes_on_for_ever_has_the_clients_that_came_in_time(
    daemon: Daemon,
) -> None:
    with serving(answer=lambda _: f"{row()}\r\n".encode()) as one:  # and no END
        assert daemon.ask(f"SET_PORTS {one.port}", "LIST")[1:3] == ["OK: 1", CLIENT]


@pytest.mark.parametrize("flood", [b"x" * 70_000, b"y" * 5000 + b"\n"])
def test_an_openvpn_that_says_too_much_is_left(daemon: Daemon, flood: bytes) -> None:
    with serving(answer=lambda _: flood * (1 if len(flood) > 65_536 else 1000)) as one:
        assert daemon.ask(f"SET_PORTS {one.port}", "LIST")[1] == "OK: 0"


def requests() -> st.SearchStrategy[bytes]:
    """Lines that are requests, nearly requests, and anything else."""
    words = st.sampled_from(
        [b"SET_PORTS", b"DISCONNECT", b"LIST", b"", b" ", b"0", b"1", b"00001", b"65535", b"65536",
         b"9" * 30, b"a-b.c", b"a,b", b"list", b"\r", b"\t", b"\xff", b"\xc2\xa0", b"-", b"\0"]
    )  # fmt: skip
    lines = st.lists(words, max_size=5).map(b" ".join) | st.binary(max_size=40)
    return lines.filter(lambda line: b"\n" not in line and line.rstrip(b"\r") != b"QUIT")


@given(line=requests())
@example(line=b"LIST\r")
@example(line=b"SET_PORTS 1\r\r")
def test_any_line_has_one_answer_and_the_connection_stays(line: bytes) -> None:
    from vpn_daemon.requests import Disconnect, ListClients, Refused, SetPorts, parse

    request = parse(line)
    assert isinstance(request, Disconnect | ListClients | Refused | SetPorts)
    if isinstance(request, SetPorts):
        assert all(1 <= port <= 65_535 for port in request.ports)
    if isinstance(request, Disconnect):
        assert not any(set(name) & set(" \r\n\0") for name in request.names)


@given(line=st.binary(max_size=300))
def test_what_a_peer_sent_is_one_printable_line_in_the_log(line: bytes) -> None:
    from vpn_daemon.log import shown

    assert shown(line).isprintable()
    assert shown(line).isascii()


# TLS


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate_of_the_same_ca_is_let_in(
    secured: Daemon, authority: Path, version: ssl.TLSVersion
) -> None:
    context = client_context(authority, "vpn-daemon-client", version=version)
    assert over_tls(secured, context, "LIST") == ["OK: 0", "OK: 0"]


def strangers(authority: Path) -> dict[str, ssl.SSLContext]:
    """Return peers that are to be refused."""
    old, other = ssl.TLSVersion.TLSv1_1, client_context(authority, None)
    other.load_cert_chain(
        authority / "other/vpn-daemon-client.crt", authority / "other/vpn-daemon-client.key"
    )
    narrow = client_context(authority, "vpn-daemon-client", version=ssl.TLSVersion.TLSv1_2)
    narrow.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
    return {
        "no certificate": client_context(authority, None),
        "another CA's": other,
        "a server's certificate": client_context(authority, "vpn-daemon"),
        "TLS 1.1": client_context(authority, "vpn-daemon-client", version=old),
        "another cipher": narrow,
    }


STRANGERS = (
    "no certificate",
    "another CA's",
    "a server's certificate",
    "TLS 1.1",
    "another cipher",
)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("stranger", STRANGERS)
def test_everybody_else_is_refused(secured: Daemon, authority: Path, stranger: str) -> None:
    assert over_tls(secured, strangers(authority)[stranger], "LIST") == []


def test_plain_text_is_not_answered(secured: Daemon) -> None:
    with secured.connect() as peer:
        peer.sendall(b"LIST\n")
        with_alert = peer.recv(1000)
    assert b"OK" not in with_alert


def test_the_apis_own_client_is_served(secured: Daemon, authority: Path, tmp_path: Path) -> None:
    from vpn_server_api.daemon import DaemonSession

    for name in ("ca.crt", "vpn-daemon-client.crt", "vpn-daemon-client.key"):
        (tmp_path / name).write_bytes((authority / name).read_bytes())
    with (
        serving([row()]) as one,
        DaemonSession.open("localhost", tmp_path, secured.port) as session,
    ):
        session.set_ports([one.port])
        (client,) = session.clients()
        session.disconnect(NAME)
    assert (client.common_name, client.ip4, client.ip6) == tuple(CLIENT.split())
    assert one.killed == [NAME]


# Starting


def started(drop_in: Path, *words: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [drop_in, *words], capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout, done.stderr


def test_missing_keys_are_named(machine: Machine) -> None:
    status, out, _ = started(machine.root / PATH / "vpn-daemon", "-enable-tls")
    missing = machine.root / KEYS / "server.crt"
    assert (status, out) == (1, f"ERROR: open {missing}: no such file or directory\n")


@pytest.mark.parametrize(
    ("file", "content"),
    [("server.crt", "no PEM"), ("private/server.key", "no PEM"), ("ca.crt", "no PEM")],
)
def test_a_file_that_is_no_key_is_named(
    machine: Machine, authority: Path, file: str, content: str
) -> None:
    place = place_keys(authority, machine.root / KEYS)
    (place / file).write_text(content)
    status, out, _ = started(machine.root / PATH / "vpn-daemon", "-enable-tls")
    assert status == 1
    assert out.startswith("ERROR: ")
    assert str(place / file) in out


def test_an_expired_certificate_is_named_at_the_start(machine: Machine, authority: Path) -> None:
    place = place_keys(authority, machine.root / KEYS)
    expired = (
        "openssl req -new -key vpn-daemon.key -subj /CN=vpn-daemon | openssl x509 -req -CA ca.crt"
        f" -CAkey ca.key -CAserial {place}/serial -CAcreateserial -days -1 -out {place}/server.crt"
    )
    subprocess.run(["sh", "-c", expired], cwd=authority, check=True, capture_output=True)
    status, out, _ = started(machine.root / PATH / "vpn-daemon", "-enable-tls")
    assert (status, out) == (1, f"ERROR: {place}/server.crt: certificate has expired\n")


def test_an_address_that_is_taken_is_named(daemon: Daemon, drop_in: Path) -> None:
    taken = f"127.0.0.1:{daemon.port}"
    assert started(drop_in, "-listen", taken)[:2] == (
        1,
        f"ERROR: listen tcp {taken}: bind: address already in use\n",
    )


def test_another_machines_address_is_named(drop_in: Path) -> None:
    status, out, _ = started(drop_in, "-listen", "192.0.2.1:41194")
    assert status == 1
    assert out == "ERROR: listen tcp 192.0.2.1:41194: bind: cannot assign requested address\n"


@pytest.mark.parametrize("odd", ["41194", "localhost:port", ":70000"])
def test_an_address_that_is_none_is_named(drop_in: Path, odd: str) -> None:
    status, out, _ = started(drop_in, "-listen", odd)
    assert status == 1
    assert out.startswith(f"ERROR: listen tcp: address {odd}: ")


def test_an_unknown_flag_lists_the_known_ones(drop_in: Path) -> None:
    status, _, error = started(drop_in, "-port", "1")
    assert status == 2
    assert error.startswith("flag provided but not defined: -port\n")
    assert "-enable-tls" in error
