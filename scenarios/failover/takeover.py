"""A takeover, provoked and recorded.

It begins with a pair that is ready. What is measured is measured from the wire's recording
afterwards; here it is only seen to that there is enough of it: the services are asked for until the
fault's watch ends, so that what is back can be seen to stay. Between two takeovers in one lab the
whole lab is rewound to how it was frozen; a lab without a frozen state repairs itself, which takes
minutes where a machine boots, and then the roles are swapped.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

from evidence.events.takeover import FaultInjected, FaultWatched
from evidence.moment import Moment
from lab.checkpoint.rewind import frozen_state, rewind
from lab.lab import Lab
from lab.probe import Probe
from lab.quiet import busy, quiet
from lab.wait import pause
from lab.wire import Match
from scenarios.failover import observe, services
from scenarios.failover.faults import SERVICE_STOP, Fault
from scenarios.failover.pair import HEARTBEAT, Pair
from scenarios.run import record_start

_TAKEOVER_S = 15.0  # longer than any limit for the first advertisement
_STAYS_S = 6.5  # the service is to be seen 5 s, asked for once a second; the second ARP comes in 2
_UNDISTURBED_S = 8.0  # to see that no takeover comes

Meanwhile = Callable[[str, Moment], None]


def provoke(
    pair: Pair,
    fault: Fault,
    probe: Probe,
    meanwhile: Meanwhile = lambda _peer, _injected: None,
    *,
    before: Callable[[], None] | None = None,
) -> str:
    """Let the active node fail once, watch what comes of it, record it; return the node.

    `before` is called right before the fault; `meanwhile` with the peer's name and the fault's
    moment once the takeover was seen, while it is watched.
    """
    victim = pair.active()
    peer = pair.other(victim)
    observe.greet(pair)
    adverts = Match(protocol=HEARTBEAT, from_ports=(pair.port(peer),))
    stops = fault is SERVICE_STOP  # how long the node holds the virtual IP meanwhile is judged
    reading = observe.address_changes(pair, victim) if stops else nullcontext()
    with reading, services.watched(pair, probe) as watched:
        watched.wait_until_answered()
        pair.lab.announce(f"{victim}, which is active: {fault}")
        with pair.lab.wire.frames(adverts) as heard:
            with quiet(pair.lab.directory):
                if before is not None:
                    before()
                injected = fault.inject(pair.lab, victim)
                _record_fault(pair, fault, victim, injected)
                if fault.takes_over:
                    heard.take(_TAKEOVER_S)
                    watched.wait_until_back(injected, pair.mac(peer))
            watched.calm_down()
            pause(_STAYS_S if fault.takes_over else _UNDISTURBED_S)
        _record_aftermath(pair, fault, victim, peer, injected, probe)
        meanwhile(peer, injected)
        watched.record(injected)
    pair.history.record(FaultWatched(source="scenario", node=victim))
    return victim


def restore(pair: Pair, fault: Fault, victim: str) -> None:
    """Give the pair both its nodes again, by rewinding the lab if that is possible."""
    lab = pair.lab if isinstance(pair.lab, Lab) else None
    frozen = frozen_state(lab) if lab is not None else None
    if frozen is None or fault.loses_machine:  # what a machine holds is rewound; a cut wire is not
        fault.undo(pair.lab, victim)
    if lab is not None and frozen is not None:
        rewind(lab, frozen)
        record_start(pair.history, lab)
        pair.rewound()
        return
    if fault.loses_machine:
        boot(pair, victim)
    pair.wait_until_ready()


def boot(pair: Pair, node: str) -> None:
    """Switch a machine on that is off, and wait until its service runs again, in either role."""
    with busy(pair.lab.directory):  # a boot keeps a processor: none while another lab is timed
        pair.machine(node).power_on()
        pair.machine(node).wait_until_up()
    pair.wait_for_role(node)


def _record_fault(pair: Pair, fault: Fault, victim: str, injected: Moment) -> None:
    pair.history.record(
        FaultInjected(
            source="scenario",
            at_ns=injected.at_ns,
            uncertainty_ns=injected.uncertainty_ns,
            fault=fault.name,
            node=victim,
            expects_takeover=fault.takes_over,
        )
    )
    if fault is SERVICE_STOP:
        observe.after_stop(pair, victim)


def _record_aftermath(
    pair: Pair, fault: Fault, victim: str, peer: str, injected: Moment, probe: Probe
) -> None:
    observe.neighbours(pair, probe)
    observe.addresses(pair, peer)
    observe.log_lines(pair, peer, injected.at_ns)
    if not fault.loses_machine:
        observe.addresses(pair, victim)
