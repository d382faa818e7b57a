"""MN-25 to MN-27: every order but the guide's is named wrong, and everything that may go wrong."""

from itertools import permutations
from pathlib import Path

import pytest

from checks.engine.verdict import Status
from checks.multi_node.guide import PING_RESTART_S
from checks.multi_node.orders import first_wrong
from checks.multi_node.steps import ORDER, START, STOP, UPDATE_CONTROLLER, UPDATE_NODE
from tests.checks.factories import SECOND, START_NS, Data, Run
from tests.checks.multi_node.lateness import is_late, kept
from tests.checks.multi_node.maintained import BEGIN_S, EACH_S, at, frames_from, maintenance
from tests.checks.multi_node.runs import WRONG, judge_mutant
from tests.checks.sites import THREE

EVERY_WRONG_ORDER = [order for order in permutations(ORDER) if order != ORDER]


def of_script(run: Run, script: str, machine: str = "node-a") -> Data:
    (found,) = [one for one in run.all("script.run", machine) if one["script"] == script]
    return found


def without(run: Run, kind: str, **fields: object) -> Run:
    """Leave out the events of a kind that have these fields."""
    run.events = [
        one
        for one in run.events
        if one[0] != kind or any(one[2].get(name) != value for name, value in fields.items())
    ]
    return run


def judged(run: Run, requirement: str, directory: Path, status: Status) -> str:
    verdict = run.judge(requirement, directory)
    assert verdict.status is status, verdict.text
    return verdict.text


@pytest.mark.parametrize("order", EVERY_WRONG_ORDER, ids=" ".join)
def test_every_wrong_order_is_named_with_the_first_step_out_of_place(
    order: tuple[str, ...], tmp_path: Path
) -> None:
    run = maintenance(order)
    wrong = first_wrong(order)
    assert wrong is not None
    machine = "controller" if wrong == UPDATE_CONTROLLER else "node-a"
    assert f"first out of place: {wrong} on {machine}, typed at" in judge_mutant(
        run, "MN-25", tmp_path
    )


@pytest.mark.parametrize("order", EVERY_WRONG_ORDER, ids=" ".join)
def test_every_wrong_order_is_found_by_what_the_machines_say(
    order: tuple[str, ...], tmp_path: Path
) -> None:
    assert "first out of place" in judged(maintenance(order), "MN-26", tmp_path, Status.PASS)


@pytest.mark.parametrize(
    ("order", "wrong"),
    [
        (ORDER, None),
        ((UPDATE_CONTROLLER, STOP, UPDATE_NODE, START), UPDATE_CONTROLLER),
        ((STOP, UPDATE_NODE, UPDATE_CONTROLLER, START), UPDATE_NODE),
        ((STOP, UPDATE_CONTROLLER, START, UPDATE_NODE), START),
        ((START, UPDATE_NODE, UPDATE_CONTROLLER, STOP), START),
    ],
)
def test_what_is_wrong_first_in_an_order(order: tuple[str, ...], wrong: str | None) -> None:
    assert first_wrong(order) == wrong  # type: ignore[arg-type]


def test_the_guides_own_order_shows_nothing_of_another(tmp_path: Path) -> None:
    text = judged(maintenance(), "MN-26", tmp_path, Status.UNKNOWN)
    assert "no order but the guide's was tried" in text


def test_an_order_that_was_typed_otherwise_than_planned_shows_nothing(tmp_path: Path) -> None:
    run = maintenance(WRONG)
    run.find("maintenance.planned")["order"] = [STOP, UPDATE_NODE, UPDATE_CONTROLLER, START]
    judge_mutant(run, "MN-26", tmp_path)  # and update_node.sh is not what is named


def test_a_wrong_order_that_passes_for_the_guides_is_found(tmp_path: Path) -> None:
    run = maintenance()
    run.find("maintenance.planned")["order"] = list(WRONG)
    assert "it passes for the guide's order" in judge_mutant(run, "MN-26", tmp_path)


