"""The service: logs, sync, virtual IP scripts, and the roles it takes, with fake programs."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from access_network import ADDRESSES, FakeNetwork
from openvpnas import child, snapshot, sync
from openvpnas.config import Config
from openvpnas.log import Log, line
from openvpnas.pair import Node, Pair
from openvpnas.paths import Paths
from openvpnas.place import own_place
from openvpnas.status import failover_status

PARTNER = Node("192.168.70.2", ssh_port=2202)


def test_a_log_line_has_the_documented_shape():
    shape = r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} \[stdout#info\] \[OVPN 4\] OUT: "text"\n'
    assert re.fullmatch(shape, line("OVPN 4", "text"))


def test_a_text_with_line_breaks_is_one_line():
    assert line("X", "a\nb").count("\n") == 1


def test_in_failover_mode_the_logs_are_split(paths: Paths):
    log = Log(paths, failover=True)
    log.failover("role")
    log.node("OVPN 0", "connect")
    assert "role" in paths.failover_log.read_text()
    assert "connect" not in paths.failover_log.read_text()
    assert "connect" in paths.node_log.read_text()


def test_without_failover_everything_is_in_one_log(paths: Paths):
    log = Log(paths, failover=False)
    log.node("OVPN 0", "connect")
    assert "connect" in paths.failover_log.read_text()
    assert not paths.node_log.exists()


def test_a_sync_goes_to_staging_by_rsync_over_ssh(paths: Paths, network: FakeNetwork):
    manifest = sync.send(paths, PARTNER, network)
    transfer, accept = network.asked
    assert any("mkdir -p -m 700" in word for word in transfer)
    assert transfer[-1] == "root@192.168.70.2:/usr/local/openvpn_as/etc/staging/incoming/"
    assert any("-p 2202" in word for word in transfer)
    assert accept[-1] == "/usr/local/openvpn_as/libexec/accept-snapshot"
    assert snapshot.read(paths.outgoing / "complete") == manifest


def test_a_partner_that_refuses_a_snapshot_is_named(paths: Paths, network: FakeNetwork):
    network.says("accept-snapshot", status=1, errors="damaged")
    with pytest.raises(sync.SyncFailed, match=r"192\.168\.70\.2: damaged"):
        sync.send(paths, PARTNER, network)


def test_a_failed_sync_is_recorded_and_reported(paths: Paths, network: FakeNetwork):
    paths.runtime.mkdir(parents=True)
    network.says("ssh", status=255, errors="no route")
    said: list[str] = []
    sync.PeriodicSync(paths, PARTNER, 60, network, said.append).send_once()
    assert json.loads(paths.sync_file.read_text())["ok"] is False
    assert "no route" in said[0]


def test_a_database_that_fails_ends_no_sync(
    paths: Paths, network: FakeNetwork, monkeypatch: pytest.MonkeyPatch
):
    def full(_: Paths) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(snapshot, "make", full)
    reports: list[str] = []
    paths.runtime.mkdir(parents=True)
    sync.PeriodicSync(paths, PARTNER, 60, network, reports.append).send_once()
    assert reports == ["database or disk is full"]
    assert json.loads(paths.sync_file.read_text())["ok"] is False


def run(say: child.Say | None) -> list[child.Event]:
    events: child.Events[child.Event] = child.Events()
    one = child.Child("x", ["seq", "3"], events, say)
    seen = [events.get()]
    while not isinstance(seen[-1], child.Exited):
        seen.append(events.get())
    for pipe in (one._process.stdin, one._process.stdout):
        pipe.close()
    return seen


def test_lines_that_nobody_else_wants_are_events():
    *lines, _ = run(None)
    assert lines == [child.Line("x", text) for text in "123"]


def test_lines_that_are_only_logged_keep_no_event_waiting():
    said: list[tuple[str, str]] = []
    (end,) = run(lambda *words: said.append(words))
    assert isinstance(end, child.Exited)
    assert said == [("x", text) for text in "123"]


def test_a_full_disk_does_not_stop_a_program_that_talks():
    said: list[str] = []

    def full(_: str, text: str) -> None:
        said.append(text)
        raise OSError(errno.ENOSPC, "No space left on device")

    (end,) = run(full)
    assert isinstance(end, child.Exited)
    assert said == ["1", "2", "3"]


def test_a_node_is_the_one_whose_address_it_has():
    pair = Pair("192.168.70.222", Node("192.168.70.1"), Node("192.168.70.2"))
    network = FakeNetwork()
    network.says("address", output=ADDRESSES)
    from openvpnas.addresses import local_addresses

    name, own = own_place(pair, local_addresses(network))
    assert (name, own.interface) == ("primary", "wire0")


# --- the service as a process, with programs of the same names that only pretend


FAKES = {
    "ucarp": 'trap "exit 0" TERM; echo "Switching to state: BACKUP" >&2\n'
    'exec 3<>"$ORDERS"; while read -r state <&3; do echo "Switching to state: $state" >&2; done',
    "openvpn": 'echo "openvpn $*"; exec cat >/dev/null',
    "ip": f"case \"$*\" in *-json*) echo '{ADDRESSES}' ;; esac",
    "ssh": "exit 255",
}


@pytest.fixture
def service(paths: Paths, installed: Path, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the service of a committed primary; its ucarp takes orders from a FIFO."""
    Config.at(paths).put(
        {
            "failover.mode": "ucarp",
            "failover.vip": "192.168.70.222",
            "failover.primary.host": "192.168.70.1",
            "failover.secondary.host": "192.168.70.2",
            "ucarp.password": "secret94",
        }
    )
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, script in FAKES.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    home = paths.home
    shutil.copytree(installed / "usr/local/openvpn_as/libexec", home / "libexec")
    web = home / "libexec/web-service"
    web.write_text('#!/bin/sh\nread -r word && echo "told $word"\nexec cat >/dev/null\n')
    os.mkfifo(tmp_path / "orders")
    process = subprocess.Popen(
        [sys.executable, "-Es", installed / "usr/local/openvpn_as/libexec/openvpnas"],
        env={
            **os.environ,
            "OPENVPN_AS_ROOT": str(paths.root),
            "PATH": f"{programs}:{os.environ['PATH']}",
            "ORDERS": str(tmp_path / "orders"),
        },
    )
    yield process
    process.terminate()
    process.wait(20)


