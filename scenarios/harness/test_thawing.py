"""LAB-04: labs with the same addresses are apart. LAB-05: a thawed lab is the one that was frozen.

The scenario's lab is frozen and goes on; its twin is thawed from the same checkpoint, beside it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest

from evidence.events.harness import SaidOnWire
from evidence.history import History
from evidence.run import RunDirectory
from lab.checkpoint import freeze, ingredients, thaw
from lab.lab import Lab
from scenarios.harness import machines
from scenarios.labs import Labs

PORT = 9996


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("LAB-04", "LAB-05")
def test_a_lab_that_was_frozen_goes_on_twice_and_neither_sees_the_other(
    lab: Lab,
    labs: Labs,
    guide: str,
    frozen: list[str],
    history: History,
    judge_each: Callable[..., None],
) -> None:
    name = labs.name(guide)
    for machine in lab.machines.values():
        history.record(machines.leave_nonces(machine))
    made_of = ingredients(lab.topology, lab.image, lab.accelerator, nonce=secrets.token_hex())
    checkpoint = freeze(lab, made_of, "what the harness shows of itself")
    frozen.append(checkpoint.key)
    files = RunDirectory(history.path.parent)
    capture = files.capture(f"{name}-twin")
    with thaw(checkpoint, lab.image, lab.accelerator, capture=capture) as twin:
        for one, called in ((lab, name), (twin, f"{name}-twin")):
            for machine in one.machines.values():
                history.record(machines.find_nonces(machine, called))
            history.record(say(one, called, files))
            one.wire.flush()
        for one in (lab, twin):  # once more: what came late is recorded by now
            one.wire.flush()
    judge_each("LAB-04", "LAB-05")


def say(lab: Lab, name: str, files: RunDirectory) -> SaidOnWire:
    """Let a machine of a lab say a nonce to all of its network."""
    nonce, spec = secrets.token_hex(16), lab.topology.machine("one")
    broadcast = str(lab.topology.networks[spec.nics[0].network].ipv4.broadcast_address)
    machines.send(lab["one"], nonce, broadcast, PORT, range(3))
    return SaidOnWire(
        source="one",
        lab=name,
        capture=files.place(files.capture(name)),
        address=str(spec.ipv4),
        nonce=nonce,
    )
