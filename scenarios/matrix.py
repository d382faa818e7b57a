"""`--matrix KEY=VALUE,VALUE ...`: which combinations a run consists of, and what is none.

pytest takes one word after an option; those after it (`image=debian-12,centos-stream-9`) it takes
for paths. So what looks like a setting, and is no file, is a setting. What makes no sense is
refused in one line before anything starts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import NoReturn

import pytest

from lab.image import catalogue
from provision.deploy import GUIDES
from scenarios.arguments import ask_for_scenarios, guides_of

OPTION, EVIDENCE = "--matrix", "--evidence"
_WORD = re.compile(r"[A-Za-z_-]+=[^/:\[]*")
_GUIDE_OF = {"heartbeat": "failover", "software": "multi_node"}
"""Which guide a setting is about; an image is what all guests boot from."""


@dataclass(frozen=True)
class Plan:
    """The combinations of a run, each with what it sets, and the arguments that all of them get."""

    settings: tuple[Mapping[str, str], ...]
    arguments: tuple[str, ...]
    paths: tuple[str, ...]


def planned(given: Sequence[str], words: Sequence[str], paths: Sequence[str]) -> Plan:
    """Return what to run; pytest.UsageError has a line on what makes no sense.

    given: the command line. words: what pytest took for values of --matrix. paths: what it took
    for paths, settings among them.
    """
    more = [path for path in paths if _is_word(path)]
    left = tuple(path for path in paths if path not in more)
    rest, own = _without(given, OPTION)
    if own != list(words):
        _refuse("give it on the command line, not by a file or PYTEST_ADDOPTS")
    values = _values([*words, *more])
    arguments, _ = _without([one for one in rest if one not in more], EVIDENCE)
    _check(values, left, arguments)
    settings = (dict(zip(values, one, strict=True)) for one in product(*values.values()))
    return Plan(tuple(settings), tuple(arguments), left)


def _is_word(path: str) -> bool:
    return _WORD.fullmatch(path) is not None and not Path(path).exists()


def _without(given: Sequence[str], option: str) -> tuple[list[str], list[str]]:
    """Return a command line without an option, and the values that it had."""
    left, values, words = [], [], iter(given)
    for word in words:
        if word == option:
            values.append(next(words, ""))
        elif word.startswith(f"{option}="):
            values.append(word.removeprefix(f"{option}="))
        else:
            left.append(word)
    return left, values


def _values(words: Sequence[str]) -> dict[str, tuple[str, ...]]:
    known = {
        "heartbeat": ("ucarp", "keepalived"),
        "image": tuple(catalogue.read()),
        "software": ("genuine", "drop-in"),  # what `auto` comes to is one of them
    }
    found: dict[str, tuple[str, ...]] = {}
    for word in words:
        key, is_setting, listed = word.partition("=")
        if not is_setting:
            _refuse(f"{word!r} is not KEY=VALUE,VALUE, such as heartbeat=ucarp,keepalived")
        if key not in known:
            _refuse(f"no key {key!r}: there are {', '.join(known)}")
        if key in found:
            _refuse(f"{key} is given twice: give all of its values at once")
        found[key] = tuple(listed.split(","))
        for value in found[key]:
            if value not in known[key]:
                _refuse(f"{key}: no value {value!r}: there are {', '.join(known[key])}")
            if found[key].count(value) > 1:
                _refuse(f"{key}: {value} is given twice")
    return found


def _check(values: Mapping[str, object], paths: Sequence[str], arguments: Sequence[str]) -> None:
    """Refuse a matrix of what the run is not about, or is told otherwise."""
    if not ask_for_scenarios(paths):
        _refuse("name the scenarios that each combination runs, such as scenarios/")
    guides = guides_of(paths, GUIDES)
    for key, guide in _GUIDE_OF.items():
        if key in values and guide not in guides:
            _refuse(f"{key}: is about the guide {guide}, and no scenario of it is asked for")
    for key in values:
        if _without(arguments, f"--{key}")[1]:
            _refuse(f"{key}: --{key} says otherwise, leave it out")


def _refuse(why: str) -> NoReturn:
    raise pytest.UsageError(f"{OPTION}: {why}")
