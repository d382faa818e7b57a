"""The services of the pair, asked for by a host on its network; what answers goes to the history.

The web service, and OpenVPN over TCP and UDP. A datagram that OpenVPN answers is made with the key
of its profiles, read where a node keeps it: asking for a profile would make a certificate, too.
Nothing here judges.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from evidence.events.takeover import ServiceProbed
from evidence.moment import NS, Moment
from evidence.secret import Secrets
from lab.answers import understood
from lab.errors import DeadlinePassed
from lab.probe import Asking, Probe
from lab.wait import until
from scenarios.failover.greeting import hard_reset, static_key
from scenarios.failover.observe import LIVE, PROBE
from scenarios.failover.pair import Pair

PROBE_ADDRESS, PROBE_MAC = "192.168.70.9", "02:70:72:6f:62:65"
"""The host on the pair's network that asks."""

Greeting = Callable[[], bytes]

_KEY = "SELECT value FROM secrets WHERE name = 'tls-crypt.key'"
_KNOCK_S = 5.0
_BEFORE_S = 60.0
_BACK_S = 20.0  # longer than the guide's limit for the service
_CALM_S = 1.0  # how often is asked once the service is back
_PATIENCE_NS = NS  # no answer yet to a younger question is no silence
_ANSWERS_WITHIN_S = 5.0  # of a service that is there, on a host that was busy


@dataclass(frozen=True)
class Service:
    """A service, and how often (s) it is asked for around a fault.

    OpenVPN logs every connection, so it is asked less often than the web service.
    """

    protocol: Literal["tcp", "udp"]
    port: int
    every: float

    def __str__(self) -> str:
        return f"{self.protocol} {self.port}"


SERVICES = (Service("tcp", 443, 0.5), Service("tcp", 943, 0.1), Service("udp", 1194, 0.5))


def greeting(pair: Pair) -> Greeting:
    """Return what makes a first packet of an OpenVPN client, in the pair's own time."""
    command = shlex.join(["sqlite3", "-readonly", f"{LIVE}/certs.db", _KEY])
    active = pair.active()
    said = pair.machine(active).run(command).stdout
    Secrets(pair.history.path.parent).keep({"tls-crypt.key of the pair": said})
    with understood(active, "its tls-crypt key"):
        key = static_key(said)
    return lambda: hard_reset(key, pair.lab.clock.in_lab(time.time_ns()) // NS)


def knock(pair: Pair, probe: Probe, address: str) -> None:
    """Try every service at an address once and record what answered."""
    packet = greeting(pair)
    for one in SERVICES:
        asked_ns = time.time_ns()
        if one.protocol == "udp":
            answer = probe.udp_answers(address, one.port, packet, _KNOCK_S)
        else:
            answer = probe.tcp_connects(address, one.port, _KNOCK_S)
        at_ns, mac = (answer.at_ns, answer.mac) if answer else (asked_ns, None)
        _record(pair, one, address, at_ns, mac)


class Watched:
    """The services at the virtual IP while they are asked for."""

    def __init__(self, pair: Pair, asked: Mapping[Service, Asking]) -> None:
        self._pair = pair
        self._asked = asked

    def wait_until_answered(self) -> None:
        """Wait until each has answered once; DeadlinePassed names those that do not."""
        until(
            lambda: all(asking.answers for asking in self._asked.values()),
            _BEFORE_S,
            f"{self._pair.virtual_ip} to answer before the fault",
            detail=lambda: ", ".join(
                str(one) for one, asking in self._asked.items() if not asking.answers
            ),
        )

    def wait_until_back(self, injected: Moment, mac: str) -> None:
        """Wait until the new holder answers everywhere; the old one may go on for a while.

        That it does not is for the checks to see.
        """
        try:
            until(
                lambda: all(_has_answered(one, injected, mac) for one in self._asked.values()),
                _BACK_S,
                "answers of the other node after the fault",
            )
        except DeadlinePassed:
            return

    def calm_down(self) -> None:
        """Ask on, but no more often than it takes to see whether the service stays."""
        for asking in self._asked.values():
            asking.every = _CALM_S

    def record(self, injected: Moment) -> None:
        """Record the last answer before the fault, then each change, and what came last.

        An answer that is on its way is waited for: its question would look like silence.
        """
        ended_ns = time.time_ns()
        with suppress(DeadlinePassed):
            until(
                lambda: not any(_is_open(one, ended_ns) for one in self._asked.values()),
                _ANSWERS_WITHIN_S,
                "answers to what was asked last",
            )
        for one, asking in self._asked.items():
            for at_ns, mac in _in_short(_seen(asking, ended_ns), injected):
                _record(self._pair, one, self._pair.virtual_ip, at_ns, mac)


@contextmanager
def watched(pair: Pair, probe: Probe) -> Iterator[Watched]:
    """Ask for every service at the virtual IP until the block ends."""
    packet = greeting(pair)
    with ExitStack() as asking:
        yield Watched(
            pair,
            {
                one: asking.enter_context(
                    probe.keep_asking(
                        pair.virtual_ip,
                        one.port,
                        one.every,
                        packet if one.protocol == "udp" else None,
                    )
                )
                for one in SERVICES
            },
        )


def _has_answered(asking: Asking, injected: Moment, mac: str) -> bool:
    return any(one.at_ns > injected.latest_ns and one.mac == mac for one in asking.answers)


Seen = tuple[int, str | None]  # when, and the MAC that answered; None: nobody did


def _is_open(asking: Asking, ended_ns: int) -> bool:
    """Whether the last question of which an answer is due has none yet."""
    due = [one for one in asking.questions if one.at_ns < ended_ns - _PATIENCE_NS]
    return bool(due) and not due[-1].answers


def _seen(asking: Asking, ended_ns: int) -> list[Seen]:
    """Return the answers, and the questions that got none, in the order of time."""
    found: list[Seen] = []
    for question in asking.questions:
        found += [(answer.at_ns, answer.mac) for answer in question.answers]
        if not question.answers and question.at_ns < ended_ns - _PATIENCE_NS:
            found.append((question.at_ns, None))
    return sorted(found, key=lambda one: one[0])


def _in_short(seen: list[Seen], injected: Moment) -> list[Seen]:
    """Keep the last answer before the fault; after it the first of each kind in a row, the last."""
    before = [one for one in seen if one[0] <= injected.latest_ns and one[1] is not None]
    after = [one for one in seen if one[0] > injected.latest_ns]
    changes = [next(same) for _, same in groupby(after, key=lambda one: one[1])]
    last = [one for one in after[-1:] if one not in changes]
    return [*before[-1:], *changes, *last]


def _record(pair: Pair, one: Service, address: str, at_ns: int, mac: str | None) -> None:
    pair.history.record(
        ServiceProbed(
            source=PROBE,
            at_ns=at_ns,
            address=address,
            protocol=one.protocol,
            port=one.port,
            answered=mac is not None,
            mac=mac,
        )
    )
