"""The report of a matrix: a column for each combination, also for one that could not run."""

from __future__ import annotations

import json
import re
import shutil
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest

from checks.engine.joint import sealing
from checks.engine.seal import seal
from checks.engine.verdict import Status
from evidence.combinations import OUTCOMES, Outcome
from report.cli import main
from report.joint import joint_of, make_joint
from report.making import report_at_end
from tests.checks.engine import recorded
from tests.checks.engine.recorded import SAID, SEEN
from tests.checks.failover import recording
from tests.matrix_runs import CENTOS, KEEPALIVED, NOT_HAD, UCARP, matrix_run, nothing
from tests.report.conftest import FACTS, facts
from tests.report.test_page import HOSTILE, Page

pytestmark = pytest.mark.usefixtures("own_checks")


def good(directory: Path) -> None:
    facts(directory)
    recorded.good_run(directory)


def bad(directory: Path) -> None:
    facts(directory, accelerator="kvm", requirements=[SAID])
    recorded.attempt(directory, "bad")
    seal(directory)


def of(run: Path) -> Page:
    return Page(make_joint(run).page.read_text())


def cells(html: str, requirement: str) -> list[str]:
    """Return the verdicts of a requirement in the order of the columns."""
    row = re.search(
        rf'<tr class="s-[^>]*><th scope="row"><span class="id">{requirement}<.*?</tr>', html, re.S
    )
    assert row is not None
    found = re.findall(r"(PASS|FAIL|UNKNOWN)</span>|(not part of it)", row[0])
    return [verdict or none for verdict, none in found]


@pytest.fixture
def three(tmp_path: Path) -> Path:
    run = tmp_path / "run"
    matrix_run(run, {UCARP: good, KEEPALIVED: bad, CENTOS: nothing}, **FACTS)
    return run


def test_there_is_a_column_for_each_also_for_one_that_could_not_run(three: Path) -> None:
    page = of(three)
    table = page.html.partition('id="requirements"')[2]
    headings = re.findall(r'<th scope="col">([^<]*)</th>', table.partition("</thead>")[0])
    assert headings == [
        "Promise",
        "ucarp, debian-12",
        "keepalived, debian-12",
        "ucarp, centos-stream-9",
    ]
    assert cells(page.html, SAID) == ["PASS", "FAIL", "UNKNOWN"]
    assert cells(page.html, SEEN) == ["PASS", "not part of it", "UNKNOWN"]
    assert f"It could not run: {NOT_HAD}." in page.text


def test_the_first_screen_is_one_sentence_over_all(three: Path) -> None:
    joint = joint_of(three)
    assert joint.status is Status.FAIL
    assert joint.sentence == (
        f"In 3 combinations of heartbeat and image, 1 of 2 requirements was seen to be broken: "
        f"{SAID} (in keepalived, debian-12); 1 could not be shown; ucarp, centos-stream-9 could "
        "not run."
    )
    assert of(three).html.index(joint.sentence[:40]) < of(three).html.index("Combinations</h2>")


@pytest.mark.parametrize(
    ("recorded_by", "status", "words"),
    [
        ({UCARP: good, KEEPALIVED: good}, Status.PASS, "All 2 requirements were shown to be kept"),
        ({UCARP: bad, KEEPALIVED: bad}, Status.FAIL, f"broken: {SAID} (in all)"),
        (
            {UCARP: good, CENTOS: nothing},
            Status.UNKNOWN,
            "broken, but ucarp, centos-stream-9 could",
        ),
        ({CENTOS: nothing}, Status.UNKNOWN, "Nothing was judged in 1 combination of"),
    ],
)
def test_it_is_as_good_as_the_worst_of_them(
    tmp_path: Path, recorded_by, status: Status, words: str
) -> None:
    matrix_run(tmp_path, recorded_by, **FACTS)
    joint = joint_of(tmp_path)
    assert joint.status is status
    assert words in joint.sentence


def test_every_verdict_leads_to_its_row_in_that_combinations_own_report(three: Path) -> None:
    page = of(three)
    links = [one["href"] for one in page.all("a") if not one["href"].startswith("#")]
    assert len(links) == 2 + 3, "two combinations ran, and judged three requirements"
    for link in links:
        file, _, anchor = link.partition("#")
        html = (three / unquote(file)).read_text()
        assert not anchor or f'id="{anchor}"' in html
    link = next(one for one in links if KEEPALIVED in one and "#" in one)
    row = Page((three / link.partition("#")[0]).read_text()).html.partition('id="r-1"')[2]
    assert row.startswith(f'><th scope="row"><span class="id">{SAID}</span>')


def test_elsewhere_links_lead_back_and_the_run_is_left_alone(three: Path, tmp_path: Path) -> None:
    before = sorted(three.rglob("*"))
    page = Page(make_joint(three, tmp_path / "page.html").page.read_text())
    assert sorted(three.rglob("*")) == before
    assert {one["href"].split("/")[0] for one in page.all("a") if "/" in one["href"]} == {"run"}


