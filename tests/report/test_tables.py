"""What programs read of a report: JSON, and JUnit's XML in which nothing unknown is a success."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

from report.content import content_of
from report.tables import as_json, as_junit
from tests.checks.engine import recorded
from tests.checks.failover import recording
from tests.report.conftest import facts


def junit(directory: Path) -> ET.Element:
    return ET.fromstring(as_junit(content_of(directory)))  # noqa: S314 - our own


def test_json_holds_verdicts_reasons_and_evidence(good_run: Path) -> None:
    told = json.loads(as_json(content_of(good_run)))
    assert told["verdict"] == "PASS"
    assert told["tested"]["Image"] == "debian-12 (2e58)"
    row = told["requirements"][recorded.SEEN]
    assert row["verdict"] == "PASS"
    assert row["scenarios"][recorded.SCENARIO]["evidence"] == ["wire/lab.pcapng"]


def test_json_holds_every_measurement(tmp_path: Path) -> None:
    recording.takeover(tmp_path).write()
    told = json.loads(as_json(content_of(tmp_path)))
    name = "power-off (ucarp): fault to the peer's first advertisement"
    assert told["figures"][name]["values"] == [2.9]
    assert told["failovers"][0]["stages_s"]["fault to the peer's first advertisement"]


def test_a_case_bears_the_id_of_its_requirement(good_run: Path) -> None:
    cases = {case.get("classname"): case for case in junit(good_run).iter("testcase")}
    found = cases[recorded.SAID].findall("properties/property")
    properties = {one.get("name"): one.get("value") for one in found}
    assert properties["requirement"] == recorded.SAID
    assert properties["verdict"] == "PASS"
    assert cases[recorded.SAID].find("failure") is None


def test_fail_is_a_failure_and_unknown_an_error(tmp_path: Path, own_checks: object) -> None:
    recorded.attempt(tmp_path, "bad")
    recorded.attempt(tmp_path, "dark", scenario="scenarios/test_it.py::test_other")
    facts(tmp_path, requirements=[recorded.SAID, recorded.SEEN])
    suites = {one.get("name"): one for one in junit(tmp_path)}
    assert (suites["multi-node"].get("failures"), suites["multi-node"].get("errors")) == ("1", "1")
    assert suites["failover"].get("errors") == "1"
    error = suites["failover"].find("testcase/error")
    assert error is not None
    assert "never was" in str(error.get("message"))


def error_of_the_whole_run(suites: ET.Element) -> ET.Element:
    (suite,) = (one for one in suites if one.get("name") == "the whole run")
    assert (suite.get("tests"), suite.get("errors")) == ("1", "1")
    error = suite.find("testcase/error")
    assert error is not None
    return error


def test_where_all_requirements_are_shown_and_the_run_is_doubtful_that_is_an_error(
    good_run: Path,
) -> None:
    facts(good_run, image="another")
    error = error_of_the_whole_run(junit(good_run))
    assert "but the evidence was altered since" in str(error.get("message"))
    assert "run.json: " in str(error.text)


def test_evidence_that_is_not_whole_is_an_error(good_run: Path) -> None:
    tables = json.loads((good_run / "verdicts.json").read_text())
    del tables["seal"], tables["sealed"]
    (good_run / "verdicts.json").write_text(json.dumps(tables))
    error = error_of_the_whole_run(junit(good_run))
    assert "but the evidence is not whole" in str(error.get("message"))
    assert "no seal" in str(error.text)


def test_a_run_that_judged_nothing_is_an_error(tmp_path: Path) -> None:
    facts(tmp_path, requirements=[])
    message = str(error_of_the_whole_run(junit(tmp_path)).get("message"))
    assert message == "Nothing was judged: this run shows nothing."


def test_a_run_that_is_shown_has_no_error(good_run: Path) -> None:
    assert not list(junit(good_run).iter("error"))


def test_what_xml_cannot_hold_is_written_out(tmp_path: Path) -> None:
    facts(tmp_path, requirements=["\x1b[31m\0<&>\ufffe"], image="\x00\x1f")
    case, _ = junit(tmp_path).iter("testcase")  # and one of the whole run, which lacks all
    assert case.get("classname") == "\\x1b[31m\\x00<&>\\ufffe"
