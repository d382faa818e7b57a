"""Preparing the secondary, SSH both ways, and the failover page (the guide's sections on both)."""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Callable, Mapping

import pytest

from checks.failover.setup import COMMIT_LIMIT_S
from evidence.events.setup import (
    CommitAttempted,
    CommitDone,
    InitAsked,
    InitBatch,
    InitWiped,
    SshAttempted,
    ValidateBegan,
    ValidateEnded,
)
from evidence.history import History
from lab.lab import Lab
from lab.machine import Machine
from lab.quiet import quiet
from lab.testbed import Frames
from lab.threads import side_by_side, threads
from lab.wait import pause
from lab.wire import Match
from provision.failover.access_server import ETC, SACLI
from scenarios.failover import observe, validation
from scenarios.failover.pair import HEARTBEAT, NODES, Pair

Judge = Callable[[str], object]
JudgeEach = Callable[..., None]

_FORMER_RUNS = 30  # advertisements, one a second, of a node that does not restart
_SILENT_S = 2.5  # two advertisements missed; a node that begins anew waits for three
INIT = "ovpn-init --secondary"
ANSWERS = ("delete", "yes", "", "DELETE")
SEEDED = ("seeded-one", "seeded-two")
CONFIGURATION = (
    f"{{ find {ETC}/db -type f ! -name '*.lock' -exec sha256sum {{}} + ; cat {ETC}/node-role; }}"
)


def seed(machine: Machine) -> None:
    """Let a node hold data of its own: a configuration, users, a certificate; nothing runs."""
    machine.run("service openvpnas stop", timeout=120)
    machine.run("ovpn-init --batch --force --host=seeded.example --no_start", timeout=240)
    for user in SEEDED:
        machine.run(f"{SACLI} --user {user} --key prop_autologin --value true UserPropPut")
    machine.run(f"{SACLI} --user {SEEDED[0]} GetAutologin", timeout=120)


def configuration(machine: Machine) -> str:
    """Return a hash of all that a node holds."""
    return machine.run(f"{CONFIGURATION} 2>/dev/null | sort | sha256sum").stdout.strip()


def remaining(machine: Machine) -> list[str]:
    """Return which seeded items are still anywhere below the node's configuration."""
    words = [*SEEDED, "seeded.example"]
    command = 'for word in {}; do grep -rqaF -e "$word" {} && echo "$word"; done; true'
    found = machine.run(command.format(shlex.join(words), ETC)).stdout.split()
    return [word for word in words if word in found]


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("FO-02", "FO-03")
def test_only_the_word_delete_wipes_and_then_nothing_is_left(
    lab: Lab, history: History, judge_each: JudgeEach
) -> None:
    machine = lab["secondary"]
    seed(machine)
    seeded = len(remaining(machine))
    for answer in ANSWERS:
        before = configuration(machine)
        said = machine.run(f"{INIT} --no_start", stdin=f"{answer}\n", timeout=240, check=False)
        history.record(
            InitAsked(
                source="secondary",
                answer=answer,
                status=said.status,
                before=before,
                after=configuration(machine),
            )
        )
    role = machine.run(f"cat {ETC}/node-role").stdout.strip()
    history.record(
        InitWiped(
            source="secondary",
            seeded=seeded,
            left=tuple(remaining(machine)),
            role={"secondary": "standby"}.get(role, role),
        )
    )
    judge_each("FO-02", "FO-03")


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("FO-04")
def test_batch_and_force_never_ask(lab: Lab, history: History, judge: Judge) -> None:
    machine = lab["secondary"]
    seed(machine)
    # a second run reads from a file whose offset both processes share: was anything taken?
    machine.run("printf 'DELETE\\n' > /run/typed")
    left = machine.run(
        f"exec 3</run/typed; {INIT} --batch --force --no_start <&3 >/dev/null; cat <&3",
        timeout=240,
    ).stdout
    said = machine.run(f"{INIT} --batch --force --no_start <&-", timeout=240, check=False)
    history.record(
        InitBatch(
            source="secondary",
            stdin="closed",
            status=said.status,
            seconds=said.seconds,
            reads_stdin=left != "DELETE\n",
        )
    )
    judge("FO-04")


@pytest.mark.on_site("observes")
@pytest.mark.requirement("FO-05")
def test_root_reaches_root_in_both_directions(pair: Pair, judge: Judge) -> None:
    def log_in(node: str) -> None:
        target = pair.other(node)
        said = pair.machine(node).run(
            f"ssh -o BatchMode=yes -o ConnectTimeout=60 root@{pair.address(target)} true",
            timeout=150,
            check=False,
        )
        pair.history.record(
            SshAttempted(
                source=node,
                origin=node,
                target=target,
                user="root",
                status=said.status,
                seconds=said.seconds,
                detail=said.stderr.strip().rpartition("\n")[2],
            )
        )

    side_by_side(NODES, log_in)
    judge("FO-05")


@pytest.mark.sign_off
@pytest.mark.requirement("FO-01", "FO-06", "FO-07", "FO-08")
def test_validate_shows_four_good_rows_and_each_prerequisite_its_own(
    pair: Pair, judge_each: JudgeEach
) -> None:
    pair.make_active("primary")
    validation.validate(pair)
    for broken in validation.PREREQUISITES:
        validation.validate_with(pair, broken)
    validation.validate(pair)
    judge_each("FO-01", "FO-06", "FO-07", "FO-08")