def order(tmp_path: Path, state: str) -> None:
    """Have ucarp announce a state; returns when it has read the order."""
    (tmp_path / "orders").write_text(state + "\n")


def await_line(log: Path, text: str) -> None:
    """Follow a log until a text appears; fails after 20 s."""
    subprocess.run(
        [
            "timeout",
            "20",
            "sh",
            "-c",
            'tail -n +1 -F "$0" 2>/dev/null | grep -qF -m1 -e "$1"',
            log,
            text,
        ],
        check=True,
    )


def test_the_service_serves_while_it_is_master_and_only_then(
    service: subprocess.Popen[bytes], paths: Paths, tmp_path: Path
):
    await_line(paths.failover_log, "INIT -> BACKUP")
    assert not paths.node_log.exists()
    order(tmp_path, "MASTER")
    await_line(paths.failover_log, "serving, term 1")
    await_line(paths.node_log, "openvpn-udp.conf")
    await_line(paths.node_log, "openvpn-tcp.conf")
    await_line(paths.node_log, "told serve")
    order(tmp_path, "BACKUP")
    await_line(paths.failover_log, "MASTER -> BACKUP")
    assert "no service is offered here any more" in paths.failover_log.read_text()


def test_a_stopped_service_leaves_its_heartbeat_first(
    service: subprocess.Popen[bytes], paths: Paths, tmp_path: Path
):
    await_line(paths.failover_log, "INIT -> BACKUP")
    service.terminate()
    assert service.wait(20) == 0
    assert "BACKUP -> STOPPED" in paths.failover_log.read_text()
    assert failover_status(paths)["state"] == "STOPPED"
