"""A takeover, provoked and recorded.

It begins with a pair that is ready. What is measured is measured from the wire's recording
afterwards; here it is only seen to that there is enough of it. Between two takeovers in one lab the
whole lab is rewound to how it was frozen; a lab without a frozen state repairs itself, which takes
minutes where a machine boots, and then the roles are swapped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack

from lab.checkpoint.rewind import frozen_state, rewind
from lab.errors import DeadlinePassed
from lab.probe import Answer, Probe
from lab.quiet import quiet
from lab.wait import pause, until
from lab.wire import Match
from scenarios.failover import observe
from scenarios.failover.faults import SERVICE_STOP, Fault, Moment
from scenarios.failover.pair import HEARTBEAT, Pair
from scenarios.run import record_start

PORTS = {943: 0.1, 443: 0.5}
"""What is asked for over TCP while a node fails, and how often (s): the web service, and OpenVPN,
which logs every connection."""
PROBE_ADDRESS, PROBE_MAC = "192.168.70.9", "02:70:72:6f:62:65"
"""The host on the pair's network that asks while the active node fails."""

_TAKEOVER_S = 15.0  # longer than any limit for the first advertisement
_SERVICE_S = 20.0  # longer than the guide's limit for the service
_SECOND_ARP_S = 3.5  # ucarp announces itself again 2 s after it took over
_UNDISTURBED_S = 8.0  # to see that no takeover comes
_ANSWERS_S = 60.0

Meanwhile = Callable[[str, Moment], None]


def provoke(
    pair: Pair,
    fault: Fault,
    probe: Probe,
    meanwhile: Meanwhile = lambda _peer, _struck: None,
    *,
    before: Callable[[], None] | None = None,
) -> str:
    """Let the active node fail once, watch what comes of it, record it; return the node.

    `before` is called right before the fault; `meanwhile` with the peer's name once the takeover
    was seen, before `fault.over`.
    """
    victim = pair.active()
    peer = pair.other(victim)
    observe.greet(pair)
    adverts = Match(protocol=HEARTBEAT, from_ports=(pair.port(peer),))
    with pair.lab.wire.frames(adverts) as heard, ExitStack() as asking:
        answers = {
            port: asking.enter_context(probe.keep_asking(pair.virtual_ip, port, every))
            for port, every in PORTS.items()
        }
        until(
            lambda: all(answers.values()),
            _ANSWERS_S,
            f"answers of {pair.virtual_ip} before the fault, at ports {', '.join(map(str, PORTS))}",
        )
        with quiet(pair.lab.directory):
            if before is not None:
                before()
            struck = fault.strike(pair.lab, victim)
            _record_fault(pair, fault, victim, struck)
            if fault.takes_over:
                heard.take(_TAKEOVER_S)
                _wait_for_answers(answers.values(), struck, pair.mac(peer))
        pause(_SECOND_ARP_S if fault.takes_over else _UNDISTURBED_S)
    for port, came in answers.items():
        _record_answers(pair, port, came, struck, peer)
    _record_aftermath(pair, fault, victim, peer, struck)
    meanwhile(peer, struck)
    pair.history.record("fault.over", "scenario", node=victim)
    return victim


def restore(pair: Pair, fault: Fault, victim: str) -> None:
    """Give the pair both its nodes again, by rewinding the lab if that is possible."""
    frozen = frozen_state(pair.lab)
    if frozen is None or fault.loses_machine:  # what a machine holds is rewound; a cut wire is not
        fault.undo(pair.lab, victim)
    if frozen is not None:
        rewind(pair.lab, frozen)
        record_start(pair.history, pair.lab)
        pair.rewound()
        return
    if fault.loses_machine:
        boot(pair, victim)
    pair.wait_until_ready()


def boot(pair: Pair, node: str) -> None:
    """Switch a machine on that is off, and wait until its service runs again."""
    pair.machine(node).power_on()
    pair.machine(node).wait_until_up()
    pair.wait_for_state(node, "BACKUP")


def _record_fault(pair: Pair, fault: Fault, victim: str, struck: Moment) -> None:
    pair.history.record(
        "fault.begin",
        "scenario",
        at_ns=struck.at_ns,
        uncertainty_ns=struck.uncertainty_ns,
        fault=fault.name,
        node=victim,
        expects_takeover=fault.takes_over,
    )
    if fault is SERVICE_STOP:
        observe.after_stop(pair, victim)


def _wait_for_answers(asked: Iterable[Sequence[Answer]], struck: Moment, mac: str) -> None:
    """Wait until the new holder answers everywhere; the old one may go on for a while."""
    latest = struck.at_ns + struck.uncertainty_ns
    try:
        until(
            lambda: all(
                any(one.at_ns > latest and one.mac == mac for one in list(answers))
                for answers in asked
            ),
            _SERVICE_S,
            "answers of the other node after the fault",
        )
    except DeadlinePassed:
        return  # that none came is for the checks to see


def _record_answers(
    pair: Pair, port: int, answers: Sequence[Answer], struck: Moment, peer: str
) -> None:
    """Record the last answer before the fault, and the first ones after it of each node."""
    latest = struck.at_ns + struck.uncertainty_ns
    before = [answer for answer in answers if answer.at_ns <= latest]
    after = [answer for answer in answers if answer.at_ns > latest]
    of_peer = [answer for answer in after if answer.mac == pair.mac(peer)]
    of_others = [answer for answer in after if answer.mac != pair.mac(peer)]
    recorded = (*before[-1:], *of_others[:10], *of_peer[:10])
    for answer in sorted(recorded, key=lambda one: one.at_ns):
        pair.history.record(
            "probe",
            "probe",
            at_ns=answer.at_ns,
            address=pair.virtual_ip,
            protocol="tcp",
            port=port,
            answered=True,
            mac=answer.mac,
        )


def _record_aftermath(pair: Pair, fault: Fault, victim: str, peer: str, struck: Moment) -> None:
    observe.neighbour(pair)
    observe.addresses(pair, peer)
    observe.log_lines(pair, peer, struck.at_ns)
    if not fault.loses_machine:
        observe.addresses(pair, victim)
