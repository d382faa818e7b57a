"""Maintenance is drawn by what the checks judge by: each script, service and client on its lane."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from checks.engine.verdict import Status, Verdict
from checks.engine.verdicts import record_verdict
from checks.multi_node.steps import ORDER, START, STOP, UPDATE_CONTROLLER, UPDATE_NODE
from report.drawn import Bar, Mark
from report.maintenance import Maintenance, maintenances
from report.reading import read_run
from tests.checks.factories import SCENARIO, SECOND, Run
from tests.checks.multi_node.maintained import BEGIN_S, EACH_S, LASTS_S, Deployed, at, maintenance


def of(run: Run, directory: Path) -> Maintenance:
    run.write(directory, requirements=("MN-25",))
    (found,) = maintenances(read_run(directory))
    return found


def bars(found: Maintenance, lane: str, kind: str = "script") -> list[Bar]:
    assert found.picture is not None
    return [one for one in found.picture.bars if (one.lane, one.kind) == (lane, kind)]


def marks(found: Maintenance, lane: str) -> list[Mark]:
    assert found.picture is not None
    return [one for one in found.picture.marks if one.lane == lane]


def named(found: Maintenance, lane: str) -> list[str]:
    return [one.name for one in marks(found, lane) if one.name]


def clients_of(run: Run) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(one["client"]) for one in run.all("tunnel.tried")))


def test_each_machine_and_each_client_has_a_lane_and_the_harness_has_none(tmp_path: Path) -> None:
    run = maintenance()
    found = of(run, tmp_path)
    assert found.picture is not None
    assert found.picture.lanes == (
        "controller",
        "node-a",
        "node-b",
        *(f"client {name}" for name in clients_of(run)),
    )


def test_each_script_is_a_bar_with_its_name_from_when_it_was_typed_to_its_end(
    tmp_path: Path,
) -> None:
    found = of(maintenance(), tmp_path)
    for machine, scripts in (
        ("node-a", (STOP, UPDATE_NODE, START)),
        ("node-b", (STOP, UPDATE_NODE, START)),
        ("controller", (UPDATE_CONTROLLER,)),
    ):
        assert [(one.name, one.from_ns, one.until_ns) for one in bars(found, machine)] == [
            (script, at(begun), at(begun + LASTS_S))
            for script in scripts
            for begun in [BEGIN_S + EACH_S * ORDER.index(script)]
        ]


def test_a_script_leads_to_its_line_of_the_history(tmp_path: Path) -> None:
    found = of(maintenance(), tmp_path)
    typed = [one for one in marks(found, "controller") if one.kind == "typed"]
    assert [one.what for one in typed] == [
        f"controller: {UPDATE_CONTROLLER} from 8.0 to 13.0 s, ended with 0"
    ]
    assert typed[0].place.startswith("history.jsonl:")


def test_seconds_are_counted_from_the_beginning_of_the_maintenance(tmp_path: Path) -> None:
    found = of(maintenance(), tmp_path)
    assert found.drawing is not None
    first = next(one for one in found.drawing.points if one.mark.kind == "typed")
    assert first.after_s == pytest.approx(BEGIN_S - 8)
    assert "0" in [text for text, _ in found.drawing.ticks]


def test_services_that_stop_and_start_are_marks_with_names(tmp_path: Path) -> None:
    found = of(maintenance(), tmp_path)
    assert named(found, "node-a") == [
        "node-a-1 stopped",
        "node-a-0 stopped",
        "files written",
        "node-a-0 started",
        "node-a-1 started",
    ]
    assert named(found, "controller") == [
        "log: 4 open",
        "log: 0 open",
        "apache2 stopped",
        "apache2 started",
        "cron stopped",
        "log: 4 open",
    ]


def test_what_two_readings_of_a_journal_tell_is_one_mark(tmp_path: Path) -> None:
    run = maintenance()
    again = dict(run.all("unit.changed", "node-a")[0])
    again["at_ns"] = int(str(again["at_ns"])) + SECOND // 1000
    run.events.append(("unit.changed", "node-a", again))
    assert named(of(run, tmp_path), "node-a").count("node-a-0 stopped") == 1


def test_a_span_without_service_is_a_bar_in_the_clients_lane(tmp_path: Path) -> None:
    run = maintenance()
    found = of(run, tmp_path)
    for name in clients_of(run):
        (away,) = bars(found, f"client {name}", "interrupted")
        assert away.name.startswith("no service ")
        seconds = (away.until_ns - away.from_ns) / SECOND
        assert away.name == f"no service {seconds:.1f} s"
        assert at(BEGIN_S - 1) <= away.from_ns <= at(BEGIN_S + 1)
        served = bars(found, f"client {name}", "carries")
        assert [one.until_ns for one in served[:1]] == [away.from_ns]
        assert [one.from_ns for one in served[1:]] == [away.until_ns]


def test_a_client_that_is_told_is_a_mark_that_names_its_frame(tmp_path: Path) -> None:
    run = maintenance()
    run.frames = [replace(one, at_ns=one.at_ns + n) for n, one in enumerate(run.frames)]
    found = of(run, tmp_path)
    nodes = ("node-a", "node-a", "node-b", "node-b")
    for name, node in zip(clients_of(run), nodes, strict=True):
        (told,) = [one for one in marks(found, f"client {name}") if one.kind == "told"]
        assert told.name == f"told by {node}"
        assert told.place == "wire/lab.pcapng"
        assert told.frame is not None


def test_a_client_that_never_comes_back_has_no_service_to_the_end(tmp_path: Path) -> None:
    made = Deployed()
    made.each_way()
    made.started(made.users, 1)
    for user in made.users:
        made.connect(user, 2)
        made.carry(user, 6)
    made.tried(made.users, 6)
    made.record("maintenance.planned", "scenario", 8, order=list(ORDER))
    made.stop("node-a", 10)
    made.carry(made.users[2], 60)
    made.tried(made.users, 60)
    found = of(made.run, tmp_path)
    (away,) = bars(found, f"client {made.users[0].name}", "interrupted")
    assert found.picture is not None
    assert away.until_ns == found.picture.window.until_ns
    assert away.name == "no service to the end"
    assert "no tunnel" in named(found, f"client {made.users[0].name}")
    assert not bars(found, f"client {made.users[2].name}", "interrupted")


def test_the_first_script_out_of_place_is_marked_as_the_verdict_says(tmp_path: Path) -> None:
    found = of(maintenance((UPDATE_CONTROLLER, STOP, UPDATE_NODE, START)), tmp_path)
    (wrong,) = bars(found, "controller", "misplaced")
    assert wrong.name == f"✗ {UPDATE_CONTROLLER} out of place"
    assert f"first out of place: {UPDATE_CONTROLLER} on controller" in found.complaint
    assert found.complaint in found.alt
    assert bars(found, "node-a", "misplaced") == []


def test_nothing_is_out_of_place_in_the_guides_order(tmp_path: Path) -> None:
    found = of(maintenance(), tmp_path)
    assert found.complaint == ""
    assert "out of place" not in found.alt


def test_what_no_script_stopped_is_marked(tmp_path: Path) -> None:
    run = maintenance()
    Deployed.unit(made := Deployed(), "node-b", "openvpn-server@node-b-0.service", "stopped", 43)
    run.events += made.run.events
    assert "✗ node-b-0 stopped, by no script" in named(of(run, tmp_path), "node-b")


def test_a_script_that_fails_says_so(tmp_path: Path) -> None:
    run = maintenance()
    run.find("script.run", "controller")["status"] = 7
    (failed,) = bars(of(run, tmp_path), "controller", "failed")
    assert failed.name == f"✗ {UPDATE_CONTROLLER} ended with 7"


def test_a_reboot_is_a_bar_with_its_name(tmp_path: Path) -> None:
    found = of(maintenance(by_reboot=True), tmp_path)
    assert [one.name for one in bars(found, "node-a")] == [STOP, UPDATE_NODE, "reboot"]


def test_its_words_say_what_the_drawing_shows(tmp_path: Path) -> None:
    run = maintenance()
    found = of(run, tmp_path)
    assert found.alt.startswith("3 machines and 4 clients")
    for said in (
        "node-a: stop_node.sh from 2.0 to 7.0 s",
        "controller: update_controller.sh from 8.0 to 13.0 s",
        "node-b: start_node.sh from 20.0 to 25.0 s",
    ):
        assert said in found.alt
    for name in clients_of(run):
        assert f"client {name}: no service from " in found.alt
    assert found.drawing is not None
    assert found.drawing.alt == found.alt


def test_without_the_capture_scripts_are_drawn_and_it_is_said_of_clients(tmp_path: Path) -> None:
    run = maintenance()
    run.write(tmp_path, requirements=("MN-25",))
    (tmp_path / "wire" / "lab.pcapng").unlink()
    (found,) = maintenances(read_run(tmp_path))
    assert bars(found, "node-a")
    assert bars(found, f"client {clients_of(run)[0]}", "interrupted") == []
    assert "is not known" in found.note
    assert found.note in found.alt


def test_of_a_capture_with_a_damaged_tail_no_service_is_told_as_not_known(tmp_path: Path) -> None:
    run = maintenance()
    run.frames.sort(key=lambda one: one.at_ns)
    run.write(tmp_path, requirements=("MN-25",))
    path = tmp_path / "wire" / "lab.pcapng"
    octets = path.read_bytes()
    path.write_bytes(octets[: len(octets) * 2 // 5])
    (found,) = maintenances(read_run(tmp_path))
    lane = f"client {clients_of(run)[0]}"
    assert not any(one.name == "no service to the end" for one in bars(found, lane, "interrupted"))
    assert [one.name for one in bars(found, lane, "untold")] == ["not known"]


def test_without_its_plan_the_deployment_is_drawn_from_its_events(tmp_path: Path) -> None:
    run = maintenance()
    run.planned = []
    found = of(run, tmp_path)
    assert found.picture is not None
    assert set(found.picture.lanes) >= {"controller", "node-a", "node-b"}
    assert "deployment.planned" in found.note


def test_one_that_was_cut_off_is_drawn_as_far_as_it_went(tmp_path: Path) -> None:
    maintenance().write(tmp_path, requirements=("MN-25",))
    path = tmp_path / "history.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    (found,) = maintenances(read_run(tmp_path))
    assert bars(found, "node-a")
    assert "cut off" in found.note


def test_where_no_script_was_typed_nothing_is_drawn_and_that_is_said(tmp_path: Path) -> None:
    found = of(Run(), tmp_path)
    assert found.drawing is None
    assert found.note == "no script was typed"


def test_its_status_is_the_verdict_of_its_attempt(tmp_path: Path) -> None:
    maintenance().write(tmp_path, requirements=("MN-25",))
    record_verdict(tmp_path, "MN-25", SCENARIO, Verdict(Status.FAIL), 1)
    (found,) = maintenances(read_run(tmp_path))
    assert (found.status, found.attempt) == (Status.FAIL, 1)


def test_a_dropped_packet_is_no_service(tmp_path: Path) -> None:
    run = maintenance()
    drop = [one for one in run.frames if one.at_ns < at(30)]
    late = [replace(one, comment="dropped: a filter") for one in run.frames if one.at_ns >= at(30)]
    run.frames = [*drop, *late]
    found = of(run, tmp_path)
    lane = f"client {clients_of(run)[0]}"
    assert [one.name for one in bars(found, lane, "interrupted")] == ["no service to the end"]
