"""The model of a run over many hosts: what divides, what does not, and how it is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench import hosts
from bench.__main__ import main
from bench.hosts_figures import Recorded, collected, figures
from bench.hosts_model import (
    BEGIN,
    EVIDENCE,
    SCENARIO,
    THAW,
    TRANSFER,
    WAIT,
    WORKERS,
    Costs,
    Simulated,
    simulate,
)
from lab.errors import LabError
from lab.timing import Account, Kind, Share
from scenarios.durations import Durations
from scenarios.timings import Phase, Timing, write

MIB_A_SECOND = 8 * 2**20 / 1e6
"""Of a link, in Mbit/s: so a MiB is a second of it."""


def scenarios(*lengths: float, guide: str = "failover") -> dict[str, float]:
    return {f"scenarios/{guide}/f.py::t{n}": length for n, length in enumerate(lengths)}


def run(seconds: dict[str, float], hosts: int, labs: int = 1, **costs: Any) -> Simulated:
    return simulate(seconds, Durations(seconds), hosts, labs, Costs(**costs))


def kinds(simulated: Simulated) -> list[str]:
    return [leg.kind for leg in simulated.chain]


def test_one_lab_runs_all_of_it_after_it_was_set_up_and_thawed() -> None:
    one = run(scenarios(30, 20, 10), 1, begin_s=5, thaw_s=3)
    assert one.wall_s == 5 + 3 + 60
    assert one.worked_s == 60
    assert one.utilisation == pytest.approx(60 / 68)


def test_the_longest_begin_first_as_in_a_real_run() -> None:
    assert run(scenarios(10, 20, 20, 30), 1, labs=2).wall_s == 40
    assert run(scenarios(10, 20, 20, 30), 2).wall_s == 40


def test_the_scheduler_goes_by_what_it_believes_and_the_clock_by_what_is() -> None:
    seconds = scenarios(10, 10, 50)
    wrong = Durations({name: 60 - length for name, length in seconds.items()})
    assert simulate(seconds, wrong, 2, 1, Costs()).wall_s == 60, "the long one began last"


@pytest.mark.parametrize("hosts", [1, 2, 3, 10, 100])
def test_every_scenario_runs_once_and_nothing_is_faster_than_it_can_be(hosts: int) -> None:
    seconds = scenarios(*(10.0 + 7 * (n % 5) for n in range(40)), 100.0)
    found = run(seconds, hosts, labs=2)
    work = sum(seconds.values())
    assert found.worked_s == pytest.approx(work)
    assert found.wall_s >= max(100.0, work / (2 * hosts))
    assert found.wall_s <= work / (2 * hosts) + 100.0


def test_no_number_of_hosts_divides_the_longest_scenario() -> None:
    found = run(scenarios(100, 10, 10, 10), 50, begin_s=5, thaw_s=3)
    assert found.wall_s == 108
    assert kinds(found)[-1] == SCENARIO


def test_other_hosts_fetch_the_checkpoint_one_after_another_and_once_for_all_their_labs() -> None:
    seconds = scenarios(*[10.0] * 6)
    found = run(seconds, 3, labs=2, checkpoint_mib=100, link_mbit=MIB_A_SECOND)
    assert found.wall_s == pytest.approx(210), "the third host waits for the second one's"
    assert kinds(found) == [TRANSFER, SCENARIO]
    assert run(seconds, 1, labs=2, checkpoint_mib=100, link_mbit=MIB_A_SECOND).wall_s == 30


def test_hosts_that_pass_it_on_are_twice_as_many_each_time() -> None:
    fetch = {"checkpoint_mib": 100, "link_mbit": MIB_A_SECOND}
    alone, passed = (run(scenarios(*[10.0] * 8), 8, passed_on=on, **fetch) for on in (False, True))
    assert alone.wall_s == pytest.approx(710)
    assert passed.wall_s == pytest.approx(310), "1, 2, 4, then 8 hosts have it"


def test_nobody_begins_before_the_guide_was_followed_on_the_first_host() -> None:
    assert run(scenarios(10), 1, begin_s=5, provision_s=100).wall_s == 115
    two = run(scenarios(10, 10), 2, provision_s=100, checkpoint_mib=7, link_mbit=MIB_A_SECOND)
    assert two.wall_s == pytest.approx(117)


def test_evidence_comes_home_over_one_link_but_from_the_first_host() -> None:
    assert run(scenarios(10, 10), 1, evidence_mib=4, link_mbit=MIB_A_SECOND).wall_s == 20
    three = run(scenarios(10, 10, 10), 3, evidence_mib=4, link_mbit=MIB_A_SECOND)
    assert three.wall_s == pytest.approx(18), "the third host's waits for the second one's"
    assert kinds(three) == [SCENARIO, EVIDENCE]


def test_a_lab_goes_on_while_its_evidence_comes_home() -> None:
    costs = {"evidence_mib": 4, "link_mbit": MIB_A_SECOND}
    assert run(scenarios(10, 10, 10, 10), 2, **costs).wall_s == pytest.approx(24)
    slow = run(scenarios(10, 10, 10, 10), 2, evidence_mib=25, link_mbit=MIB_A_SECOND)
    assert slow.wall_s == pytest.approx(10 + 25 + 25), "the second one's waits for the first one's"
    assert kinds(slow) == [SCENARIO, SCENARIO, EVIDENCE]


def test_workers_are_started_one_after_another_and_wait_for_the_last() -> None:
    found = run(scenarios(10, 10), 2, labs=3, begin_s=5, worker_s=2)
    assert found.wall_s == 5 + 6 * 2 + 10
    assert kinds(found) == [BEGIN, WORKERS, SCENARIO]
    assert run(scenarios(10), 100, labs=2, worker_s=1).wall_s == 210


def test_another_guide_is_thawed_anew() -> None:
    both = scenarios(20) | scenarios(10, guide="multi_node")
    found = run(both, 1, thaw_s=3)
    assert kinds(found) == [THAW, SCENARIO, THAW, SCENARIO]
    assert WAIT not in kinds(found)


def recorded(place: Path, *rows: tuple[str, str, float, float], thaws: float = 0.0) -> Path:
    """Write the timings of a run: worker, scenario, when it began, how long it took, in seconds."""
    shares = dict.fromkeys(Kind, Share()) | {Kind.THAW: Share(1, thaws, thaws, thaws)}
    made = []
    for worker, name, began, took in rows:
        account = Account(took, took - thaws, shares)
        made.append(
            Timing(name, worker, (Phase("call", "passed", round((began + took) * 1e9), account),))
        )
    place.mkdir(exist_ok=True)
    write(made, place)
    return place


IT = "scenarios/failover/f.py::test_it"
OTHER = "scenarios/failover/f.py::test_other"


def test_what_was_measured_goes_before_what_is_remembered_or_guessed(tmp_path: Path) -> None:
    told = recorded(tmp_path, ("gw0", f"{IT}[1/20]", 0, 31), ("gw1", OTHER, 0, 9), thaws=1)
    names = [f"{IT}[1/20]", f"{IT}[2/20]", OTHER, "a::b", "c::d"]
    found = figures(names, Recorded.of(told), Durations({"a::b": 7}))
    assert list(found.seconds.values()) == [30, 30, 8, 7, 10]
    assert found.sources == {
        "measured": 2,
        "as other repetitions": 1,
        "remembered": 1,
        "as other cases": 0,
        "estimated": 1,
    }


def test_a_case_that_nobody_knows_takes_as_long_as_others_of_its_test(tmp_path: Path) -> None:
    rows = [("gw0", f"{OTHER}[{case}]", 0.0, took) for case, took in (("a", 90.0), ("b", 110.0))]
    told = Recorded.of(recorded(tmp_path, *rows, ("gw0", f"{IT}[c-1/2]", 0, 30), thaws=0))
    known = Durations({"a::b[x]": 7, "a::b[y]": 9, "e::f": 50})
    names = [f"{OTHER}[new]", f"{IT}[d-2/2]", "a::b[new]", "a::b[x]", "e::f[new]", "c::d[new]"]
    found = figures(names, told, known)
    assert list(found.seconds.values()) == [100, 30, 8, 7, 50, 10]
    assert found.sources == {
        "measured": 0,
        "as other repetitions": 0,
        "remembered": 1,
        "as other cases": 4,
        "estimated": 1,
    }


def test_what_was_carried_out_again_took_both_times(tmp_path: Path) -> None:
    told = Recorded.of(recorded(tmp_path, ("", IT, 0, 20), ("", IT, 20, 30), thaws=1))
    assert told.whole_s == {IT: 50}
    assert told.own_s == {IT: 48}
    assert told.again == 1


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let a guide have three scenarios; return where a run of them was recorded."""
    names = [f"{IT}[1/2]", f"{IT}[2/2]", OTHER]
    monkeypatch.setattr(hosts, "collected", lambda *_, **__: names)
    monkeypatch.setattr("bench.__main__._ROOT", tmp_path)
    monkeypatch.setenv("VPNPROOF_CACHE", str(tmp_path / "cache"))
    rows = (
        ("gw0", f"{IT}[1/2]", 100.0, 40.0),
        ("gw1", f"{IT}[2/2]", 100.0, 40.0),
        ("gw1", OTHER, 141.0, 60.0),
    )
    return recorded(tmp_path / "run", *rows)


