"""Runs over hosts that go wrong, on hosts that are played: no machines, but many seconds each."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import paramiko
import pytest

from evidence.events.hosts import HostLost, ScenarioTaken
from evidence.events.run import ScenarioStarted
from evidence.parts import read_histories
from tests.hosts.suite import Tiny, alive, outcome, pids, tiny_suite
from tests.lab.ssh_server import SshServer

pytestmark = pytest.mark.vm


@pytest.fixture
def tiny() -> Iterator[Tiny]:
    with tiny_suite() as one:
        yield one


def test_a_scenario_whose_worker_was_killed_is_taken_once(tiny: Tiny) -> None:
    tiny.wants("something-3", "die once")
    status, said = tiny.carried_out()
    assert status == 0, said
    assert outcome(said) == {"6 passed", "1 lost"}, said
    (lost,) = tiny.own(HostLost)
    assert isinstance(lost, HostLost)
    assert lost.cut == ("test_tiny.py::test_something[3]",)
    assert "a worker on it died" in lost.why
    (taken,) = tiny.own(ScenarioTaken)
    assert isinstance(taken, ScenarioTaken)
    assert (taken.cut, taken.lost) == (lost.cut[0], lost.host)


def test_a_scenario_that_kills_each_worker_is_not_taken_again_and_again(tiny: Tiny) -> None:
    tiny.wants("something-3", "die")
    status, said = tiny.carried_out()
    assert status == 1, said
    assert outcome(said) == {"1 failed", "5 passed", "1 lost"}, said
    assert len(tiny.own(HostLost)) == 2
    assert "it was taken once before, and is not again" in said


def test_a_scenario_for_which_a_disk_was_full_is_taken_once(tiny: Tiny) -> None:
    tiny.wants("something-3", "be full once")
    status, said = tiny.carried_out()
    assert status == 0, said
    assert outcome(said) >= {"6 passed", "1 lost"}, said  # and a warning of what broke off
    (lost,) = tiny.own(HostLost)
    assert isinstance(lost, HostLost)
    assert lost.cut == ("test_tiny.py::test_something[3]",)
    assert "its disk was full" in lost.why
    assert len(tiny.own(ScenarioTaken)) == 1


def have_no_labs(tiny: Tiny, host: str, how_often: str = "") -> None:
    directory = tiny.stage.hosts[host].directory
    directory.mkdir(mode=0o700)
    (directory / "no-labs").write_text(how_often)


def test_a_host_that_can_make_no_lab_takes_no_further_scenario(tiny: Tiny) -> None:
    have_no_labs(tiny, "two")
    status, said = tiny.carried_out()
    assert status == 0, said
    assert outcome(said) == {"6 passed", "1 lost"}, said
    (lost,) = tiny.own(HostLost)
    assert isinstance(lost, HostLost)
    assert (lost.host, len(lost.cut)) == ("two", 1)
    assert lost.why.endswith("no lab can be made on it: virtqemud does not start as asked")
    assert len(tiny.own(ScenarioTaken)) == 1


def test_one_of_two_labs_that_cannot_be_made_leaves_the_other(tiny: Tiny) -> None:
    """As where memory does not suffice for both."""
    have_no_labs(tiny, "two", "once")
    status, said = tiny.carried_out(head="labs = 2")
    assert status == 0, said
    assert outcome(said) == {"6 passed", "1 lost"}, said
    (lost,) = tiny.own(HostLost)
    assert isinstance(lost, HostLost)
    assert "the host answers" in lost.why
    assert "was lost" not in said


def test_where_no_host_can_make_a_lab_the_last_one_says_why(tiny: Tiny) -> None:
    have_no_labs(tiny, "one")
    have_no_labs(tiny, "two")
    status, said = tiny.carried_out()
    assert status == 1, said
    assert outcome(said) == {"6 errors", "2 lost"}, said
    assert "virtqemud does not start" in said
    assert "every host was lost" not in said


def test_a_host_that_is_lost_as_its_workers_are_started_ends_no_run(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, gone = SshServer.run, tiny.stage.hosts["two"].server

    def run(server: SshServer, channel: paramiko.Channel, command: str) -> None:
        if server is gone and "sys.stdin.readline" in command:  # execnet's first word
            server.drop()
        else:
            begin(server, channel, command)

    monkeypatch.setattr(SshServer, "run", run)
    status, said = tiny.carried_out()
    assert status == 0, said
    assert outcome(said) == {"6 passed"}, said
    assert "host two was lost: " in said
    (lost,) = tiny.own(HostLost)
    assert isinstance(lost, HostLost)
    assert (lost.host, lost.cut) == ("two", ())


def test_two_labs_of_a_lost_host_lose_a_scenario_each(tiny: Tiny) -> None:
    for name in range(6):
        tiny.wants(f"something-{name}", "wait")
    marks = [host.directory / "marks" for host in tiny.stage.hosts.values()]
    with tiny.started(head="labs = 2") as process:
        tiny.until(lambda: all(len([*m.iterdir()]) == 2 if m.exists() else False for m in marks))
        begun = {name.name for name in marks[0].iterdir()}
        tiny.stage.hosts["one"].go()
        tiny.until(lambda: not any(map(alive, pids(tiny, "one"))))
        for name in range(6):
            (tiny.play / f"something-{name}").unlink()
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert outcome(said) == {"6 passed", "2 lost"}, said
    (lost,) = tiny.own(HostLost)
    assert isinstance(lost, HostLost)
    assert {cut[-2] for cut in lost.cut} == {name[-1] for name in begun}
    assert len(tiny.own(ScenarioTaken)) == 2


def test_when_every_host_is_gone_the_run_ends_and_says_so(tiny: Tiny) -> None:
    tiny.wants("something-0", "wait")
    with tiny.started() as process:
        tiny.until(lambda: bool(tiny.where("something-0")))
        for host in tiny.stage.hosts.values():
            host.go()
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 2, said
    assert "every host was lost" in said


def test_ctrl_c_ends_everything_on_every_host(tiny: Tiny) -> None:
    for name in range(6):
        tiny.wants(f"something-{name}", "wait")
    with tiny.started() as process:
        tiny.until(lambda: all((h.directory / "marks").exists() for h in tiny.stage.hosts.values()))
        tiny.until(lambda: bool(pids(tiny, "one")) and bool(pids(tiny, "two")))
        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 2, said
    assert not any(alive(pid) for host in tiny.stage.hosts for pid in pids(tiny, host))
    begun = [each.of(ScenarioStarted) for part, each in read_histories(tiny.run) if part.host]
    assert all(begun), "what had been recorded came home"
