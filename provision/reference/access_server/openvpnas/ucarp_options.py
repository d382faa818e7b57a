"""What `ucarp.extra_parms` may say: options of ucarp's timing and sending, by a list.

ucarp runs as root, and a web administrator may set this key. So nothing is passed on that is not
on the list: no options that start programs (`--upscript`, `--downscript`, `--xparam`), none that
take the process or the node's identity out of the service's hands (`--daemonize`, `--interface`,
`--srcip`, `--vhid`, `--addr`, `--pass`, `--passfile`), and no `--preempt`, for the service promises
that a role is never forced back. Beginnings of long options, which ucarp takes too, are refused.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

FACILITIES = {"none", "daemon", "user", "syslog", *(f"local{number}" for number in range(8))}


class NotAllowed(Exception):
    """An option that is not on the list, or whose value cannot be; its text says which."""


@dataclass(frozen=True)
class Option:
    """One option: its short name, and what its value must be (no rule: it takes none)."""

    short: str
    right: Callable[[str], bool] | None = None
    expected: str = ""


def _number(short: str, low: int, high: int) -> Option:
    def right(value: str) -> bool:
        return re.fullmatch(r"[0-9]{1,3}", value) is not None and low <= int(value) <= high

    return Option(short, right, f"a number from {low} to {high}")


def _is_group(value: str) -> bool:
    try:
        return ipaddress.IPv4Address(value).is_multicast
    except ValueError:
        return False


ALLOWED: Mapping[str, Option] = {
    "--advbase": _number("-b", 1, 255),  # 0 makes the role change hands all the time
    "--advskew": _number("-k", 0, 255),
    "--deadratio": _number("-r", 1, 255),
    "--debug": Option("-D"),
    "--facility": Option("-f", FACILITIES.__contains__, "one of " + ", ".join(sorted(FACILITIES))),
    "--ignoreifstate": Option("-S"),
    "--mcast": Option("-m", _is_group, "a multicast group"),
    "--nomcast": Option("-M"),
}
_SHORT = {option.short: name for name, option in ALLOWED.items()}


def parse(text: str) -> list[str]:
    """Give the options as ucarp's arguments, each one word with its long name; NotAllowed."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise NotAllowed(str(error)) from None
    found = []
    while words:
        name, value = _first(words)
        option = ALLOWED.get(name)
        if option is None:
            raise NotAllowed(f"{name!r} is not one of {', '.join(ALLOWED)}")
        if option.right is None:
            if value is not None:
                raise NotAllowed(f"{name} takes no value")
            found.append(name)
            continue
        if value is None:
            value = words.pop(0) if words else ""
        if not option.right(value):
            raise NotAllowed(f"{name} must be {option.expected}, not {value!r}")
        found.append(f"{name}={value}")
    return found


def _first(words: list[str]) -> tuple[str, str | None]:
    """Take the first option off: its long name, and the value if it stands in the same word."""
    word = words.pop(0)
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        return name, value if equals else None
    name = _SHORT.get(word[:2], word)
    return name, word[2:] or None if name != word else None
