"""Rules say what they mean, refuse nonsense, and act the same with the same seed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.packets import Headers
from lab.errors import ScenarioError, WireError
from lab.wire.matching import compile_match
from lab.wire.rule_json import rule_from_json
from lab.wire.rules import (
    Corrupt,
    Delay,
    Drop,
    Duplicate,
    Jitter,
    Match,
    Reorder,
    Rule,
    rule_to_json,
)
from lab.wire.ruleset import Passage, RuleSet

HEADERS = Headers(
    b"\x01\x00\x5e\0\0\x12", b"\0\0\x5e\0\0\x5e", 0x0800, 112, b"\xc0\0\2\1", b"\xe0\0\0\x12"
)
RAW = bytes(range(64))

actions = st.one_of(
    st.just(Drop()),
    st.builds(Delay, st.floats(0, 60)),
    st.builds(Jitter, st.floats(0, 60)),
    st.builds(Reorder, st.floats(0, 60)),
    st.builds(Duplicate, st.integers(1, 16)),
    st.builds(Corrupt, st.integers(1, 64)),
)
names = st.lists(st.sampled_from(["a/wire0", "b/wire0"]), max_size=2).map(tuple)
matches = st.builds(
    Match,
    from_ports=names,
    to_ports=names,
    both_ways=st.booleans(),
    protocol=st.none() | st.integers(0, 255),
    src_ip=st.none() | st.ip_addresses().map(str),
)


def is_met(match: Match, *, came: str = "a", leaves: str | None = None) -> bool:
    return compile_match(match)(came, "lan", leaves, HEADERS)


def passed(rules: RuleSet, raw: bytes = RAW) -> Passage:
    passage = Passage(raw)
    rules.on_arrival(passage, "a", "lan", HEADERS)
    return passage


@given(matches, actions, st.floats(0, 1), st.none() | st.integers())
def test_a_rule_survives_its_way_through_json(match, action, probability, seed):
    rule = Rule(match, action, probability=probability, seed=seed)
    assert rule_from_json(json.loads(json.dumps(rule_to_json(rule)))) == rule


@pytest.mark.parametrize(
    "match",
    [
        Match(),
        Match(protocol=112, ethertype=0x0800, segment="lan"),
        Match(src_mac="00:00:5E:00:00:5e", dst_mac="01:00:5e:00:00:12"),
        Match(src_ip="192.0.2.0/24", dst_ip="224.0.0.18"),
        Match(from_ports=("a", "b")),
    ],
)
def test_a_match_is_met_when_every_field_holds(match):
    assert is_met(match)


@pytest.mark.parametrize(
    "match",
    [
        Match(protocol=17),
        Match(ethertype=0x0806),
        Match(segment="outside"),
        Match(src_mac="52:54:00:00:00:01"),
        Match(src_ip="192.0.3.0/24"),
        Match(src_ip="2001:db8::/32"),
        Match(dst_port=1194),
        Match(from_ports=("b",)),
    ],
)
def test_a_match_is_not_met_when_one_field_does_not_hold(match):
    assert not is_met(match)


def test_both_ways_matches_the_opposite_direction():
    match = Match(from_ports=("a",), to_ports=("b",), both_ways=True)
    assert is_met(match, came="a", leaves="b")
    assert is_met(match, came="b", leaves="a")
    assert not is_met(match, came="a", leaves="c")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: Match(protocol=256), "protocol must be 0 to 255, not 256"),
        (lambda: Match(src_mac="52:54"), "src_mac"),
        (lambda: Match(dst_ip="192.0.2.300"), "dst_ip"),
        (lambda: Delay(-1.0), "seconds"),
        (lambda: Duplicate(0), "copies"),
        (
            lambda: Rule(Match(), Drop(), probability=1.5),
            "must be from 0 to 1, not 1.5",
        ),
        (lambda: Rule(Match(), Drop(), limit=0), "limit"),
    ],
)
def test_nonsense_is_refused_by_name(wrong, said):
    with pytest.raises(ScenarioError, match=said):
        wrong()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({}, "match"),
        ({"match": {}, "action": {"kind": "explode"}}, "action"),
        ({"match": {"colour": 1}, "action": {"kind": "drop"}}, "match.colour"),
        ({"match": {"protocol": "x"}, "action": {"kind": "drop"}}, "match.protocol"),
        ("drop everything", "rule"),
    ],
)
def test_json_that_is_no_rule_is_refused_by_the_field_at_fault(value, said):
    with pytest.raises(ScenarioError, match=said):
        rule_from_json(value)


def test_a_drop_counts_what_it_matched_and_hit():
    rules = RuleSet(seed=1)
    number = rules.add(Rule(Match(protocol=112), Drop(), limit=2))
    dropped = [passed(rules).dropped for _ in range(3)]
    assert dropped == [True, True, False]
    row = rules.remove(number)
    assert (row["matched"], row["hits"]) == (3, 2)


def test_delays_add_up_and_are_noted():
    rules = RuleSet(seed=1)
    rules.add(Rule(Match(), Delay(0.25)))
    rules.add(Rule(Match(), Reorder(0.5)))
    passage = passed(rules)
    assert passage.delay_ns == 750_000_000
    assert passage.notes == ["delayed 250.000 ms by rule 1", "delayed 500.000 ms by rule 2"]


def test_corruption_flips_as_many_bits_as_asked_behind_the_ethernet_header():
    rules = RuleSet(seed=1)
    rules.add(Rule(Match(), Corrupt(5)))
    changed = passed(rules).raw
    flipped = sum((old ^ new).bit_count() for old, new in zip(RAW, changed, strict=True))
    assert (flipped, changed[:14]) == (5, RAW[:14])


def test_a_frame_without_payload_cannot_be_corrupted():
    rules = RuleSet(seed=1)
    rules.add(Rule(Match(), Corrupt()))
    assert passed(rules, RAW[:14]).raw == RAW[:14]


@given(st.integers(), st.floats(0.1, 0.9))
def test_the_same_seed_loses_the_same_frames(seed, probability):
    def lost() -> list[bool]:
        rules = RuleSet(seed)
        rules.add(Rule(Match(), Drop(), probability=probability))
        return [passed(rules).dropped for _ in range(50)]

    assert lost() == lost()


def test_an_id_is_never_used_again():
    rules = RuleSet(seed=1)
    first = rules.add(Rule(Match(), Drop()))
    rules.remove(first)
    assert rules.add(Rule(Match(), Drop())) != first


def test_removing_a_rule_that_is_not_there_names_those_that_are():
    rules = RuleSet(seed=1)
    rules.add(Rule(Match(), Drop()))
    with pytest.raises(WireError, match="rules in force: 1"):
        rules.remove(9)
