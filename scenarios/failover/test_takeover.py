"""The active node fails, each way there is; measured from the wire, repeated (20 times in full).

Each repetition is an item, in a lab as it was frozen; the requirement is judged over all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from checks.protocols.budgets import PCAP_READ_TIMEOUT_S
from evidence.events.takeover import GuestCaptured
from evidence.history import History
from evidence.moment import NS
from lab.machine import Machine
from lab.probe import Probe
from lab.quiet import quiet
from lab.testbed import Frames
from lab.wait import pause, until
from lab.wire import Match
from scenarios.failover import clocks, faults
from scenarios.failover.faults import Fault
from scenarios.failover.pair import HEARTBEAT, Pair, silence
from scenarios.failover.takeover import provoke
from scenarios.run import recorded_clock

Judge = Callable[[str], object]
JudgeEach = Callable[..., None]

_PCAP, _SAID = "/run/takeover.pcap", "/run/takeover.said"


@pytest.mark.on_site("disrupts")
@pytest.mark.repeated
@pytest.mark.pristine
@pytest.mark.destructive
@pytest.mark.requirement("FO-24", "FO-25", "FO-26", "FO-31")
@pytest.mark.requirement("FO-20", engine="ucarp")  # VRRP's advertisements have no counter
def test_a_power_failure_makes_the_standby_active(
    pair: Pair, probe: Probe, judge_each: JudgeEach
) -> None:
    provoke(pair, faults.POWER_OFF, probe)
    judge_each()


@pytest.mark.on_site("disrupts")
@pytest.mark.sign_off
@pytest.mark.repeated
@pytest.mark.pristine
@pytest.mark.destructive
@pytest.mark.requirement("FO-24", "FO-25")
@pytest.mark.parametrize("fault", faults.CRASHES[1:], ids=str)
def test_a_crash_makes_the_standby_active(
    fault: Fault, pair: Pair, probe: Probe, judge_each: JudgeEach
) -> None:
    provoke(pair, fault, probe)
    judge_each("FO-24", "FO-25")


@pytest.mark.on_site("disrupts")
@pytest.mark.repeated
@pytest.mark.pristine
@pytest.mark.destructive
@pytest.mark.requirement("FO-27")
def test_a_clean_stop_hands_over_and_drops_the_virtual_ip(
    pair: Pair, probe: Probe, judge: Judge
) -> None:
    provoke(pair, faults.SERVICE_STOP, probe)
    judge("FO-27")


@contextmanager
def captured_inside(machine: Machine, history: History) -> Iterator[None]:
    """Let a guest record the heartbeat itself, and put its file into the evidence.

    It covers the time from when it was seen to listen until it is about to be ended; nothing that
    it has heard waits in a buffer by then.
    """
    machine.run(
        f"rm -f {_PCAP} {_SAID}; setsid tcpdump -U --immediate-mode -i wire0 -w {_PCAP} "
        f"'ip proto 112' </dev/null >/dev/null 2>{_SAID} & echo $! > /run/takeover.pid"
    )
    until(
        lambda: "listening on" in machine.run(f"cat {_SAID}", check=False).stdout,
        30,
        f"tcpdump to listen on {machine.name}",
        every=0.3,
    )
    from_ns = time.time_ns()
    yield
    until_ns = time.time_ns()
    machine.run('kill "$(cat /run/takeover.pid)"')
    name = f"guest-{machine.name}-{until_ns}.pcap"
    (history.path.parent / name).write_bytes(machine.get(_PCAP))
    history.record(
        GuestCaptured(
            source=machine.name,
            path=name,
            clock=recorded_clock(machine.clock()),
            from_ns=from_ns,
            until_ns=until_ns,
        )
    )


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("FO-24")
def test_the_wires_figures_are_those_of_the_guests_own_capture(
    pair: Pair, probe: Probe, judge: Judge
) -> None:
    standby = pair.machine(pair.other(pair.active()))
    with captured_inside(standby, pair.history):
        pause(3)
        provoke(pair, faults.POWER_OFF, probe)
    judge("FO-24")


STEP_BACK_S = 20
_DRIFT_S = 0.1  # of a guest's clock meanwhile, at the very most


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.engine("ucarp")  # keepalived counts by a clock that nobody sets
def test_a_standby_whose_clock_is_set_back_waits_so_much_longer(
    pair: Pair, record_property: Callable[[str, object], None]
) -> None:
    """Shows why the guide's pair needs clocks in step: ucarp counts silence by the wall clock.

    What the guide promises is broken then, so this measures, and judges no requirement. It is
    skipped when the clock was set at a time that shows nothing, by the wire's and the guest's word.
    """
    active = pair.active()
    standby = pair.other(active)
    usual = silence(pair.config(active), standby)
    between_s = (PCAP_READ_TIMEOUT_S + usual.minimum_s) / 2
    adverts = Match(protocol=HEARTBEAT, from_ports=(pair.port(active), pair.port(standby)))
    with quiet(pair.lab.directory), pair.lab.wire.frames(adverts) as heard:
        timer = clocks.Timer.armed(
            pair.machine(standby),
            pair.lab.interface(standby, 0),
            pair.address(active),
            silence_s=between_s,
            back_s=STEP_BACK_S,
        )
        pair.machine(active).kill()
        last_ns, first_ns = _last_and_first(heard, pair.port(standby))
    if why := clocks.misses(timer.went_off(), last_ns, usual):
        pytest.skip(why)
    back_s = pair.machine(standby).clock().behind_s - timer.before.behind_s
    assert back_s > STEP_BACK_S / 2, f"somebody else sets {standby}'s clock: {back_s:.1f} s back"
    silence_s = (first_ns - last_ns) / NS
    record_property(f"silence in s with the standby's clock set back {STEP_BACK_S} s", silence_s)
    assert silence_s > usual.minimum_s + STEP_BACK_S - _DRIFT_S, (
        f"a silence of {silence_s:.2f} s, of {usual} as usual, is not longer by {STEP_BACK_S} s"
    )


def _last_and_first(heard: Frames, standby: str) -> tuple[int, int]:
    """Return when the active node advertised last, and the standby, by its port, first."""
    last_ns = None
    for frame in heard.take_for(STEP_BACK_S + 30):
        if frame.port == standby:
            assert last_ns is not None, "an advertisement armed the timer, and the wire showed none"
            return last_ns, frame.at_ns
        last_ns = frame.at_ns
    raise AssertionError(f"{standby} did not advertise within {STEP_BACK_S + 30} s")
