"""The rules in force on a wire, and what they do to a frame.

Counts what each rule matched and hit: a fault that hit nothing showed nothing.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from evidence.packets import ETHERNET_HEADER, Headers
from lab.errors import WireError
from lab.wire.matching import compile_match
from lab.wire.rules import Corrupt, Delay, Drop, Duplicate, Jitter, Reorder, Rule, rule_to_json

_NS = 1_000_000_000


@dataclass(slots=True)
class Passage:
    """A frame on its way: what it became, and the notes on what was done to it.

    `delay_ns` is how much later it leaves and `copies` how often; `dropped` ends its way.
    """

    raw: bytes
    delay_ns: int = 0
    copies: int = 1
    dropped: bool = False
    notes: list[str] = field(default_factory=list)

    def onward(self) -> Passage:
        """Return the same for one of the ports it leaves at, with notes of its own."""
        return Passage(self.raw, self.delay_ns, self.copies)


class _RuleInForce:
    """A rule with its counters and its own random numbers."""

    def __init__(self, number: int, rule: Rule, seed: int) -> None:
        self.number = number
        self.rule = rule
        self.matches = compile_match(rule.match)
        self.matched = 0
        self.hits = 0
        self._random = random.Random(  # noqa: S311 - repeatable on purpose
            f"{seed}/{number}" if rule.seed is None else rule.seed
        )

    def act(self, passage: Passage) -> None:
        self.matched += 1
        rule = self.rule
        if rule.limit is not None and self.hits >= rule.limit:
            return
        if rule.probability < 1.0 and self._random.random() >= rule.probability:
            return
        self.hits += 1
        match rule.action:
            case Drop():
                passage.dropped = True
                passage.notes.append(f"dropped by rule {self.number}")
            case Delay(seconds):
                self._delay(passage, seconds)
            case Jitter(seconds):
                self._delay(passage, self._random.uniform(0.0, seconds))
            case Reorder(seconds):
                self._delay(passage, seconds)
            case Duplicate(copies):
                passage.copies += copies
                passage.notes.append(f"duplicated {copies} times by rule {self.number}")
            case Corrupt(bits):
                self._corrupt(passage, bits)

    def _delay(self, passage: Passage, seconds: float) -> None:
        passage.delay_ns += int(seconds * _NS)
        passage.notes.append(f"delayed {seconds * 1000:.3f} ms by rule {self.number}")

    def _corrupt(self, passage: Passage, bits: int) -> None:
        room = (len(passage.raw) - ETHERNET_HEADER) * 8
        if room <= 0:
            return
        changed = bytearray(passage.raw)
        for bit in self._random.sample(range(room), min(bits, room)):
            changed[ETHERNET_HEADER + bit // 8] ^= 1 << bit % 8
        passage.raw = bytes(changed)
        passage.notes.append(f"corrupted by rule {self.number}")


class RuleSet:
    """Rules by id, applied in the order of their ids."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._next = 1
        self._rules: dict[int, _RuleInForce] = {}
        self._arriving: tuple[_RuleInForce, ...] = ()
        self._leaving: tuple[_RuleInForce, ...] = ()

    def __len__(self) -> int:
        return len(self._rules)

    def add(self, rule: Rule) -> int:
        """Put `rule` in force and return its id; ids are never used again."""
        number, self._next = self._next, self._next + 1
        self._rules[number] = _RuleInForce(number, rule, self._seed)
        self._sort()
        return number

    def remove(self, number: int) -> dict[str, Any]:
        """Take rule `number` out of force and return its last counters (as `listing` has them)."""
        if number not in self._rules:
            there = ", ".join(map(str, self._rules)) or "none"
            raise WireError(f"there is no rule {number}", hint=f"rules in force: {there}")
        rule = self._rules.pop(number)
        self._sort()
        return _row(rule)

    def listing(self) -> list[dict[str, Any]]:
        """Return id, rule, matched and hits of every rule in force, as JSON's types."""
        return [_row(rule) for rule in self._rules.values()]

    def on_arrival(self, passage: Passage, came: str, segment: str, headers: Headers) -> None:
        """Apply the rules that look at a frame once, as it comes in at port `came`."""
        _apply(self._arriving, passage, came, segment, None, headers)

    def on_departure(
        self, passage: Passage, came: str, segment: str, leaves: str, headers: Headers
    ) -> None:
        """Apply the rules that look at each copy, for the one about to leave at `leaves`."""
        _apply(self._leaving, passage, came, segment, leaves, headers)

    def _sort(self) -> None:
        in_force = self._rules.values()
        self._leaving = tuple(one for one in in_force if one.rule.match.looks_at_copies)
        self._arriving = tuple(one for one in in_force if not one.rule.match.looks_at_copies)


def _apply(
    rules: Iterable[_RuleInForce],
    passage: Passage,
    came: str,
    segment: str,
    leaves: str | None,
    headers: Headers,
) -> None:
    for rule in rules:
        if rule.matches(came, segment, leaves, headers):
            rule.act(passage)
            if passage.dropped:
                return


def _row(rule: _RuleInForce) -> dict[str, Any]:
    return {
        "id": rule.number,
        "rule": rule_to_json(rule.rule),
        "matched": rule.matched,
        "hits": rule.hits,
    }
