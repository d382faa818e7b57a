"""A tiny suite over two hosts: workers by SSH, evidence home, a host that goes in the middle."""

from __future__ import annotations

from checks.engine.coming_home import take_home
from evidence.events.hosts import EvidenceArrived, HostJoined, HostLost, HostMissing, ScenarioTaken
from evidence.events.run import ScenarioEnded
from evidence.parts import read_histories
from tests.hosts.suite import Tiny, alive, outcome, pids


def test_every_scenario_runs_once_and_its_evidence_comes_home(tiny: Tiny) -> None:
    status, said = tiny.carried_out()
    assert status == 0, said
    assert "6 passed" in said
    assert all(len(tiny.where(f"something-{number}")) == 1 for number in range(6))
    histories = read_histories(tiny.run)
    assert {part.host for part, _ in histories} == {"", "one", "two"}
    ended = [one.scenario for _, each in histories for one in each.of(ScenarioEnded)]
    assert len(ended) == len(set(ended)) == 6
    assert not any(each.damage for _, each in histories)
    arrived = histories.own.of(EvidenceArrived)
    assert {one.ended for one in arrived} >= set(ended)
    assert not any(one.wrong for one in arrived)
    assert take_home(tiny.run).wrong == ()
    for name, host in tiny.stage.hosts.items():  # home has what was secret there, and no host
        assert (tiny.run / "hosts" / name / "secrets.json").exists()
        assert not [*host.directory.glob("runs/*/secrets.json")]
    joined = histories.own.of(HostJoined)
    assert [(one.host, one.labs, one.clock is None) for one in joined] == [
        ("one", 1, True),
        ("two", 1, False),
    ]


def test_a_host_that_is_gone_loses_its_scenario_to_another_and_is_left_with_nothing(
    tiny: Tiny,
) -> None:
    tiny.wants("something-0", "wait")
    with tiny.started() as process:
        tiny.until(lambda: bool(tiny.where("something-0")))
        (gone,) = tiny.where("something-0")
        tiny.stage.hosts[gone].go()
        tiny.until(lambda: not any(map(alive, pids(tiny, gone))))
        (tiny.play / "something-0").unlink()
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert outcome(said) == {"6 passed", "1 lost"}, said
    assert f"host {gone} was lost: " in said
    (lost,) = tiny.own(HostLost)
    (taken,) = tiny.own(ScenarioTaken)
    assert isinstance(lost, HostLost)
    assert isinstance(taken, ScenarioTaken)
    assert (lost.host, lost.cut) == (gone, ("test_tiny.py::test_something[0]",))
    assert {lost.host, taken.host} == {"one", "two"}


def test_hosts_that_are_not_fit_stop_the_run_before_it_starts(tiny: Tiny) -> None:
    tiny.stage.hosts["one"].program("python3", "#!/bin/sh\nexit 1\n")
    other = f'directory = "{tiny.stage.hosts["two"].directory}"\nuser = "nobody"'
    status, said = tiny.carried_out(two=other)
    assert status == 4
    errors = [
        line for line in said.splitlines() if "nothing was started" in line or "two (" in line
    ]
    assert len(errors) == 2
    assert not tiny.run.exists()
    assert not any(host.directory.exists() for host in tiny.stage.hosts.values())


def lacks(tiny: Tiny, host: str, *packages: str) -> None:
    (tiny.play / f"{host}-lacks").write_text(" ".join(packages))


def was_set_up(tiny: Tiny, host: str) -> bool:
    return any(tiny.stage.hosts[host].directory.glob("checkouts/*/.venv"))


def test_packages_that_one_host_lacks_stop_the_run_before_any_is_set_up(tiny: Tiny) -> None:
    lacks(tiny, "two", "qemu-system-x86")
    status, said = tiny.carried_out()
    assert status == 4
    assert "two: lacks qemu-system-x86: run `" in said
    assert not was_set_up(tiny, "one")
    assert not was_set_up(tiny, "two")


def test_what_a_host_has_only_since_the_run_set_it_up_is_recorded(tiny: Tiny) -> None:
    lacks(tiny, "two", "qemu-system-x86", "libvirt-daemon-driver-qemu")
    for name in ("one", "two"):
        tiny.stage.hosts[name].program("virtqemud", "#!/bin/sh\necho libvirtd 9.0.0\n")
        tiny.stage.hosts[name].program("qemu-system-x86_64", "#!/bin/sh\necho none yet\n")
    status, said = tiny.carried_out("test_tiny.py", "--set-up-hosts", "-k", "0 or 1")
    assert status == 0, said
    joined = [one for one in tiny.own(HostJoined) if isinstance(one, HostJoined)]
    assert {one.host: one.qemu for one in joined} == {"one": "", "two": "7.2.22"}


def test_a_directory_with_evidence_of_hosts_is_refused_before_anything_starts(tiny: Tiny) -> None:
    earlier = tiny.run / "hosts" / "one"
    earlier.mkdir(parents=True)
    (earlier / "run.json").write_text("{}")
    status, said = tiny.carried_out()
    assert status == 4
    (line,) = (one for one in said.splitlines() if one.startswith("ERROR"))
    assert f"--evidence: {tiny.run}: has evidence of hosts already" in line
    assert [path.name for path in tiny.run.rglob("*")] == ["hosts", "one", "run.json"]
    assert not any(host.server.connections for host in tiny.stage.hosts.values())


def test_the_run_goes_on_with_the_others_if_it_may(tiny: Tiny) -> None:
    status, said = tiny.carried_out(
        "test_tiny.py", "--allow-missing-hosts", "-k", "0 or 1", two='user = "nobody"'
    )
    assert status == 0, said
    assert "2 passed" in said
    (missing,) = tiny.own(HostMissing)
    assert isinstance(missing, HostMissing)
    assert (missing.host, "does not let nobody in" in missing.why) == ("two", True)