def test_an_order_that_the_clocks_cannot_tell_is_in_doubt(tmp_path: Path) -> None:
    run = maintenance(WRONG)
    for unit in (*run.all("unit.changed", "node-a"), *run.all("unit.changed", "node-b")):
        unit["uncertainty_ns"] = 12 * SECOND
    text = judged(run, "MN-26", tmp_path, Status.UNKNOWN)
    assert "the clocks cannot tell whether stop_node.sh on node-a had ended" in text


def test_three_nodes_are_all_stopped_before_the_controller(tmp_path: Path) -> None:
    run = maintenance(site=THREE)
    stop = of_script(run, STOP, "node-c")
    for unit in run.all("unit.changed", "node-c"):
        if unit["change"] == "stopped":
            unit["at_ns"] += 10 * SECOND
    stop["at_ns"] += 10 * SECOND
    text = judge_mutant(run, "MN-25", tmp_path)
    assert "first out of place: update_controller.sh on controller" in text
    assert "before the end of stop_node.sh on node-c (" in text


def test_the_verdict_tells_what_proves_each_step_and_what_it_cost(tmp_path: Path) -> None:
    text = judged(maintenance(), "MN-25", tmp_path, Status.PASS)
    assert (
        "stop_node.sh on node-a: typed at 22:13:30.000Z, done at 22:13:33.000Z ± 0.010 s by the"
        " journal of node-a" in text
    )
    assert "update_node.sh on node-b: typed at 22:13:42.000Z, done at 22:13:45.000Z" in text
    assert "by the files of node-b" in text
    assert "the maintenance took 19.0 s, and cost 4 clients 83 s of service in all" in text
    assert "client-0 21.0 s" in text


def test_steps_that_the_clocks_cannot_tell_apart_are_in_doubt(tmp_path: Path) -> None:
    run = maintenance()
    for unit in run.all("unit.changed", "node-a"):
        unit["uncertainty_ns"] = 4 * SECOND
    text = judged(run, "MN-25", tmp_path, Status.UNKNOWN)
    assert (
        "the clocks cannot tell whether stop_node.sh on node-a had ended when update_controller.sh"
        in text
    )


def stop_of_a_second_unit(run: Run, machine: str, unit: str, **when: int) -> None:
    """Let one of several units that stop be dated less exactly than the others."""
    (found,) = [
        one
        for one in run.all("unit.changed", machine)
        if (one["unit"], one["change"]) == (unit, "stopped")
    ]
    found.update(when)


def test_an_effect_that_may_have_come_last_counts_however_exact_the_others_are(
    tmp_path: Path,
) -> None:
    run = maintenance()
    unit = "openvpn-server@node-a-1.service"
    stop_of_a_second_unit(run, "node-a", unit, uncertainty_ns=6 * SECOND)
    text = judged(run, "MN-25", tmp_path, Status.UNKNOWN)
    assert "the clocks cannot tell whether stop_node.sh on node-a had ended" in text


def test_a_web_server_that_may_have_stopped_before_the_log_was_read_is_in_doubt(
    tmp_path: Path,
) -> None:
    run = maintenance()
    other = {"unit": "php8.2-fpm.service", "uncertainty_ns": 2 * SECOND}
    for change, seconds in (("stopped", 16.3), ("started", 19)):
        told = {**other, "change": change, "at_ns": at(seconds)}
        run.events.append(("unit.changed", "controller", told))
    text = judged(run, "MN-25", tmp_path, Status.UNKNOWN)
    assert "to node-a since" in text
    assert "was open, and the log was not read between node-a's stop and the" in text


def test_a_step_that_nothing_shows_is_in_doubt(tmp_path: Path) -> None:
    run = without(maintenance(), "unit.changed", unit="openvpn-server@node-a-1.service")
    text = judged(run, "MN-25", tmp_path, Status.UNKNOWN)
    assert "openvpn-server@node-a-1.service was not seen stopped" in text


def test_an_update_that_wrote_nothing_is_in_doubt(tmp_path: Path) -> None:
    run = maintenance()
    for file in run.find("server.files", "node-b")["files"]:
        file["written_ns"] = START_NS - 100 * SECOND
    text = judged(run, "MN-25", tmp_path, Status.UNKNOWN)
    assert "update_node.sh on node-b: it did not write node-b-0.conf, node-b-1.conf" in text


