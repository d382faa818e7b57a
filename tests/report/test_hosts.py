"""The report of a run over hosts: one report, in which each time and each file is a host's own."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from evidence.events.hosts import ClockAgainst, HostClockMeasured, HostMissing
from evidence.moment import NS
from report.content import Content, content_of
from report.hosts import hosts
from report.page import page
from report.reading import read_run
from report.tables import as_json, as_junit
from tests.checks.engine import recorded
from tests.checks.engine.hosts import (
    at_home,
    come_home,
    joined,
    lost,
    taken,
    written_on,
)
from tests.checks.failover import recording
from tests.report.conftest import facts

OTHER = "scenarios/test_it.py::test_other"
HOUR = ClockAgainst(host="alpha", ahead_ns=3600 * NS, uncertainty_ns=1_500_000, at_ns=1)


@pytest.fixture
def run(tmp_path: Path, own_checks: object) -> Path:
    """Record a good run over two hosts, the clock of one an hour ahead."""
    at_home(
        tmp_path,
        joined("alpha", accelerator="kvm", qemu="7.2"),
        joined("beta", clock=HOUR),
    )
    facts(tmp_path)
    recorded.good_run(written_on(tmp_path, "alpha"))
    recorded.attempt(written_on(tmp_path, "beta"), "good", scenario=OTHER)
    for host in ("alpha", "beta"):
        facts(written_on(tmp_path, host))
    (tmp_path / "hosts" / "beta" / "wire").mkdir()
    capture = (tmp_path / "hosts" / "alpha" / "wire" / "lab.pcapng").read_bytes()
    (tmp_path / "hosts" / "beta" / "wire" / "lab.pcapng").write_bytes(capture)
    come_home(tmp_path)
    return tmp_path


def json_of(content: Content) -> dict[str, object]:
    return dict(json.loads(as_json(content)))


def text_of(content: Content) -> str:
    """Return the first screen's text: what stands before the requirements."""
    first, _, _ = page(content).partition('<section aria-labelledby="requirements">')
    return " ".join(first.split())


def test_a_whole_run_over_hosts_passes_and_lacks_nothing(run: Path) -> None:
    content = content_of(run)
    assert content.material.lacks == ()
    assert content.summary.sentence == "All 2 requirements of this run were shown to be kept."


def test_the_first_screen_names_the_hosts_and_what_each_is(run: Path) -> None:
    told = text_of(content_of(run))
    assert "root@alpha.example" in told
    assert "4 cores, 16 GiB, kvm, QEMU 7.2" in told
    assert "+3600.000 s against alpha, ± 1.5 ms" in told
    assert "lost, or never came" not in told


def test_a_clock_is_told_as_it_was_measured_last(run: Path) -> None:
    later = HOUR.model_copy(update={"ahead_ns": 3601 * NS})
    at_home(run, HostClockMeasured(source="pytest", host="beta", clock=later))
    found = {one.name: one.clock for one in hosts(read_run(run))}
    assert found == {"alpha": "", "beta": "+3601.000 s against alpha, ± 1.5 ms"}


def test_a_run_on_one_machine_has_no_hosts(good_run: Path) -> None:
    content = content_of(good_run)
    assert content.hosts == ()
    assert 'id="hosts"' not in page(content)
    assert "hosts" not in json_of(content)


def test_a_lost_host_is_named_on_the_first_screen_and_what_became_of_its_work(run: Path) -> None:
    recorded.attempt(written_on(run, "beta"), scenario="a.py::cut", judged=False)
    at_home(run, lost("beta", "a.py::cut"), taken("a.py::cut", "beta", "alpha"))
    recorded.attempt(written_on(run, "alpha"), "good", scenario="a.py::cut")
    come_home(run)
    content = content_of(run)
    said = "beta is lost: the connection was cut (a.py::cut, taken by alpha)"
    assert said in text_of(content)
    assert content.summary.status == "PASS"
    assert content.material.lacks == ()


def test_a_host_that_came_back_is_named_with_what_it_was_lost_with(run: Path) -> None:
    recorded.attempt(written_on(run, "beta"), scenario="a.py::cut", judged=False)
    at_home(run, lost("beta", "a.py::cut", why="a worker died"), joined("beta"))
    at_home(run, taken("a.py::cut", "beta", "beta"))
    recorded.attempt(written_on(run, "beta"), "good", number=2, scenario="a.py::cut")
    come_home(run)
    content = content_of(run)
    said = "beta is back after it was lost: a worker died (a.py::cut, taken by beta)"
    assert said in text_of(content)
    assert content.summary.status == "PASS"


