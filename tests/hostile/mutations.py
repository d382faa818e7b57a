"""Inputs as a hostile guest would make them: a sound one, changed a little, again and again.

The same for a seed, so that what fails once fails again. A parser is fed each of them and may
return a value or raise what it documents: nothing else, not without end, and not with all of the
memory of this host.
"""

from __future__ import annotations

import os
import random
import resource
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

COUNT = int(os.environ.get("VPNPROOF_MUTATIONS", "10000"))
"""Inputs a parser; more of them for who has the time."""
DEAR = COUNT // 5
"""For a parser that takes a few tenths of a millisecond, or a file, an input."""
_PATIENCE_S = 120  # for all inputs of a parser, on a busy host: a hang, not a slow one
_MEMORY = 2**30  # octets, beside what is used already

_OCTETS = (b"\0", b"\xff", b"\x7f", b"\x80", b"\x01", b"\r\n", b"\0\0\0\0", b"\xff\xff\xff\xff")
_WORDS = (
    *("9" * 5000, "-1", "1e999", "NaN", "Infinity", "0x10", "1_0", "٣", "²", "4.5.6", "99999"),
    *("", " ", "\t", "\n", "\r\n", "\0", "\x1b[2J", "\x9b", "\u202e", "\u2028", "\ufffd", "😀"),
    *('"', "'", "\\", "{", "}", "[", "]", "[" * 3000, "(" * 3000, '{"a":' * 3000, "-" * 3000),
    *("null", "true", "{}", "[]", '""', '"\\ud800"', "%", "|", ":", "/", "..", "@@@ ", "client "),
    *("0001-01-01T00:00:00+0000", "9999-12-31T23:59:59+2359", "0000-00-00", "x" * 3000),
)


def mutated(samples: Sequence[bytes], seed: str, count: int = COUNT) -> Iterator[bytes]:
    """Yield the samples, then so many changed ones."""
    yield from samples
    source = random.Random(seed)  # noqa: S311 - repeatable on purpose
    for _ in range(count):
        octets = bytearray(source.choice(samples))
        for _ in range(source.randint(1, 4)):
            _change(octets, samples, source)
        yield bytes(octets)


def _change(octets: bytearray, samples: Sequence[bytes], source: random.Random) -> None:
    """Change octets somewhere; where a length or a number may stand as likely as anywhere."""
    at = source.randrange(len(octets) + 1)
    until = min(len(octets), at + source.choice((1, 1, 2, 4, 8, 64)))
    match source.randrange(7):
        case 0 if at < len(octets):
            octets[at] ^= 1 << source.randrange(8)
        case 1 if at < len(octets):
            octets[at] = source.randrange(256)
        case 2:
            octets[at:until] = source.choice(_OCTETS)
        case 3:
            del octets[at:until]
        case 4:
            del octets[at:]
        case 5:
            octets[at:at] = octets[at:until] * source.choice((1, 2, 50))
        case _:
            other = source.choice(samples)
            octets[at:] = other[source.randrange(len(other) + 1) :]


def mutated_text(samples: Sequence[str], seed: str, count: int = COUNT) -> Iterator[str]:
    """Yield texts: the samples, then changed ones, decoded as what a machine says is."""
    yield from samples
    source = random.Random(seed)  # noqa: S311 - repeatable on purpose
    encoded = [sample.encode() for sample in samples]
    for _ in range(count):
        text = source.choice(samples)
        for _ in range(source.randint(0, 2)):
            at = source.randrange(len(text) + 1)
            until = at + source.choice((0, 0, 1, 5, 40))
            if source.random() < 0.3 and (end := _end_of_number(text, at)) > at:
                until = end
            text = text[:at] + source.choice(_WORDS) + text[until:]
        if source.random() < 0.4:
            octets = bytearray(text.encode())
            _change(octets, encoded, source)
            text = octets.decode(errors="replace")
        yield text


def _end_of_number(text: str, at: int) -> int:
    while at < len(text) and text[at].isdecimal():
        at += 1
    return at


def survives(
    parse: Callable[[Any], object],
    inputs: Iterator[Any],
    *documented: type[Exception],
) -> None:
    """Feed `parse` each of `inputs`; it may raise what is documented, and nothing else."""
    one: Any = b""
    parsed = refused = 0
    try:
        with _bounded():
            for one in inputs:
                try:
                    parse(one)
                    parsed += 1
                except documented:
                    refused += 1
    except BaseException as error:
        error.add_note(f"input number {parsed + refused}, of {len(one)}: {one[:400]!r}")
        raise
    assert parsed, "not even a sound input was read: nothing was tried"


@contextmanager
def _bounded() -> Iterator[None]:
    """Let nothing go on without end, nor take more than a gibibyte."""

    def over(_number: int, _frame: object) -> None:
        raise TimeoutError(f"still not done after {_PATIENCE_S} s")

    with open("/proc/self/statm") as used:  # noqa: PTH123 - no path of ours
        size = int(used.read().split()[0]) * resource.getpagesize()
    before, hard = resource.getrlimit(resource.RLIMIT_AS)
    was = signal.signal(signal.SIGALRM, over)
    resource.setrlimit(resource.RLIMIT_AS, (size + _MEMORY, hard))
    signal.setitimer(signal.ITIMER_REAL, _PATIENCE_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, (before, hard))
        signal.signal(signal.SIGALRM, was)
