"""Command line flags as Go's ``flag`` package reads and lists them.

``-x v``, ``--x v``, ``-x=v``; a boolean flag takes a value only after ``=``; reading ends at the
first word that is no flag, at ``-`` and after ``--``. Nothing here knows what the flags mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}


class FlagError(ValueError):
    """The command line is not understood; the text is the one Go prints."""


class HelpWanted(Exception):
    """``-h`` or ``-help`` was given."""


@dataclass(frozen=True)
class Flag:
    """A flag a program knows: its name, what it is for, its default; boolean or text."""

    name: str
    usage: str
    default: str = ""
    boolean: bool = False


def parse(flags: Sequence[Flag], arguments: Sequence[str]) -> Mapping[str, str]:
    """Return each flag's value (booleans as ``"true"`` or ``""``), defaults filled in.

    Raises FlagError with Go's words, HelpWanted for an undefined ``-h`` or ``-help``.
    """
    known = {flag.name: flag for flag in flags}
    values = {flag.name: flag.default for flag in flags}
    words = list(arguments)
    while words and len(words[0]) > 1 and words[0].startswith("-"):
        word = words.pop(0)
        if word == "--":
            break
        name, given, value = _split(word)
        if name not in known:
            if name in ("h", "help"):
                raise HelpWanted
            raise FlagError(f"flag provided but not defined: -{name}")
        if known[name].boolean:
            values[name] = _boolean(name, value) if given else "true"
            continue
        if not given:
            if not words:
                raise FlagError(f"flag needs an argument: -{name}")
            value = words.pop(0)
        values[name] = value
    return values


def listing(flags: Sequence[Flag]) -> str:
    """Return the sorted list of flags as Go prints it, with a final newline."""
    return "".join(_entry(flag) for flag in sorted(flags, key=lambda flag: flag.name))


def _split(word: str) -> tuple[str, bool, str]:
    text = word[2:] if word.startswith("--") else word[1:]
    if not text or text[0] in "-=":
        raise FlagError(f"bad flag syntax: {word}")
    name, equals, value = text.partition("=")
    return name, bool(equals), value


def _boolean(name: str, value: str) -> str:
    if value not in _BOOLEANS:
        raise FlagError(f'invalid boolean value "{value}" for -{name}: parse error')
    return "true" if _BOOLEANS[value] else ""


def _entry(flag: Flag) -> str:
    kind = "" if flag.boolean else " string"
    default = f' (default "{flag.default}")' if flag.default else ""
    return f"  -{flag.name}{kind}\n    \t{flag.usage}{default}\n"