def test_a_former_reports_paper_is_not_kept_beside_a_new_page(three: Path) -> None:
    stale = [three / "report.pdf", three / "matrix" / UCARP / "report.pdf"]
    for path in stale:
        path.write_bytes(b"%PDF of another day")
    made = make_joint(three)
    assert not [path for path in stale if path.exists()]
    assert ".pdf" not in made.sums.read_text()


def test_it_is_whole_in_itself_and_readable(three: Path) -> None:
    page = of(three)
    assert not {tag for tag, _ in page.elements} & {"script", "link", "img", "iframe", "object"}
    assert all("scope" in one for one in page.all("th"))
    ids = [one["id"] for _, one in page.elements if "id" in one]
    assert len(ids) == len(set(ids))
    for _, one in page.elements:
        for name in ("for", "aria-labelledby"):
            assert one.get(name, ids[0]) in ids
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for status in ("PASS", "FAIL", "UNKNOWN"):
        assert f"section:has(#v-{status}:checked) .joint tbody tr:not(.s-{status})" in page.html


def test_what_differs_between_the_combinations_stands_side_by_side(three: Path) -> None:
    page = of(three).html.partition("What differs</h3>")[2]
    assert re.search(
        r'<th scope="row">Accelerator</th><td>tcg</td><td>kvm</td><td>not recorded', page
    )
    assert '<th scope="row">Image</th>' not in page, "both ran in the same"


def test_takeover_times_stand_side_by_side_whatever_the_heartbeat_is(tmp_path: Path) -> None:
    def takes(directory: Path) -> None:
        facts(directory)
        recording.takeover(directory).write()

    matrix_run(tmp_path, {UCARP: takes, KEEPALIVED: nothing}, **FACTS)
    html = of(tmp_path).html.partition('id="takeover-times"')[2].partition("</section>")[0]
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", html, re.S)
    assert rows
    assert all(row.count("<td") == 2 and "not measured" in row for row in rows)
    assert "n 1" in rows[0]


def test_programs_have_every_combinations_verdicts_by_name(three: Path) -> None:
    make_joint(three)
    told = json.loads((three / "report.json").read_text())
    assert told["requirements"][f"{KEEPALIVED}: {SAID}"]["verdict"] == "FAIL"
    assert told["combinations"][CENTOS]["verdict"] == "UNKNOWN"
    assert told["combinations"][CENTOS]["why"] == NOT_HAD
    suites = ET.parse(three / "report.xml").getroot()  # noqa: S314 - our own
    names = [one.get("name", "") for one in suites]
    assert f"{UCARP}: multi-node" in names
    assert CENTOS in names
    assert sum(int(one.get("errors", 0)) for one in suites if one.get("name") == CENTOS) == 1


def test_two_matrices_can_be_compared(three: Path, tmp_path: Path, capsys) -> None:
    other = tmp_path / "other"
    matrix_run(other, {UCARP: good, KEEPALIVED: good, CENTOS: nothing}, **FACTS)
    assert main(["compare", str(three), str(three)]) == 0
    capsys.readouterr()
    assert main(["compare", str(three), str(other)]) == 1
    assert f"{KEEPALIVED}: {SAID}: FAIL -> PASS (better)" in capsys.readouterr().out


def test_the_sums_are_over_the_evidence_of_all_combinations(three: Path, capsys) -> None:
    assert main([str(three)]) == 0
    assert "FAIL: In 3 combinations" in capsys.readouterr().out
    assert main(["verify", str(three)]) == 0
    path = three / "matrix" / UCARP / "history.jsonl"
    path.write_bytes(path.read_bytes() + b"\n")
    assert main(["verify", str(three)]) == 1
    assert f"matrix/{UCARP}/history.jsonl: was changed" in capsys.readouterr().out


def test_a_matrix_that_was_cut_off_says_so_first(three: Path) -> None:
    (three / OUTCOMES).unlink()
    shutil.rmtree(three / "matrix" / UCARP)
    joint = joint_of(three)
    assert any("no seal" in one for one in joint.doubts)
    assert cells(of(three).html, SAID) == ["UNKNOWN", "FAIL", "UNKNOWN"]
    assert "nothing of it was recorded" in of(three).text


def test_one_that_passed_so_far_and_was_cut_off_is_no_pass(tmp_path: Path) -> None:
    matrix_run(tmp_path, {UCARP: good}, **FACTS)
    became = {UCARP: Outcome(status=2, why="it was broken off")}
    (tmp_path / OUTCOMES).write_text(sealing(tmp_path, became).model_dump_json())
    joint = joint_of(tmp_path)
    assert joint.status is Status.UNKNOWN
    assert joint.sentence.endswith("but ucarp, debian-12 did not come to the end.")
    assert "It did not come to its end: it was broken off." in of(tmp_path).text


