"""Ten thousand mutations of a run's files: each is read, or refused as BadEvidence; nothing else.

The seed is fixed, so that a mutation that was survived once is survived again. Among what is put in
are words that readers of JSON and lengths that readers of captures are known to trip over.
"""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from checks.cli import main
from checks.engine.verdicts import read_verdicts
from checks.preflight.records import observations, read_record
from evidence.capture import Capture, verify, without_duplicates
from evidence.errors import EvidenceError
from evidence.history import read_history
from tests.checks.bad_inputs import HOSTILE, said
from tests.checks.engine.recorded import good_run
from tests.checks.preflight.test_probe import listener, sender

WORDS = [
    *(b"1e999", b"-1", b"NaN", b"Infinity", b"null", b"true", b"{}", b"[]", b'""', b"9" * 5000),
    *(b"[" * 300, b'{"a":' * 300, rb'"\ud800"', rb"\u0000", b"\0", b"\xff", b"\n", b'"', b"}"),
    *(b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xfc\xff\xff\xff", b"\x0c\0\0\0", b"\x0a\x0d\x0d\x0a"),
    HOSTILE.encode(),
]


def mutated(good: bytes, chance: random.Random) -> bytes:
    """Change one to four places: octets flipped, dropped, doubled, moved, or words put in."""
    text = bytearray(good)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(text) + 1)
        until = min(len(text), at + chance.choice((1, 1, 2, 4, 8, 40, 400)))
        match chance.randrange(6):
            case 0:
                text[at:until] = bytes(one ^ (1 << chance.randrange(8)) for one in text[at:until])
            case 1:
                del text[at:until]
            case 2:
                text[at:at] = text[at:until]
            case 3:
                text[at:until] = chance.choice(WORDS)
            case 4:
                text[at:at] = chance.choice(WORDS)
            case 5:
                piece = text[at:until]
                del text[at:until]
                there = chance.randrange(len(text) + 1)
                text[there:there] = piece
    return bytes(text)


def read_capture(path: Path) -> None:
    with contextlib.suppress(EvidenceError):
        for _ in without_duplicates(Capture(path)):
            pass
    verify(path)


READERS: dict[str, tuple[str, Callable[[Path], object], int]] = {
    "history": ("history.jsonl", read_history, 3000),
    "verdicts": ("verdicts.json", lambda path: read_verdicts(path.parent), 2500),
    "capture": ("wire/lab.pcapng", read_capture, 2500),
    "record": ("0.json", lambda path: observations([read_record(path)]), 2000),
}


def made(directory: Path) -> None:
    good_run(directory)
    for number, one in enumerate((sender(), listener())):
        (directory / f"{number}.json").write_text(str(one).replace("'", '"'))


def chances(file: str) -> random.Random:
    return random.Random(file)  # noqa: S311 - the same each time


@pytest.mark.usefixtures("own_checks")
@pytest.mark.parametrize("name", READERS)
def test_a_mutated_file_is_read_or_refused(tmp_path: Path, name: str) -> None:
    file, read, times = READERS[name]
    made(tmp_path)
    path, chance = tmp_path / file, chances(name)
    good = path.read_bytes()
    for _ in range(times):
        path.write_bytes(mutated(good, chance))
        with contextlib.suppress(EvidenceError):
            read(path)


@pytest.mark.usefixtures("own_checks")
@pytest.mark.parametrize("file", ["history.jsonl", "verdicts.json", "wire/lab.pcapng"])
def test_a_mutated_run_is_judged_and_ends_as_it_should(
    tmp_path: Path, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made(tmp_path)
    path, chance = tmp_path / file, chances(file)
    good = path.read_bytes()
    ends = []
    for _ in range(120):
        path.write_bytes(changed := mutated(good, chance))
        ends.append(main(["verify", str(tmp_path)]))
        if ends[-1] == 0:
            assert changed == good or json.loads(changed) == json.loads(good)
            capsys.readouterr()
        else:
            said(capsys)
    assert {2} <= set(ends) <= {0, 1, 2}
