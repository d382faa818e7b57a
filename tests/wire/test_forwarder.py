"""Whatever the rules, a frame is recorded once and as it came; what waits is bounded."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from evidence.capture import Capture
from lab.wire.delay import DelayQueue
from lab.wire.forwarder import Forwarder
from lab.wire.port import SwitchPort
from lab.wire.recorder import Recorder
from lab.wire.rules import Drop, Match, Rule
from tests.wire.test_rules import actions

NAMES = ("a/wire0", "b/wire0", "c/wire0")
some_ports = st.lists(st.sampled_from(NAMES), max_size=2).map(tuple)
rules = st.builds(
    Rule,
    st.builds(Match, from_ports=some_ports, to_ports=some_ports, both_ways=st.booleans()),
    actions,
    probability=st.floats(0, 1),
)
octets = st.one_of(
    st.binary(max_size=80),
    st.binary(max_size=20).map(lambda rest: b"\xff" * 6 + b"\x52\x54\0\0\0\1\x08\0" + rest),
)
arrivals = st.lists(st.tuples(st.sampled_from(NAMES), octets), max_size=12)


class TimedPort(SwitchPort):
    """A port whose frames arrive when the test says."""

    at_ns = 0

    def arrived_ns(self) -> int:
        return self.at_ns


@given(st.lists(rules, max_size=4), arrivals, st.sets(st.sampled_from(NAMES)), st.booleans())
def test_every_frame_is_recorded_exactly_once_as_it_came(in_force, arriving, cut, paused):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "wire.pcapng")
        with Recorder(path) as recorder:
            forwarder = Forwarder(recorder, seed=3)
            for name in NAMES:
                forwarder.plug(TimedPort(name, "lan"))
                forwarder.port(name).cut = name in cut
            for rule in in_force:
                forwarder.rules.add(rule)
            forwarder.paused = paused
            forwarder.reconsider()
            for at_ns, (name, raw) in enumerate(arriving):
                forwarder.port(name).at_ns = at_ns
                forwarder.receive(forwarder.port(name), raw)
        recorded = [(frame.at_ns, frame.interface, frame.data) for frame in Capture(path)]
    assert recorded == [(at_ns, name, raw) for at_ns, (name, raw) in enumerate(arriving)]
    assert all(not forwarder.port(name).sent for name in NAMES if paused or name in cut)


def test_a_rule_that_never_matches_changes_no_verdict(tmp_path):
    with Recorder(tmp_path / "wire.pcapng") as recorder:
        forwarder = Forwarder(recorder, seed=3)
        for name in NAMES:
            forwarder.plug(SwitchPort(name, "lan"))
        forwarder.rules.add(Rule(Match(protocol=112), Drop()))
        forwarder.reconsider()
        forwarder.receive(forwarder.port("a/wire0"), b"\xff" * 6 + b"\x52" * 6 + b"\x88\xb5")
    assert [frame.comment for frame in Capture(recorder.path)] == [""]


@given(st.lists(st.integers(0, 50), max_size=40))
def test_delayed_frames_leave_by_due_time_and_then_in_order(due_times):
    queue, port = DelayQueue(), SwitchPort("a/wire0", "lan")
    for number, due_ns in enumerate(due_times):
        assert queue.hold(due_ns, port, bytes([number]))
    first = [raw[0] for _, raw in queue.release(25)]
    rest = [raw[0] for _, raw in queue.release(50)]
    assert first + rest == sorted(range(len(due_times)), key=lambda number: due_times[number])
    assert all(due_times[number] <= 25 for number in first)
    assert len(queue) == 0


def test_a_full_delay_queue_refuses_and_counts():
    queue, port = DelayQueue(most_frames=2, most_octets=100), SwitchPort("a/wire0", "lan")
    assert not queue.hold(1, port, b"x" * 101)
    assert queue.hold(1, port, b"x" * 60)
    assert not queue.hold(1, port, b"x" * 60)
    assert queue.refused == 2
