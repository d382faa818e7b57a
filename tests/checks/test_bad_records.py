"""Whatever a record of the preflight holds: a status, one line; only "not carried" is a 1."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from checks.cli import main
from tests.checks.bad_inputs import HOSTILE, IN_PLACE, TEXTS, VALUES, said
from tests.checks.preflight.test_probe import listener, sender, turned_round

RECORDS = [sender(), listener(), *turned_round()]


def preflight(directory: Path, *texts: bytes | object) -> int:
    paths = []
    for number, one in enumerate(texts):
        paths.append(directory / f"{number}.json")
        paths[-1].write_bytes(one if isinstance(one, bytes) else json.dumps(one).encode())
    return main(["preflight", *map(str, paths)])


@pytest.mark.parametrize("what", IN_PLACE)
def test_something_else_in_place_of_a_record(
    tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert preflight(tmp_path, *RECORDS) == 0
    capsys.readouterr()
    IN_PLACE[what](tmp_path / "1.json")
    assert main(["preflight", *(str(tmp_path / f"{n}.json") for n in range(4))]) == 2
    assert "1.json" in said(capsys)


@pytest.mark.parametrize("what", TEXTS)
def test_text_that_is_no_record(
    tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert preflight(tmp_path, RECORDS[0], TEXTS[what]) == 2
    assert "1.json" in said(capsys)


@pytest.mark.parametrize("what", VALUES)
@pytest.mark.parametrize("key", ["vhid", "sent", "address", "peer", "token", "format", "role"])
def test_values_that_no_record_has(
    tmp_path: Path, key: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = json.dumps({**sender(), key: "HERE"}).encode().replace(b'"HERE"', VALUES[what])
    assert preflight(tmp_path, text, *RECORDS[1:]) == 2
    assert "0.json" in said(capsys)


@pytest.mark.parametrize(
    "changes",
    [
        {"address": "fe80::1%[/red]/64"},
        {"address": "192.168.70.1"},
        {"address": "192.168.70.1/33"},
        {"address": HOSTILE},
        {"peer": HOSTILE},
        {"peer": "[/red]"},
        {"vhid": 0},
        {"vhid": 256},
        {"sent": {"adverts": 10**400}},
        {"sent": {"adverts": -1}},
        {"sent": {HOSTILE: 1}},
        {"role": HOSTILE},
        {"format": 2},
        {"more": 1},
    ],
)
def test_records_of_another_shape(
    tmp_path: Path, changes: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    assert preflight(tmp_path, sender(**changes), *RECORDS[1:]) == 2
    said(capsys)


def test_a_network_that_does_not_carry_it_is_the_only_1(tmp_path: Path) -> None:
    lost = listener({"adverts": 0})
    assert preflight(tmp_path, sender(), lost, *turned_round()) == 1