def said(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    assert main(["hosts", "--simulate", "--json", *words]) == 0
    return dict(json.loads(capsys.readouterr().out))


def test_each_number_of_hosts_has_its_figures_and_what_bounds_it(
    asked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--begin=10", "--thaw=0", "--checkpoint=0", "--evidence=0", "--hosts=1,9", "--labs=1")
    words += ("--worker=0",)
    told = said(capsys, "--run", str(asked), *words)
    one, nine = hosts_of(told)
    assert (one["wall_s"], nine["wall_s"]) == (150, 70)
    assert (one["speed_up"], nine["speed_up"]) == (1, pytest.approx(150 / 70, abs=0.01))
    assert str(nine["bound"]).startswith("one scenario: other, 60 s")
    assert str(one["bound"]).startswith("the number of labs: 3 scenarios follow each other")
    assert told["floor_s"] == 70


def hosts_of(told: dict[str, object]) -> Sequence[dict[str, object]]:
    rows = told["hosts"]
    assert isinstance(rows, list)
    return rows


def test_a_slow_link_is_named(asked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--hosts=3", "--labs=1", "--link=8.4", "--checkpoint=500", "--worker=0")
    (row,) = hosts_of(said(capsys, "--run", str(asked), *words))
    assert str(row["bound"]).startswith("transfers: checkpoint, 9")


def test_many_workers_that_start_one_after_another_are_named(
    asked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--hosts=100", "--labs=2", "--worker=1", "--checkpoint=0")
    (row,) = hosts_of(said(capsys, "--run", str(asked), *words))
    assert str(row["bound"]).startswith("starting 200 workers one after another, 200 s of")


def test_the_model_is_compared_with_the_run_that_it_is_made_of(
    asked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = said(capsys, "--run", str(asked))["validation"]
    assert isinstance(told, dict)
    assert (told["recorded_s"], told["labs"], told["ended"]) == (101, 2, False)
    assert told["by_its_own_durations_s"] == 100, "nobody knew which one is the longest"
    assert told["error"] == pytest.approx(100 / 101 - 1, abs=0.001)
    assert told["by_remembered_durations_s"] == 80, "three estimates of 40 s in two labs"


def test_people_see_what_was_assumed_and_how_far_it_is_off(
    asked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["hosts", "--simulate", "--run", str(asked), "--labs", "2"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "assumed: labs_of_a_host 2, begin_s 15.0" in shown
    assert "critical path of 100 hosts, lab 1 of host" in shown
    assert "by its own durations 100" in shown
    assert "not known to have ended" in shown


def test_durations_of_another_file_are_used(
    asked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "known.json").write_text(json.dumps({IT: 500, OTHER: 1}))
    told = said(capsys, "--durations", str(tmp_path / "known.json"))
    assert told["work_s"] == 1001
    assert told["durations"] == {
        "measured": 0,
        "as other repetitions": 0,
        "remembered": 3,
        "as other cases": 0,
        "estimated": 0,
    }
    assert told["validation"] is None


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "for the model give --simulate"),
        (("--simulate", "--run", "/nowhere"), "/nowhere: no timings can be read"),
        (("--simulate", "--run", "/"), "/: no scenario has ended in it"),
    ],
)
def test_what_cannot_be_modelled_is_refused_in_one_line(
    words: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["hosts", *words]) == 1
    assert why in capsys.readouterr().err


@pytest.mark.parametrize("word", ["--hosts=0", "--hosts=a", "--labs=0", "--link=0", "--thaw=-1"])
def test_no_hosts_no_labs_and_no_link_are_no_figures(word: str) -> None:
    with pytest.raises(SystemExit):
        main(["hosts", "--simulate", word])


def test_what_a_guide_has_is_asked_of_pytest() -> None:
    names = collected("failover", full=True)
    assert len(names) > 100
    assert all(name.startswith("scenarios/failover/") for name in names)
    with pytest.raises(LabError, match="collects nothing"):
        collected("none", full=True)
