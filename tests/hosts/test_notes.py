"""What home notes of a run's hosts, as its report has it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from lab.hosts.look import Found
from report.content import Content, content_of
from scenarios.over_hosts.fleet import Fleet
from scenarios.over_hosts.notes import Notes
from scenarios.run import Run
from tests.report.conftest import facts

FOUND = Found(
    python=(3, 11),
    executable="/usr/bin/python3",
    architecture="x86_64",
    cores=4,
    memory_mib=16384,
    disk_mib=100000,
    machine="",
    directory="",
    problem="",
    system="Debian 12",
    processor="a processor",
    qemu="7.2",
    libvirt="9.0",
)


def noted(directory: Path, collected: object = None, **accelerators: str) -> Content:
    """Note a run over hosts on which labs ran with these; return what its report holds."""
    members = {
        name: SimpleNamespace(
            name=name, host=SimpleNamespace(way=f"root@{name}"), found=FOUND, line=None, lost=""
        )
        for name in accelerators
    }
    fleet = SimpleNamespace(members=members, missing={}, left=list(members.values()))
    notes = Notes(Run(directory, directory), cast(Fleet, fleet))
    notes.open(dict.fromkeys(members, 1))
    more = {"collected": collected} if collected else {}
    for name, accelerator in accelerators.items():
        facts(notes.part(name), accelerator=accelerator, image="debian-12 (2e58)", **more)
    notes.close()
    return content_of(directory)


def fact_of(content: Content, name: str) -> str:
    (value,) = (fact.value for fact in content.summary.tested if fact.name == name)
    return value


def test_hosts_with_other_accelerators_are_each_named_with_its_own(tmp_path: Path) -> None:
    content = noted(tmp_path / "run", one="kvm", two="tcg")
    assert fact_of(content, "Accelerator") == "one: kvm; two: tcg"
    assert fact_of(content, "Image") == "debian-12 (2e58)"
    found = {one.name: one.what.split(", ") for one in content.hosts}
    assert {name: {"kvm", "tcg"}.intersection(what) for name, what in found.items()} == {
        "one": {"kvm"},
        "two": {"tcg"},
    }


@pytest.mark.parametrize("accelerator", ["kvm", "tcg"])
def test_what_all_hosts_have_is_said_once(tmp_path: Path, accelerator: str) -> None:
    content = noted(tmp_path / "run", one=accelerator, two=accelerator)
    assert fact_of(content, "Accelerator") == accelerator


def test_what_was_to_be_carried_out_is_what_each_host_collected(tmp_path: Path) -> None:
    """Home collects nothing itself: its workers do, each the same."""
    asked = {"scenarios": {"a::test_one": 1, "b::test_two": 3}, "full": True, "deselected": 0}
    content = noted(tmp_path / "run", one="kvm", two="kvm", collected=asked)
    assert content.material.facts["collected"] == asked
    whys = [one.why for one in content.material.lacks]
    assert "4 of 4 never began: a::test_one, b::test_two (3)" in whys
