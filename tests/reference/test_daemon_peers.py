"""The peers that a scenario lets the controller be, tried on the drop-in's vpn-daemon."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scenarios.multi_node import daemon_peers
from tests.reference.daemon_process import place_keys, running
from tests.reference.drop_in import Machine
from tests.reference.test_drop_in_daemon import KEYS, PATH, authority

__all__ = ["authority"]

PEERS = [
    ("client", "1.2"), ("none", "1.2"), ("other-ca", "1.2"), ("server", "1.2"), ("plain", ""),
    ("client", "1.1"),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("secured", [True, False])
def test_each_peer_tells_what_became_of_it(
    machine: Machine, authority: Path, secured: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = place_keys(authority, machine.root / KEYS) if secured else None
    with running([machine.root / PATH / "vpn-daemon"], keys) as daemon:
        daemon_peers.main(daemon.port, ["127.0.0.1"], keys=authority, made=authority)
    told = json.loads(capsys.readouterr().out)
    assert [(one["shown"], one["tls"]) for one in told] == PEERS
    assert all(one["connected"] and one["sent"] for one in told)
    answered = [one["shown"] for one in told if one["answer"]]
    assert answered == (["client"] if secured else ["plain"])
    assert all(one["detail"] for one in told if not one["answer"] and one["shown"] != "plain")


def test_who_cannot_be_reached_says_why() -> None:
    told = daemon_peers.attempt("127.0.0.1", 1, None)
    assert told == {
        "connected": False, "sent": 0, "answer": "", "detail": "[Errno 111] Connection refused"
    }  # fmt: skip
