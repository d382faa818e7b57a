"""The report for programs: `report.json`, and JUnit's XML with requirement ids as properties."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any
from xml.etree import ElementTree as ET

from checks.engine.verdict import Status
from evidence.printable import visible
from report.content import Content
from report.matrix import Part, Row

FORMAT = 1
"""Of report.json."""
WHOLE = "the whole run"
"""What JUnit's suite and case are called that stand for no requirement."""


def as_json(content: Content) -> str:
    """Return the content as JSON: what the page shows, and every reason and measurement."""
    return json.dumps(table(content), indent=1) + "\n"


def table(content: Content) -> dict[str, Any]:
    """Return the content as plain values."""
    told = content.summary
    return {
        "format": FORMAT,
        "verdict": str(told.status),
        "sentence": told.sentence,
        "tested": {fact.name: fact.value for fact in told.tested},
        "facts": dict(content.material.facts),
        "counts": dict(told.counts),
        "limits": list(told.limits),
        "seal": content.material.seal,
        "altered": list(told.altered),
        "lacks": [{"what": one.what, "why": one.why} for one in told.lacks],
        "not_shown": [{"why": one.why, "requirements": list(one.ids)} for one in told.unshown],
        "departures": [vars(one) for one in told.departures],
        "trouble": list(told.trouble),
        **({"hosts": [vars(one) for one in content.hosts]} if content.hosts else {}),
        "requirements": {row.id: _requirement(row) for row in content.rows},
        "figures": _figures(content),
        "failovers": [
            {
                "scenario": one.scenario,
                "attempt": one.attempt,
                "fault": one.fault,
                "node": one.victim,
                "engine": one.engine,
                "verdict": None if one.status is None else str(one.status),
                "at_ns": one.injected_ns,
                **({"clock_of": one.host} if one.host else {}),
                "capture": one.capture,
                "note": one.note,
                **({"set_aside": True} if one.set_aside else {}),
                "stages_s": {_stage(each.stage, each.who): each.seconds for each in one.measured},
            }
            for one in content.failovers
        ],
        "of_mutants": content.of_mutants,
        "mutants": [{**vars(one), "status": str(one.status)} for one in content.broken],
        "kills": {one.id: [kill.model_dump() for kill in one.kills] for one in content.kills},
        "maintenance": [
            {
                "scenario": one.scenario,
                "attempt": one.attempt,
                "verdict": None if one.status is None else str(one.status),
                "complaint": one.complaint,
                "away": one.away,
                "note": one.note,
                **({"set_aside": True} if one.set_aside else {}),
            }
            for one in content.maintenance
        ],
        "round_robin": [
            {
                "what": one.what,
                "scenario": one.scenario,
                "attempt": one.attempt,
                "counts": {share.node: share.count for share in one.shares},
                "others": one.others,
                "outcome": one.outcome,
            }
            for one in content.draws
        ],
    }


def _stage(stage: str, who: str) -> str:
    return f"{stage}, {who}" if who else str(stage)


def _figures(content: Content) -> dict[str, Any]:
    return {
        one.name: {
            "unit": "s",
            "values": [round(value, 6) for value in one.seconds],
            "uncertainties": [round(each.uncertainty_s, 6) for each in one.samples],
            "limits_s": [limit.maximum_s for limit in one.limits],
            "limits": one.allowed,
        }
        for stage in content.stages
        for one in stage.distributions
    }


def _requirement(row: Row) -> dict[str, Any]:
    return {
        "verdict": str(row.status),
        "judged": row.judged,
        "guide": row.guide,
        "section": row.section,
        "statement": row.statement,
        "provoke": row.provoke,
        "limit": row.limit,
        "owed": row.owed,
        "discharged": row.discharged,
        "late": row.late,
        "reasons": list(row.reasons),
        "scenarios": {
            part.scenario: {
                "verdict": str(part.status),
                "attempts": part.attempts,
                "reasons": list(part.reasons),
                "evidence": list(part.evidence),
                "digests": dict(part.digests),
                **({"hosts": list(part.hosts)} if part.hosts else {}),
            }
            for part in row.parts
        },
    }


def as_junit(content: Content) -> str:
    """Return the verdicts as JUnit's XML: a suite a guide, a case a requirement and scenario.

    FAIL is a failure, UNKNOWN an error: neither is ever taken for a success, nor is a run of which
    the evidence was altered or is not whole, or in which deployments were broken on purpose.
    """
    return junit(junit_suites(content))


def junit(each: Iterable[ET.Element]) -> str:
    """Return suites as the text of a file."""
    suites = ET.Element("testsuites", name="vpnproof")
    suites.extend(each)
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def junit_suites(content: Content) -> Iterator[ET.Element]:
    """Yield a suite for each guide; one of the whole run where its verdict has no other reason."""
    for guide in content.guides:
        rows = [row for row in content.rows if row.guide == guide]
        cases = [case for row in rows for case in _cases(row)]
        suite = ET.Element("testsuite", name=visible(guide), tests=str(len(cases)))
        suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
        suite.set("errors", str(sum(case.find("error") is not None for case in cases)))
        properties = ET.SubElement(suite, "properties")
        for fact in content.summary.tested:
            ET.SubElement(properties, "property", name=fact.name, value=visible(fact.value))
        for host in content.hosts:
            told = host.trouble or f"{host.name}: {host.what}"
            ET.SubElement(properties, "property", name="Host of the run", value=visible(told))
        suite.extend(cases)
        yield suite
    whole = content.summary
    passed = all(row.status is Status.PASS for row in content.rows)
    spoiled = content.of_mutants or whole.altered or whole.lacks
    if spoiled or (whole.status is not Status.PASS and passed):
        lacks = (f"{one.what}: {one.why}" for one in whole.lacks)
        yield in_doubt(WHOLE, WHOLE, whole.sentence, (*whole.altered, *lacks))


def in_doubt(name: str, what: str, said: str, reasons: Iterable[str] = ()) -> ET.Element:
    """Return a suite of one case, an error, for what the cases of requirements do not say."""
    suite = ET.Element("testsuite", name=visible(name), tests="1", failures="0", errors="1")
    case = ET.SubElement(suite, "testcase", classname=visible(name), name=visible(what))
    error = ET.SubElement(case, "error", type=str(Status.UNKNOWN), message=visible(said))
    error.text = "\n".join(map(visible, reasons))
    return suite


def _cases(row: Row) -> Iterator[ET.Element]:
    if not row.parts:
        yield _case(row, "no scenario", row.status, row.reasons)
    for part in row.parts:
        yield _case(row, part.scenario, part.status, part.reasons, part)


def _case(
    row: Row, scenario: str, status: Status, reasons: tuple[str, ...], part: Part | None = None
) -> ET.Element:
    case = ET.Element("testcase", classname=visible(row.id), name=visible(scenario))
    properties = ET.SubElement(case, "properties")
    places = part.evidence if part else ()
    for name, value in (
        ("requirement", row.id),
        ("statement", row.statement),
        ("verdict", str(status)),
        *(("evidence", place) for place in places),
        *(("host", host) for host in (part.hosts if part else ())),
    ):
        ET.SubElement(properties, "property", name=name, value=visible(value))
    kind = {Status.FAIL: "failure", Status.UNKNOWN: "error"}.get(status)
    if kind is not None:
        said = ET.SubElement(case, kind, type=str(status))
        said.set("message", visible(reasons[0] if reasons else str(status)))
        said.text = "\n".join(map(visible, reasons))
    return case
