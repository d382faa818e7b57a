"""The page: whole in itself, safe whatever a guest said, readable by everybody."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

import report
from checks.engine.verdict import Status, Verdict
from checks.engine.verdicts import Verdicts, tables_of, write_tables
from report.content import content_of
from report.page import page, seconds, short
from tests.checks.engine import recorded
from tests.checks.failover import recording
from tests.checks.multi_node import maintained, runs
from tests.report.conftest import facts
from tests.report.sign_off import ten_thousand_verdicts

HOSTILE = "</title><script>alert(1)</script>\x1b[31m\u202e'\"&{{ 7*7 }}"


class Page(HTMLParser):
    """What is in a page: its elements, and whether they are closed in order."""

    EMPTY = frozenset({"meta", "input", "br", "path", "rect", "circle", "use", "!doctype"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def of(directory: Path) -> Page:
    return Page(page(content_of(directory)))


@pytest.fixture
def failover(tmp_path: Path) -> Path:
    facts(tmp_path)
    recording.takeover(tmp_path).write()
    return tmp_path


def test_the_first_thing_said_is_the_verdict(good_run: Path) -> None:
    html = of(good_run).html
    assert html.index("All 2 requirements of this run were shown") < html.index("What was tested")
    assert "<title>PASS: vpnproof report of run</title>" in html


def test_nothing_is_fetched_and_no_script_can_run(failover: Path) -> None:
    shown = of(failover)
    names = {tag for tag, _ in shown.elements}
    assert not names & {"script", "link", "img", "iframe", "object", "form"}
    policy = next(one for one in shown.all("meta") if "http-equiv" in one)
    assert policy["content"].startswith("default-src 'none'")
    links = [
        one[name]
        for _, one in shown.elements
        for name in ("href", "xlink:href", "src")
        if name in one
    ]
    assert links
    assert all(link.startswith("#") for link in links)


def test_ids_are_unique_and_every_link_leads_somewhere(failover: Path) -> None:
    shown = of(failover)
    ids = [one["id"] for _, one in shown.elements if "id" in one]
    assert len(ids) == len(set(ids))
    for _, one in shown.elements:
        for name in ("href", "xlink:href"):
            assert one.get(name, "#").removeprefix("#") in {*ids, ""}
        for name in ("for", "aria-labelledby"):
            assert one.get(name, ids[0]) in ids


def test_every_mark_leads_to_the_row_that_names_its_frame(failover: Path) -> None:
    html = of(failover).html
    (content,) = content_of(failover).series
    for point in content.drawings[0].timeline.points:
        assert f'href="#{point.row}"' in html
        row = re.search(rf'<tr id="{point.row}">.*?</tr>', html)
        assert row is not None
        assert point.where in row[0]


def test_filters_need_no_script(good_run: Path) -> None:
    shown = of(good_run)
    radios = {one["id"] for one in shown.all("input")}
    assert {"v-all", "v-PASS", "v-FAIL", "v-UNKNOWN", "g-all", "g-failover"} <= radios
    rows = [one["class"] for one in shown.all("tr") if "s-PASS" in one.get("class", "")]
    assert rows == ["s-PASS g-multi-node", "s-PASS g-failover"]
    for one in radios - {"v-all", "g-all"}:
        name = one.removeprefix("v-").removeprefix("g-")
        kind = "s" if one.startswith("v-") else "g"
        assert f"section:has(#{one}:checked) .matrix tbody tr:not(.{kind}-{name})" in shown.html


def test_tables_have_headings_and_drawings_have_words(failover: Path) -> None:
    shown = of(failover)
    assert all("scope" in one for one in shown.all("th"))
    for one in shown.all("svg"):
        assert one.get("aria-hidden") == "true" or (one["role"] == "group" and one["aria-label"])
    assert shown.all("html") == [{"lang": "en"}]
    levels = [int(tag[1]) for tag, _ in shown.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_what_a_guest_said_is_text_and_nothing_else(tmp_path: Path, own_checks: object) -> None:
    row = {"name": HOSTILE, "kind": HOSTILE, "guide": HOSTILE, "happens": HOSTILE, "fix": HOSTILE}
    (tmp_path / "errata-failover.json").write_text(json.dumps([row]))
    facts(tmp_path, requirements=[recorded.SAID, HOSTILE], image=HOSTILE, software=HOSTILE)
    (tmp_path / "trouble.log").write_text(HOSTILE)
    verdict = Verdict(Status.FAIL, (HOSTILE,), (HOSTILE,), 1, 0, digests={HOSTILE: HOSTILE})
    said = Verdicts({recorded.SAID: {HOSTILE: {1: verdict}}}, frozenset({recorded.SAID}))
    write_tables(tmp_path, tables_of(said))
    shown = of(tmp_path)
    assert "script" not in {tag for tag, _ in shown.elements}
    assert "\x1b" not in shown.html
    assert "\u202e" not in shown.html
    assert "{{ 7*7 }}" in shown.text
    assert shown.text.count("\\x1b[31m\\u202e") >= 9


def test_names_of_a_hostile_pair_are_text_in_drawings_and_figures(tmp_path: Path) -> None:
    run = recording.takeover(tmp_path, fault=f"$x^2$ {HOSTILE}")
    run.event(5, "tunnel.watched", HOSTILE, client="outside", protocol="udp")
    run.event(20, "tunnel.carried", HOSTILE, client="outside", protocol="udp")
    run.write()
    shown = of(tmp_path)
    assert "script" not in {tag for tag, _ in shown.elements}
    assert "\x1b" not in shown.html
    assert "$x^2$" in shown.text


def test_a_name_that_the_font_does_not_have_is_drawn_all_the_same(tmp_path: Path) -> None:
    recording.takeover(tmp_path, fault="断電").write()
    assert "断電, ucarp" in of(tmp_path).text


def test_a_picture_of_the_round_robin(tmp_path: Path) -> None:
    runs.run_mn_22().write(tmp_path)
    content = content_of(tmp_path)
    assert {draw.what.rpartition(", ")[2] for draw in content.draws} == {
        "A answers",
        "AAAA answers",
    }
    for draw in content.draws:
        assert sum(share.count for share in draw.shares) >= 200
    assert "node-a: " in Page(page(content)).text


def test_clients_that_landed_are_counted(tmp_path: Path) -> None:
    runs.run_mn_23().write(tmp_path, requirements=("MN-23",))
    (draw,) = content_of(tmp_path).draws
    assert draw.what == "node that a client landed on"
    assert sum(share.count for share in draw.shares) >= 16


def test_clients_that_were_given_a_node_are_no_draw(tmp_path: Path) -> None:
    runs.run_mn_23().write(tmp_path, requirements=("MN-15",))
    assert content_of(tmp_path).draws == ()


def test_paper_has_all_requirements_whatever_was_chosen() -> None:
    style = (Path(report.__file__).parent / "templates" / "style.css").read_text()
    at = style.index("section:has(#v-FAIL:checked)")
    assert style.rindex("@media screen", 0, at) > style.rindex("\n}", 0, at)


def test_the_seal_to_compare_with_is_not_the_pages_own(good_run: Path) -> None:
    html = page(content_of(good_run))
    assert "--seal HASH" in html
    assert f"--seal {content_of(good_run).material.seal}" not in html


def test_maintenance_is_drawn_in_lanes_with_names(tmp_path: Path) -> None:
    maintained.maintenance().write(tmp_path, requirements=("MN-25",))
    shown = of(tmp_path)
    written = [one for one in shown.all("text") if "label" in one["class"]]
    assert {"label script", "label interrupted", "label stopped", "label told"} <= {
        one["class"] for one in written
    }
    assert "seconds since the maintenance began" in shown.text
    (drawing,) = [one for one in shown.all("svg") if "swim" in one.get("class", "")]
    assert drawing["aria-label"].startswith("3 machines and 4 clients")


def test_names_of_a_hostile_maintenance_are_text(tmp_path: Path) -> None:
    run = maintained.maintenance()
    run.all("unit.changed", "node-a")[0]["unit"] = HOSTILE
    for one in (*run.all("tunnel.tried"), *run.all("tunnel.started")):
        one["client"] = f"{one['client']} {HOSTILE}"
    run.write(tmp_path, requirements=("MN-25",))
    shown = of(tmp_path)
    assert "script" not in {tag for tag, _ in shown.elements}
    assert "\x1b" not in shown.html
    assert "client client-0 </title>" in shown.text


def test_paper_has_few_maintenances_and_says_of_others(tmp_path: Path) -> None:
    for number in range(3):
        name = f"{recorded.SCENARIO}_{number}"
        maintained.maintenance().write(tmp_path, name, f"lab-{number}", ("MN-25",))
    shown = of(tmp_path)
    printed = [one["class"] for one in shown.all("article")]
    assert printed == ["failover printed", "failover printed", "failover"]
    assert "1 more are drawn in report.html" in shown.text


def test_what_there_is_none_of_is_said(good_run: Path) -> None:
    text = of(good_run).text
    for said in (
        "No takeover was measured",
        "No fault was provoked",
        "No maintenance was recorded",
    ):
        assert said in text


def test_the_page_is_the_same_each_time(failover: Path) -> None:
    assert page(content_of(failover)) == page(content_of(failover))


@pytest.mark.parametrize("names", [("history.jsonl",), ("verdicts.json", "run.json"), ("wire",)])
def test_a_page_is_made_without_a_part_and_says_so(good_run: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (good_run / name).rename(good_run.parent / f"gone-{name}")
    shown = of(good_run)
    first = shown.html[: shown.html.index('id="requirements"')]
    assert "Evidence that is not whole, not there, or not to be shared" in first
    assert all(name in first for name in names if name != "wire")


def test_ten_thousand_verdicts_make_a_page(tmp_path: Path) -> None:
    ten_thousand_verdicts(tmp_path)
    shown = of(tmp_path)
    assert shown.html.count('class="badge PASS"') >= 10_000
    assert len(shown.html) < 10_000_000


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1, 2])
@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ("ink", "paper"), ("ink", "sunk"), ("muted", "paper"), ("accent", "paper"),
        ("pass", "pass-paper"), ("fail", "fail-paper"), ("unknown", "unknown-paper"),
        ("pass", "paper"), ("fail", "paper"), ("unknown", "paper"), ("muted", "unknown-paper"),
    ],
)  # fmt: skip
def test_every_text_stands_out_from_its_ground(
    good_run: Path, scheme: int, ink: str, paper: str
) -> None:
    """WCAG 2, 1.4.3: 4.5 to 1, in light, in dark and in print."""
    blocks = re.findall(r":root \{(.*?)\}", of(good_run).html, flags=re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[scheme]))
    lights = sorted((_luminance(colours[ink]), _luminance(colours[paper])))
    assert (lights[1] + 0.05) / (lights[0] + 0.05) >= 4.5


def test_no_time_is_minus_zero() -> None:
    assert (seconds(-0.0004), seconds(-0.0006), seconds(2)) == ("0.000", "-0.001", "2.000")


def test_a_scenario_is_told_as_a_sentence() -> None:
    assert short("scenarios/x.py::test_a_node_moves[3/20]") == "a node moves[3/20]"