@pytest.mark.parametrize("requirement", ["MN-25", "MN-26", "MN-27"])
@pytest.mark.parametrize(
    ("script", "machine"),
    [
        ("apply_changes.sh", "node-a"),
        ("convert_to_controller.sh", "controller"),
        ("reboot", "client"),
    ],
)
def test_what_was_typed_and_is_no_step_of_a_maintenance_is_named(
    requirement: str, script: str, machine: str, tmp_path: Path
) -> None:
    run = maintenance()
    (of_one,) = [one for one in run.events if one[2] is of_script(run, STOP)]
    run.events = [one for one in run.events if one[0] != "script.run"]
    run.events.append(("script.run", machine, {**of_one[2], "script": script, "typed": script}))
    text = judged(run, requirement, tmp_path, Status.UNKNOWN)
    assert f"no step of a maintenance was typed: only {script} on {machine}" in text


def test_a_script_that_fails_is_a_violation(tmp_path: Path) -> None:
    run = maintenance()
    of_script(run, UPDATE_NODE).update(status=1, output="yum: not found")
    text = judge_mutant(run, "MN-25", tmp_path)
    assert "update_node.sh on node-a ended with 1: 'yum: not found'" in text


def test_a_script_that_was_not_run_on_a_node_is_missed(tmp_path: Path) -> None:
    run = maintenance()
    run.events.remove(("script.run", "node-b", of_script(run, UPDATE_NODE, "node-b")))
    assert "update_node.sh was not run on node-b" in judged(run, "MN-25", tmp_path, Status.UNKNOWN)


def test_a_node_that_starts_by_itself_is_named(tmp_path: Path) -> None:
    run = maintenance()
    unit = {"unit": "openvpn-server@node-a-0.service", "change": "started", "uncertainty_ns": 1}
    run.events.append(("unit.changed", "node-a", {**unit, "at_ns": at(BEGIN_S + EACH_S + 1)}))
    text = judge_mutant(run, "MN-25", tmp_path)
    assert "openvpn-server@node-a-0.service started at 22:13:37.000Z, not by the script" in text


@pytest.mark.parametrize("client", [0, 1])
def test_a_client_that_is_not_told_is_named(client: int, tmp_path: Path) -> None:
    """Over UDP a message on the control channel is missing, over TCP the connection's end."""
    run = maintenance()
    stops_ns = at(BEGIN_S + 0.5)
    told = [one for one in frames_from(run, "node-a") if one.at_ns == stops_ns]
    run.frames.remove(told[client])
    text = judge_mutant(run, "MN-25", tmp_path)
    assert f"client-{client} was not told: the wire took no message of node-a" in text
    assert f"client-{1 - client} was not told" not in text


def told_late(client: int, seconds: float) -> Run:
    """Let what node-a tells a client come so long after it has stopped."""
    run = maintenance()
    told = [one for one in frames_from(run, "node-a") if one.at_ns == at(BEGIN_S + 0.5)][client]
    moment = at(BEGIN_S + 3 + seconds)
    run.frames[run.frames.index(told)] = told.__class__(moment, told.interface, told.data)
    return run


@pytest.mark.parametrize("client", [0, 1])
@pytest.mark.parametrize("of", ["node-a", "wire"])
def test_a_message_that_the_host_kept_is_late(client: int, of: str, tmp_path: Path) -> None:
    is_late(lambda: told_late(client, 2), "MN-25", tmp_path, of, (BEGIN_S + 3, BEGIN_S + 5))


@pytest.mark.parametrize(
    ("of", "until_s", "seconds"), [("node-b", 5, 2), ("node-a", 4, 2), ("node-a", 9, 5.5)]
)
def test_a_message_that_nobody_kept_for_so_long_did_not_come(
    of: str, until_s: float, seconds: float, tmp_path: Path
) -> None:
    run = kept(told_late(0, seconds), of, BEGIN_S + 3, BEGIN_S + until_s)
    assert "client-0 was not told" in judge_mutant(run, "MN-25", tmp_path)