def test_what_nobody_took_from_a_lost_host_is_told_so(run: Path) -> None:
    recorded.attempt(written_on(run, "beta"), scenario="a.py::cut", judged=False)
    at_home(run, lost("beta", "a.py::cut"))
    come_home(run)
    content = content_of(run)
    assert "(a.py::cut, taken by none)" in text_of(content)
    assert content.summary.status == "UNKNOWN"
    cut = "began at hosts/beta/history.jsonl:5 and never ended: it was cut off"
    assert ("a.py::cut", cut) in [(one.what, one.why) for one in content.material.lacks]


def test_a_host_that_never_came_is_named(run: Path) -> None:
    at_home(run, HostMissing(source="pytest", host="gamma", why="no route to host"))
    assert "gamma is missing: no route to host" in text_of(content_of(run))


def test_evidence_of_a_host_that_home_knows_nothing_of_is_told(run: Path) -> None:
    written_on(run, "stranger")
    assert "stranger is not told of" in text_of(content_of(run))


def test_evidence_names_its_part_and_its_host(run: Path) -> None:
    content = content_of(run)
    told = page(content)
    assert "hosts/beta/history.jsonl:2" in told
    assert f"{OTHER}, on beta" in told
    cases = {case.get("name"): case for case in ET.fromstring(as_junit(content)).iter("testcase")}  # noqa: S314 - our own
    properties = {
        one.get("name"): one.get("value") for one in cases[OTHER].findall("properties/property")
    }
    assert properties["host"] == "beta"
    assert properties["evidence"] == "hosts/beta/history.jsonl:2"
    rows = json.loads(as_json(content))["requirements"]
    assert rows[recorded.SAID]["scenarios"][OTHER]["hosts"] == ["beta"]


def test_what_a_part_lacks_is_named_by_the_part(run: Path) -> None:
    (run / "hosts" / "beta" / "wire" / "lab.pcapng").unlink()
    (run / "hosts" / "beta" / "trouble.log").write_text("one lab hung\n")
    material = read_run(run)
    assert "hosts/beta/wire/lab.pcapng" in [one.what for one in material.lacks]
    assert material.trouble == ("beta: one lab hung",)


def test_errata_that_two_hosts_recorded_are_told_once(run: Path) -> None:
    row = {"name": "n", "kind": "erratum", "guide": "says", "happens": "h", "fix": "f"}
    for host in ("alpha", "beta"):
        (run / "hosts" / host / "errata-failover.json").write_text(json.dumps([row]))
    assert len(read_run(run).departures) == 1


def test_without_homes_history_the_parts_are_read_all_the_same(run: Path) -> None:
    (run / "history.jsonl").unlink()
    content = content_of(run)
    assert "history.jsonl" in [one.what for one in content.material.lacks]
    assert {one.name for one in content.hosts} == {"alpha", "beta"}


@pytest.fixture
def failovers_on_two(tmp_path: Path) -> Content:
    """Record one takeover on each of two hosts, each at one moment by its own clock."""
    for host in ("alpha", "beta"):
        recording.takeover(written_on(tmp_path, host)).write()
    at_home(tmp_path, joined("alpha"), joined("beta", clock=HOUR))
    return content_of(tmp_path)


def test_each_failover_is_drawn_by_the_clock_of_its_host(failovers_on_two: Content) -> None:
    assert [one.host for one in failovers_on_two.failovers] == ["alpha", "beta"]
    for one in failovers_on_two.failovers:
        assert one.capture == f"hosts/{one.host}/wire/lab.pcapng"
        assert {mark.place.split("/")[1] for mark in one.marks} == {one.host}
    told = page(failovers_on_two)
    assert told.count("by the clock of alpha") == told.count("by the clock of beta") == 1
    assert "of hosts/beta/wire/lab.pcapng" in told


def test_measurements_of_all_hosts_are_one_distribution(failovers_on_two: Content) -> None:
    counts = {len(one.samples) for stage in failovers_on_two.stages for one in stage.distributions}
    assert counts == {2}
