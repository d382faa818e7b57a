"""Which packets of OpenVPN's port a client sent, and which a node."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from checks.engine.verdict import Status
from evidence.capture import Frame
from evidence.packets import parse
from tests.checks.factories import Run
from tests.checks.multi_node.maintained import controller_lost, maintenance, node_lost
from tests.checks.multi_node.runs import run_mn_15, run_mn_23

OWN_PORT, PORT = (40000).to_bytes(2, "big"), (1194).to_bytes(2, "big")
OF_CLIENTS: dict[str, Callable[[], Run]] = {
    "MN-15": run_mn_15,
    "MN-23": run_mn_23,
    "MN-24": node_lost,
    "MN-25": maintenance,
    "MN-27": maintenance,
    "MN-30": controller_lost,
}


def by_the_same_port(frame: Frame) -> Frame:
    """Return a frame of a client, or to one, that has OpenVPN's port itself (`lport 1194`)."""
    packet = parse(frame.data)
    assert packet is not None
    if 40000 not in (packet.source_port, packet.target_port):
        return frame
    return replace(frame, data=frame.data.replace(OWN_PORT, PORT, 1))


@pytest.mark.parametrize("requirement", OF_CLIENTS)
def test_a_client_may_have_openvpns_own_port(requirement: str, tmp_path: Path) -> None:
    run = OF_CLIENTS[requirement]()
    run.frames = [by_the_same_port(one) for one in run.frames]
    verdict = run.judge(requirement, tmp_path)
    assert verdict.status is Status.PASS, verdict.text