def test_what_a_new_handshake_says_tells_nobody_that_the_session_is_over(tmp_path: Path) -> None:
    run = maintenance()
    stops_ns = at(BEGIN_S + 0.5)
    told = next(one for one in frames_from(run, "node-a") if one.at_ns == stops_ns)
    hello = next(one for one in frames_from(run, "client") if one.at_ns == at(2))
    run.frames[run.frames.index(told)] = hello.__class__(stops_ns, hello.interface, hello.data)
    late = told.__class__(stops_ns + SECOND, told.interface, told.data)
    run.frames.append(late)
    assert "client-0 was not told" in judge_mutant(run, "MN-25", tmp_path)


def rows(run: Run, which: int) -> list[Data]:
    return list(run.all("connections.logged")[which]["rows"])


def test_a_disconnect_that_is_logged_after_the_controller_went_down_is_too_late(
    tmp_path: Path,
) -> None:
    run = maintenance()
    rows(run, 1)[0].update(disconnected_at=None, bytes_transferred=None)
    text = judge_mutant(run, "MN-25", tmp_path)
    assert "client-0: the connection of 10.1.0.2 to node-a since" in text
    assert "was still open when the controller went down at 22:13:36.200Z" in text


@pytest.mark.parametrize("wrong", [{"lost": True}, {"bytes_transferred": None}])
def test_a_row_that_was_closed_without_its_bytes_is_named(wrong: Data, tmp_path: Path) -> None:
    run = maintenance()
    rows(run, 1)[2].update(wrong)
    assert "client-2: the connection of 10.2.0.4" in judge_mutant(run, "MN-25", tmp_path)


def test_bytes_that_the_wire_did_not_take_are_named(tmp_path: Path) -> None:
    run = maintenance()
    rows(run, 1)[0]["bytes_transferred"] = 10_000_000
    assert "10000000 bytes are logged, and the wire took" in judge_mutant(run, "MN-25", tmp_path)


def test_a_row_that_is_left_open_in_the_end_is_named(tmp_path: Path) -> None:
    run = maintenance()
    rows(run, 2)[0].update(disconnected_at=None)
    rows(run, 2)[0].update(ip4="10.1.0.9")
    text = judge_mutant(run, "MN-25", tmp_path)
    assert "the connection of 10.1.0.9 to node-a" in text
    assert "is left open in the log" in text


def test_a_log_that_was_not_read_in_between_shows_no_disconnects(tmp_path: Path) -> None:
    run = maintenance()
    run.all("connections.logged")[1]["at_ns"] = at(40)
    text = judged(run, "MN-25", tmp_path, Status.UNKNOWN)  # what was read before has them open
    assert "to node-a since" in text
    assert "was open, and the log was not read between node-a's stop and the" in text
    run.events.remove(("connections.logged", "controller", run.all("connections.logged")[0]))
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    assert "the log before the maintenance was not recorded" in judged(
        run, "MN-25", fresh, Status.UNKNOWN
    )


@pytest.mark.parametrize("requirement", ["MN-25", "MN-27"])
def test_a_reboot_stands_for_the_start_and_ends_the_controllers_update(
    requirement: str, tmp_path: Path
) -> None:
    text = judged(maintenance(by_reboot=True), requirement, tmp_path, Status.PASS)
    if requirement == "MN-25":
        assert "update_controller.sh on controller (by reboot): typed at" in text
        assert "start_node.sh on node-b (by reboot): typed at" in text


def test_a_web_server_of_a_nodes_own_is_none_of_the_controllers(tmp_path: Path) -> None:
    run = maintenance(by_reboot=True)
    (reboot,) = (one for one in run.all("script.run", "controller") if one["script"] == "reboot")
    unit = {"unit": "php8.2-fpm.service", "change": "started", "at_ns": reboot["at_ns"]}
    run.events.append(("unit.changed", "node-b", unit))
    judged(run, "MN-25", tmp_path, Status.PASS)


