"""Damage by rule: every way in which a file of a run is cut, torn, shuffled, doubled or altered.

    for damage in damages(directory, step=64):
        with damage.inflicted(directory):
            ...  # judge it: it may not PASS

Rules for lines speak of one line each (dropped, doubled, torn, altered, moved), those for tables of
one value each, those for octets of one block each. A rule that happens to change nothing is left
out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HISTORY, VERDICTS, CAPTURES = "history.jsonl", "verdicts.json", "wire/*.pcapng"

Ruled = Iterator[tuple[str, bytes]]


@dataclass(frozen=True)
class Damage:
    """What a file holds once it is damaged, None: it is gone; `rule` says how it came to that."""

    file: str
    rule: str
    content: bytes | None

    def __str__(self) -> str:
        return f"{self.file}: {self.rule}"

    @contextmanager
    def inflicted(self, directory: Path) -> Iterator[None]:
        """Damage the file of a run, and make it good again afterwards."""
        path = directory / self.file
        good = path.read_bytes()
        try:
            if self.content is None:
                path.unlink()
            else:
                path.write_bytes(self.content)
            yield
        finally:
            path.write_bytes(good)


def damages(directory: Path, *, step: int = 64) -> Iterator[Damage]:
    """Yield every damage to the history, the verdicts and the captures of a run."""
    for path in (directory / HISTORY, directory / VERDICTS, *sorted(directory.glob(CAPTURES))):
        yield from of_file(directory, path, step=step)


def of_file(directory: Path, path: Path, *, step: int = 64) -> Iterator[Damage]:
    """Yield every damage to one file of a run."""
    file, good = str(path.relative_to(directory)), path.read_bytes()
    yield Damage(file, "gone", None)
    rules = {".jsonl": of_lines, ".json": of_tables}.get(path.suffix, of_whole)
    for rule, content in (*rules(good), *of_octets(good, step)):
        if content != good and not (path.suffix == ".json" and _same_json(content, good)):
            yield Damage(file, rule, content)


def of_lines(good: bytes) -> Ruled:
    """Damage a file of lines, each of which matters."""
    lines = good.splitlines(keepends=True)
    yield "every line twice", b"".join(line + line for line in lines)
    yield from of_whole(good)
    yield "the lines reversed", b"".join(reversed(lines))
    for at, line in enumerate(lines):
        before, after = b"".join(lines[:at]), b"".join(lines[at + 1 :])
        where = f"line {at + 1}"
        yield f"{where} dropped", before + after
        yield f"{where} twice", before + line + line + after
        yield f"{where} again at the end", good + line
        yield f"{where} moved to the end", before + after + line
        yield f"{where} emptied", before + b"\n" + after
        yield f"cut after {where}", before + line
        yield f"cut before {where}", line + after
        for octets in sorted({1, len(line) // 4, len(line) // 2, len(line) - 2} - {0}):
            torn = line[:octets]
            yield f"{where} torn after {octets} octets", before + torn + b"\n" + after
            yield f"{where} torn after {octets} octets, the next glued to it", before + torn + after
            yield f"cut in {where} after {octets} octets", before + torn
        for octet in _digits(line):
            other = b"%d" % ((int(line[octet : octet + 1]) + 1) % 10)
            altered = line[:octet] + other + line[octet + 1 :]
            yield f"{where}, a digit altered at {octet}", before + altered + after
        for said, other in ((b"true", b"false"), (b"PASS", b"FAIL"), (b"FAIL", b"PASS")):
            yield f"{where}, {said!r} altered", before + line.replace(said, other) + after


def _digits(line: bytes) -> list[int]:
    """Return the place of the first digit of each number in a line."""
    is_digit = [48 <= octet <= 57 for octet in line]
    return [at for at, digit in enumerate(is_digit) if digit and not (at and is_digit[at - 1])]


def of_whole(good: bytes) -> Ruled:
    """Damage a file as a whole."""
    yield "empty", b""
    yield "the whole file twice", good + good


def of_tables(good: bytes) -> Ruled:
    """Damage a file of JSON: each value is altered, or dropped, and the file stays well-formed."""
    for where in list(_places(json.loads(good))):
        for rule in ("dropped", "altered"):
            tables = json.loads(good)
            inner = tables
            for key in where[:-1]:
                inner = inner[key]
            if rule == "dropped":
                del inner[where[-1]]
            else:
                inner[where[-1]] = _other(inner[where[-1]])
            yield f"{'.'.join(map(str, where))} {rule}", json.dumps(tables).encode()


def _places(value: Any, *where: str | int) -> Iterator[tuple[str | int, ...]]:
    if where:
        yield where
    keys: Iterable[str | int] = ()
    if isinstance(value, dict):
        keys = value
    elif isinstance(value, list):
        keys = range(len(value))
    for key in keys:
        yield from _places(value[key], *where, key)


def _other(value: object) -> object:
    """Return another value of the same type."""
    match value:
        case "PASS":
            return "FAIL"
        case "FAIL" | "UNKNOWN":
            return "PASS"
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return value[:-1] + chr(ord(value[-1:] or "a") ^ 1)
        case list():
            return [*value, "more"]
    return {}


def of_octets(good: bytes, step: int) -> Ruled:
    """Damage a file block by block of `step` octets."""
    for at in range(0, len(good), step):
        before, block, after = good[:at], good[at : at + step], good[at + step :]
        where = f"octets from {at}"
        yield f"cut at octet {at}", before
        yield f"{where} dropped", before + after
        yield f"{where} twice", before + block + block + after
        yield f"{where} zeroed", before + bytes(len(block)) + after
        yield f"{where} swapped with the next", before + after[:step] + block + after[step:]
        yield f"octet {at} altered", before + bytes([block[0] ^ 1]) + block[1:] + after


def _same_json(one: bytes, other: bytes) -> bool:
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return False