def state(pair: Pair) -> dict[str, str]:
    """Return what can be compared of both nodes: addresses, programs, configuration."""
    with threads(len(NODES)) as beside:
        states = beside.map(lambda node: _state(pair.machine(node)), NODES)
        return {
            f"{node}: {name}": value
            for node, found in zip(NODES, states, strict=True)
            for name, value in found.items()
        }


def _state(machine: Machine) -> dict[str, str]:
    said = machine.run(
        "ip -4 -o addr | awk '{print $2, $4}'; echo; "
        "ps -eo comm= | grep -E '^(ucarp|keepalived|openvpn)' | sort"
    )
    addresses, _, programs = said.stdout.partition("\n\n")
    configuration = observe.hashes(machine, observe.LIVE)
    return {"addresses": addresses, "programs": programs, **configuration}


@pytest.mark.sign_off
@pytest.mark.on_site("disrupts")
@pytest.mark.requirement("FO-09")
def test_validate_changes_nothing(pair: Pair, judge: Judge) -> None:
    pair.make_active("primary")
    pause(3)
    pair.history.record(ValidateBegan(source="primary", state=state(pair)))
    validation.validate(pair)
    pair.history.record(ValidateEnded(source="primary", state=state(pair)))
    pause(5)
    judge("FO-09")


def outside(network: str) -> str:
    """Return an address beyond a node's network: 192.168.71.222 for 192.168.70.1/24."""
    return str(ipaddress.ip_interface(network).network.broadcast_address + 223)


@pytest.mark.sign_off
@pytest.mark.requirement("FO-10")
def test_a_virtual_ip_outside_the_nodes_subnet_is_refused(pair: Pair, judge: Judge) -> None:
    pair.make_active("primary")
    record_attempt(pair, virtual_ip=outside(pair.site.primary.interface))
    pause(COMMIT_LIMIT_S)  # what is configured all the same takes as long as a commit
    for node in NODES:
        observe.addresses(pair, node)
    judge("FO-10")


def record_attempt(pair: Pair, **changes: object) -> str:
    """Try to commit a request, record that, return what was said; "" if accepted."""
    asked = validation.request(pair, **changes)
    accepted, said = validation.ask(pair, "FailoverCommit", asked)
    pair.history.record(
        CommitAttempted(
            source="primary",
            virtual_ip=asked["virtual_ip"],
            network=pair.site.primary.interface,
            accepted=accepted,
            error="" if accepted else said.strip(),
        )
    )
    return "" if accepted else said


IMPOSSIBLE: Mapping[str, tuple[dict[str, object], str]] = {
    "an address that a machine has": ({"virtual_ip": "192.168.70.254"}, "in use"),
    "one node twice": ({"secondary": {"host": "192.168.70.1"}}, "both nodes"),
    "a node's own address": ({"virtual_ip": "192.168.70.1"}, "own address"),
    "VHID 0": ({"vhid": 0}, "1 to 255"),
    "VHID 256": ({"vhid": 256}, "1 to 255"),
    "a password that ucarp cuts off": ({"ucarp_password": "x" * 20}, "19 bytes"),
}


@pytest.mark.sign_off
def test_a_pair_that_cannot_be_is_refused_and_nothing_is_changed(pair: Pair) -> None:
    pair.make_active("primary")
    before = state(pair)
    for what, (changes, said) in IMPOSSIBLE.items():
        assert said in record_attempt(pair, **changes), what
        assert state(pair) == before, what


@pytest.mark.sign_off
@pytest.mark.destructive
def test_a_secondary_that_holds_data_is_refused(pair: Pair) -> None:
    pair.make_active("primary")
    seed(pair.machine("secondary"))
    assert "holds data of its own" in record_attempt(pair)


def wait_for_restart(heard: Frames) -> None:
    """Wait until a node has ceased to advertise and begun anew; its former run may go on a while.

    Nobody asks the node: what it does meanwhile is timed.
    """
    for _ in range(_FORMER_RUNS):
        if heard.take(_SILENT_S) is None:
            break
    heard.take(30)  # what does not come is for the check to see


@pytest.mark.destructive
@pytest.mark.requirement("FO-11")
def test_commit_and_restart_brings_the_virtual_ip_up_unaided(pair: Pair, judge: Judge) -> None:
    pair.make_active("primary")
    pair.service("secondary", "stop")
    adverts = Match(protocol=HEARTBEAT, from_ports=(pair.port("primary"),))
    asked = validation.request(pair)
    with observe.address_changes(pair, "primary"):
        with pair.lab.wire.frames(adverts) as heard, quiet(pair.lab.directory):
            accepted, said = validation.ask(pair, "FailoverCommit", asked)
            committed = pair.history.record(CommitDone(source="primary", node="primary"))
            assert accepted, said
            wait_for_restart(heard)
        pause(10)  # to see that it keeps what it holds
    observe.addresses(pair, "primary")
    observe.log_lines(pair, "primary", committed.at_ns)
    judge("FO-11")