def test_a_controller_that_is_rebooted_once_the_nodes_are_updated_is_out_of_place(
    tmp_path: Path,
) -> None:
    run = maintenance(by_reboot=True)
    moved = [*run.all("script.run", "controller"), *run.all("unit.changed", "controller")]
    for data in moved:
        if data.get("script") == "reboot" or data["at_ns"] == at(BEGIN_S + EACH_S + 5.5):
            data["at_ns"] += 4 * SECOND
            if "began_ns" in data:
                data["began_ns"] += 3 * SECOND
    text = judge_mutant(run, "MN-25", tmp_path)
    assert "first out of place: update_node.sh on node-a" in text
    assert "before the end of update_controller.sh on controller (by reboot)" in text


def test_a_client_whose_beginning_was_not_looked_at_is_missed(tmp_path: Path) -> None:
    run = maintenance()
    early = [one for one in run.all("tunnel.tried") if one["client"] == "client-3"]
    run.events = [one for one in run.events if one[2] not in early]
    text = judged(run, "MN-27", tmp_path, Status.UNKNOWN)
    assert "not connected before: client-3" in text


def silent_after_start(run: Run, node: str) -> Run:
    """Let a node's servers stay away after its start."""
    since_ns = at(BEGIN_S + 3 * EACH_S)
    gone = [one for one in frames_from(run, node) if one.at_ns > since_ns]
    run.frames = [one for one in run.frames if one not in gone]
    return run


def test_a_node_whose_unit_does_not_come_back_is_named(tmp_path: Path) -> None:
    run = silent_after_start(maintenance(by_reboot=True), "node-b")
    run.seconds = 120
    for data in run.all("tunnel.tried")[4:]:
        if data["remote"] in run.site.hosts["node-b"].addresses.values():
            data.update(up=False, detail="Connection refused")
    text = judge_mutant(run, "MN-27", tmp_path)
    assert "node-b served nobody in 91 s after start_node.sh on node-b (by reboot)" in text
    assert "client-2 is served again after its node's start never came in" in text
    assert "client-0" not in text.split("the maintenance took")[0]


def test_a_client_that_is_not_back_is_in_doubt_while_it_was_not_watched_long_enough(
    tmp_path: Path,
) -> None:
    run = silent_after_start(maintenance(), "node-b")
    run.seconds = 60
    text = judged(run, "MN-27", tmp_path, Status.UNKNOWN)
    assert "client-2 is served again after its node's start was not seen, watched for only" in text
    assert "node-b served nobody, and was watched for only" in text


def test_a_client_that_somebody_sent_again_did_not_come_back_by_itself(tmp_path: Path) -> None:
    run = maintenance()
    run.events.append(("tunnel.started", "client", {"client": "client-1", "at_ns": at(35)}))
    assert "client-1 was sent to connect once more" in judge_mutant(run, "MN-27", tmp_path)


def test_a_client_that_is_back_late_breaks_the_limit_unless_the_host_was(tmp_path: Path) -> None:
    def late_run() -> Run:
        run = maintenance()
        run.seconds = 200
        since_ns, late_ns = at(BEGIN_S + 3 * EACH_S), round((PING_RESTART_S + 5) * SECOND)
        run.frames = [
            one.__class__(one.at_ns + late_ns, one.interface, one.data, one.comment)
            if one.at_ns > since_ns
            else one
            for one in run.frames
        ]
        for kind in ("tunnel.tried", "connections.logged"):
            last = max(one["at_ns"] for one in run.all(kind))
            for one in run.all(kind):
                one["at_ns"] += late_ns if one["at_ns"] == last else 0
        return run

    text = judge_mutant(late_run(), "MN-27", tmp_path)
    assert "client-0 is served again after its node's start took 66." in text
    run, since_s, until_s = late_run(), BEGIN_S + 3 * EACH_S, 120
    for machine in ("node-a", "node-b"):
        kept = {"of": machine, "from_ns": at(since_s), "kept_ns": 20 * SECOND}
        run.events.append(("host.late", "host", {**kept, "at_ns": at(until_s)}))
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    text = judged(run, "MN-27", fresh, Status.UNKNOWN)
    assert "`node-a` was kept from running" in text
