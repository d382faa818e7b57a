"""The preflight's stand-alone program and the records it leaves: what is sent is recognised."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.cli import main
from checks.preflight import probe as preflight_probe
from checks.preflight.diagnosis import Cause, diagnose
from checks.preflight.probe import KINDS, counter, frames, note, recognise
from checks.preflight.records import Listened, Sent, observations, read_record
from checks.protocols import carp
from evidence.errors import BadEvidence, Missing
from tests.checks.protocols import encoder

ONE, OTHER = "192.168.70.1", "192.168.70.2"
MAC = bytes.fromhex("020000000001")
TOKEN = "0a0b0c0d"
SENT = frames(MAC, ONE, OTHER, 94, TOKEN)


@pytest.mark.parametrize("kind", SENT)
def test_every_frame_it_sends_is_recognised(kind: str) -> None:
    assert recognise(SENT[kind]) == (TOKEN, kind)


def test_what_arrives_is_counted_by_kind_and_an_advertisements_mac_is_noted() -> None:
    heard: dict = {}
    for frame in SENT.values():
        note(heard, set(), frame)
    seen = {kind: int(kind in SENT) for kind in KINDS}
    assert heard == {TOKEN: {"seen": seen, "source_macs": ["00:00:5e:00:00:5e"]}}


def test_its_advertisement_is_one_but_for_the_digest() -> None:
    seen = carp.decode(SENT["adverts"])
    secret = carp.Secret("any", "192.168.70.222", 94)
    assert {finding.defect for finding in carp.findings(seen, secret)} == {carp.Defect.DIGEST}
    assert (seen.vhid, seen.advbase, seen.source_mac) == (94, 1, "00:00:5e:00:00:5e")


def test_somebody_elses_advertisement_is_foreign() -> None:
    heard: dict = {}
    foreign: set[int] = set()
    note(heard, foreign, encoder.carp(vhid=7))
    assert (heard, foreign) == ({}, {7})


@given(st.binary(max_size=80), st.sampled_from(sorted(SENT)), st.integers(0, 70))
def test_no_frame_is_too_odd(noise: bytes, kind: str, cut: int) -> None:
    recognise(noise)
    recognise(SENT[kind][:cut] + noise)


def sender(**changes: object) -> dict:
    return {
        "format": 1, "role": "send", "address": f"{ONE}/24", "peer": OTHER, "vhid": 94,
        "token": TOKEN, "sent": dict.fromkeys(KINDS, 20), **changes,
    }  # fmt: skip


def listener(seen: dict[str, int] | None = None, **changes: object) -> dict:
    macs = ["00:00:5e:00:00:5e"]
    run = {"seen": dict.fromkeys(KINDS, 20) | (seen or {}), "source_macs": macs}
    return {
        "format": 1, "role": "listen", "address": f"{OTHER}/24", "heard": {TOKEN: run},
        "foreign_vhids": [], **changes,
    }  # fmt: skip


def turned_round() -> tuple[dict, dict]:
    back = sender(address=f"{OTHER}/24", peer=ONE, token="ffffffff")
    there = listener(address=f"{ONE}/24")
    return back, {**there, "heard": {"ffffffff": there["heard"][TOKEN]}}


def test_records_of_both_hosts_become_observations() -> None:
    (seen,) = observations([Sent(**sender()), Listened(**listener())])
    assert diagnose(seen).cause is Cause.NONE


def test_a_listener_that_heard_nothing_still_says_so() -> None:
    (seen,) = observations([Sent(**sender()), Listened(**listener(heard={}))])
    assert diagnose(seen).cause is Cause.DIFFERENT_NETWORKS


def test_a_sender_without_its_listener_is_refused() -> None:
    with pytest.raises(Missing, match=r"no record of a listener there"):
        observations([Sent(**sender()), Listened(**listener(address="192.168.70.3/24"))])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "Invalid JSON"),
        ("[]", "object"),
        ('{"format": 1, "role": "shout"}', "'shout'.*'send', 'listen'"),
        (
            '{"format": 1, "role": "send", "address": "192.168.70.1/24"}',
            "send.peer: Field required",
        ),
        ('{"format": 2, "role": "listen"}', "listen.format: Input should be 1"),
    ],
)
def test_a_file_that_is_no_record_is_named_with_the_reason(
    tmp_path: Path, content: str, why: str
) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(BadEvidence, match=why):
        read_record(path)


def run(directory: Path, *records: dict) -> int:
    paths = []
    for number, record in enumerate(records):
        path = directory / f"{number}.json"
        path.write_text(json.dumps(record))
        paths.append(str(path))
    return main(["preflight", *paths])


def test_the_command_ends_with_0_when_both_ways_carry(tmp_path: Path, capsys) -> None:
    assert run(tmp_path, sender(), listener(), *turned_round()) == 0
    assert "carried" in capsys.readouterr().out


def test_the_command_names_the_cause_and_ends_with_1(tmp_path: Path, capsys) -> None:
    filtered = listener({"adverts": 0, "adverts_own_mac": 0, "adverts_broadcast": 0})
    assert run(tmp_path, sender(), filtered) == 1
    assert "VRRP filtered" in capsys.readouterr().out


def test_one_way_alone_leaves_it_open(tmp_path: Path, capsys) -> None:
    assert run(tmp_path, sender(), listener()) == 2
    assert "only one way was tried" in capsys.readouterr().out


def test_a_wrong_file_ends_with_2_and_a_hint(tmp_path: Path, capsys) -> None:
    assert main(["preflight", str(tmp_path / "missing.json")]) == 2
    assert "hint:" in capsys.readouterr().err


def test_a_vhid_out_of_range_is_refused_before_anything_is_sent(capsys) -> None:
    with pytest.raises(SystemExit):
        preflight_probe.main(["send", "--interface", "none0", "--to", OTHER, "--vhid", "256"])
    assert "1 to 255" in capsys.readouterr().err


def test_an_interface_that_is_not_there_ends_with_1(capsys) -> None:
    missing = "none0none"
    assert preflight_probe.main(["listen", "--interface", missing]) == 1
    assert missing in capsys.readouterr().err


def test_the_mark_stands_in_the_counter() -> None:
    assert carp.decode(SENT["adverts"]).counter.to_bytes(8, "big") == counter(TOKEN, "adverts")


def test_a_vhid_that_does_not_exist_does_not_spoil_the_record() -> None:
    foreign: set[int] = set()
    for vhid in (0, 95):
        note({}, foreign, encoder.carp(vhid=vhid))
    assert foreign == {95}


def test_somebody_who_floods_with_marked_frames_fills_no_memory() -> None:
    heard: dict[str, Any] = {}
    for number in range(1000):
        token = f"{number:08x}"
        source = number.to_bytes(6, "big")
        for one in (token, "00000000"):
            made = frames(source, "10.0.0.1", "10.0.0.2", 94, one)
            note(heard, set(), made["adverts_own_mac"])
            note(heard, set(), made["adverts"][:6] + source + made["adverts"][12:])
    assert len(heard) == preflight_probe.MOST_RUNS
    assert len(heard["00000000"]["source_macs"]) == preflight_probe.MOST_RUNS
    assert heard["00000000"]["seen"]["adverts"] > 1000