def test_all_passing_is_no_pass_where_pytest_failed(tmp_path: Path) -> None:
    """A scenario may fail that has no requirement, or beside another that has shown it."""
    matrix_run(tmp_path, {UCARP: good, KEEPALIVED: good}, {KEEPALIVED: Outcome(status=1)}, **FACTS)
    joint = joint_of(tmp_path)
    assert [one.status for one in joint.columns] == [Status.PASS, Status.UNKNOWN]
    assert joint.status is Status.UNKNOWN
    assert joint.sentence.endswith("but pytest ended with status 1 in keepalived, debian-12.")
    make_joint(tmp_path)
    suites = ET.parse(tmp_path / "report.xml").getroot()  # noqa: S314 - our own
    (error,) = suites.iter("error")
    assert "status 1" in str(error.get("message"))


def test_a_fail_explains_why_pytest_failed(tmp_path: Path) -> None:
    matrix_run(tmp_path, {KEEPALIVED: bad}, {KEEPALIVED: Outcome(status=1)}, **FACTS)
    (one,) = joint_of(tmp_path).columns
    assert (one.status, one.doubt) == (Status.FAIL, "")


def test_what_no_combination_could_have_shown_stands_on_the_first_screen(tmp_path: Path) -> None:
    def with_a_stand_in(directory: Path) -> None:
        software = {"multi_node": {"name": "drop-in", "reason": "", "commits": []}}
        facts(directory, software=software, accelerator="kvm (x)")
        recorded.good_run(directory)
        each = {"scenario": "a::test_two", "outcome": "failed"}
        (directory / "timings.json").write_text(json.dumps([each]))

    matrix_run(tmp_path, {UCARP: good, KEEPALIVED: with_a_stand_in}, **FACTS)
    joint = joint_of(tmp_path)
    assert joint.sentence.endswith(
        " In keepalived, debian-12, this project's stand-in (drop-in) was tested for the multi-node"
        " guide, not the software that it is about."
    )
    limits = list(joint.limits)
    assert "Only guests of debian-12 (2e58) were tested; the multi-node guide is written for" in (
        "\n".join(limits)
    )
    (failed,) = (one for one in limits if "Scenarios that did not pass" in one)
    assert failed.startswith("In keepalived, debian-12: ")
    (emulated,) = (one for one in limits if "emulated (tcg)" in one)
    assert emulated.startswith("In ucarp, debian-12: ")
    first_screen = of(tmp_path).html.partition('id="requirements"')[0]
    assert "a::test_two (failed)" in first_screen
    assert json.loads((tmp_path / "report.json").read_text())["limits"] == limits


def test_what_was_part_of_some_combinations_only_is_said_to_be_shown_there(tmp_path: Path) -> None:
    def one_of_two(directory: Path) -> None:
        facts(directory, requirements=[SAID])
        recorded.attempt(directory, "good")
        seal(directory)
        (directory / "wire").mkdir(exist_ok=True)
        recorded.capture(directory, recorded.NS)

    matrix_run(tmp_path, {UCARP: good, KEEPALIVED: one_of_two}, **FACTS)
    joint = joint_of(tmp_path)
    assert "each in the combinations that it was part of" in joint.sentence
    assert "FO-24 was no part of keepalived, debian-12." in list(joint.limits)
    matrix_run(tmp_path / "other", {UCARP: good, KEEPALIVED: good}, **FACTS)
    other = joint_of(tmp_path / "other")
    assert "part of" not in other.sentence
    assert not [one for one in other.limits if "no part of" in one]


def test_all_passing_is_no_pass_when_the_run_was_altered(tmp_path: Path) -> None:
    matrix_run(tmp_path, {UCARP: good}, **FACTS)
    (tmp_path / "matrix" / "another").mkdir()
    joint = joint_of(tmp_path)
    assert joint.status is Status.UNKNOWN
    assert joint.sentence.endswith("but the evidence is not whole, or was altered.")


def test_what_is_wrong_with_the_whole_run_is_an_error_for_programs(tmp_path: Path) -> None:
    matrix_run(tmp_path, {UCARP: good}, **FACTS)
    (tmp_path / "matrix" / "another").mkdir()
    make_joint(tmp_path)
    suites = ET.parse(tmp_path / "report.xml").getroot()  # noqa: S314 - our own
    (error,) = suites.iter("error")
    assert error.get("message") == joint_of(tmp_path).sentence
    assert "matrix/another" in str(error.text)


def test_what_a_stranger_wrote_is_text_and_nothing_else(three: Path) -> None:
    told = json.loads((three / "run.json").read_text())
    told["matrix"] = {name: {"image": HOSTILE} for name in (UCARP, KEEPALIVED)}
    (three / "run.json").write_text(json.dumps({**told, "command": HOSTILE}))
    html = of(three).html
    assert "<script>" not in html
    assert "\x1b" not in html
    assert "49" not in re.findall(r"<h3[^>]*>[^<]*", html)


def test_at_the_end_of_a_run_its_lines_are_said(three: Path) -> None:
    said = report_at_end(three, make_joint)
    assert said[0].startswith("FAIL: In 3 combinations")
    assert f"report: {three}/report.html" in said
