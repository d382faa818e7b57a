"""Rules and counters, as `iptables-save -c` and `ip6tables-save -c` print them.

A line that is no rule, chain or table is Imprecise: a ruleset is read whole or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from evidence.errors import Imprecise

_LINE = re.compile(r"\[(?P<packets>\d{1,19}):\d{1,19}\] -A (?P<chain>\S+) ?(?P<words>.*)")
_CHAIN = re.compile(r":(?P<chain>\S+) (?P<policy>\S+) \[\d{1,19}:\d{1,19}\]")
_MOST_LINES = 10_000


@dataclass(frozen=True)
class Rule:
    """A rule: how many packets it took, and its options by name, "!" with those it is negated in.

    Modules (-m) are named by their options already, and left out.
    """

    packets: int
    options: Mapping[str, str]

    @property
    def target(self) -> str:
        """What it does: ACCEPT, REJECT, ..."""
        return self.options.get("-j", "")

    @property
    def conditions(self) -> Mapping[str, str]:
        """What a packet must be for it."""
        own = ("-j", "--reject-with", "--to-source")
        return {name: value for name, value in self.options.items() if name not in own}

    def __str__(self) -> str:
        return " ".join(f"{name} {value}".strip() for name, value in self.options.items())


@dataclass(frozen=True)
class Ruleset:
    """Rules by table and chain, in order."""

    chains: Mapping[tuple[str, str], tuple[Rule, ...]]

    def rules(self, table: str, chain: str) -> tuple[Rule, ...]:
        """Return the rules of a chain; none where there is none."""
        return self.chains.get((table, chain), ())

    @property
    def counted(self) -> Iterator[tuple[tuple[str, str, str], int]]:
        """Yield what each rule has counted, by its table, its chain and its words."""
        for (table, chain), rules in self.chains.items():
            for rule in rules:
                yield (table, chain, str(rule)), rule.packets


def read_ruleset(text: str) -> Ruleset:
    """Read a ruleset; Imprecise names the line that is none."""
    found: dict[tuple[str, str], list[Rule]] = {}
    table = ""
    lines = text.splitlines()
    if len(lines) > _MOST_LINES:
        raise Imprecise(f"a ruleset of {len(lines)} lines")
    for line in filter(None, map(str.strip, lines)):
        if line.startswith("#") or line == "COMMIT":
            continue
        if line.startswith("*"):
            table = line[1:]
        elif match := _CHAIN.fullmatch(line):
            found.setdefault((table, match["chain"]), [])
        elif match := _LINE.fullmatch(line):
            rule = Rule(int(match["packets"]), _options(match["words"].split()))
            found.setdefault((table, match["chain"]), []).append(rule)
        else:
            raise Imprecise(f"{line[:80]!r} is no line of a ruleset with counters")
    return Ruleset({place: tuple(rules) for place, rules in found.items()})


def _options(words: list[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    name, negated = "", ""
    for word in words:
        if word == "!":
            negated = "! "
        elif word.startswith("-"):
            name, value = word, negated
            options[name] = value.strip()
            negated = ""
        else:
            options[name] = f"{options.get(name, '')} {word}".strip()
    options.pop("-m", None)
    return options
