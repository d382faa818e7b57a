"""Scenarios on machines that are already there: what may run, and what is said of the rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console

from lab.errors import CommandFailed, DeadlinePassed, NotHere
from lab.progress import Progress
from lab.site import Site, read_site
from provision.errors import PlanError
from scenarios import sites
from scenarios.sites import SiteLabs
from tests.scenarios.pretended import PROJECT
from tests.site.hosts import Host, hosts, site_of
from tests.site.test_file import written


@pytest.fixture
def two(tmp_path: Path) -> Iterator[dict[str, Host]]:
    with hosts(tmp_path) as made:
        yield made


def run(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "VPNPROOF_LABS": str(tmp_path / "labs")}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q"]
    evidence = ["--evidence", str(tmp_path / "evidence")]
    return subprocess.run(
        [*command, *evidence, *arguments],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--lab=elsewhere",), "'elsewhere' is neither local nor a site file"),
        (("--lab=none.toml",), "no site file none.toml"),
        (("--allow-disruption",), "--allow-disruption: is for --lab=SITE.toml"),
        (("--lab=SITE", "-n", "2"), "a site is one"),
        (("--lab=SITE", "--fresh"), "--fresh: is for labs"),
        (("--lab=SITE", "--mutants"), "--mutants: is for labs"),
        (("--lab=SITE", "--mutants", "--allow-disruption"), "--mutants: is for labs"),
        (("--lab=SITE",), "needs one machine with the role 'gateway'"),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_starts(
    two: dict[str, Host], tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    file = site_of(tmp_path, two)
    given = [one.replace("SITE", str(file.path)) if "=" in one else one for one in arguments]
    done = run(tmp_path, "scenarios/failover/test_heartbeat.py", *given)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert said in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "evidence").exists()
    assert not any(host.server.connections for host in two.values())


PROBED = 'topology = "failover"\nknown_hosts = "known"\nkey = "key"\nprobe = "{probe}"\n'


@pytest.mark.parametrize("probe", ["primary", "secondary"])
def test_a_node_of_the_pair_does_not_lend_its_nic(tmp_path: Path, probe: str) -> None:
    file = read_site(written(tmp_path, head=PROBED.format(probe=probe)))
    with pytest.raises(PlanError, match=f"probe: {probe} is a node of the pair"):
        sites._check_roles(file)


def test_a_machine_beside_the_pair_may_lend_its_nic(tmp_path: Path) -> None:
    sites._check_roles(read_site(written(tmp_path, head=PROBED.format(probe="gateway"))))


class Item:
    """A scenario, as far as it is asked what it may do."""

    def __init__(self, guide: str, *marks: str) -> None:
        self.path = Path(f"scenarios/{guide}/test_it.py")
        self.name = "test_it"
        self._marks = marks

    def get_closest_marker(self, name: str) -> pytest.Mark | None:
        assert name == "on_site"
        return pytest.mark.on_site(*self._marks).mark if self._marks else None


def admitted(site: Site, tmp_path: Path, item: Item) -> list[str]:
    """Let a scenario in; return what the run says of its site in the end."""
    labs = SiteLabs(site, tmp_path, Progress(Console(quiet=True)), lambda _name, _site: None)
    labs.admit(cast(pytest.Item, item))
    return labs.end()


def test_a_scenario_that_observes_may_run(two: dict[str, Host], tmp_path: Path) -> None:
    site = Site(site_of(tmp_path, two), tmp_path)
    admitted(site, tmp_path, Item("failover", "observes"))
    assert not (tmp_path / "announced.log").exists()


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (Item("failover", "disrupts"), "not done without --allow-disruption"),
        (Item("failover"), "only a lab can undo"),
        (Item("multi_node", "observes"), "is a site of failover, not of multi_node"),
    ],
)
def test_what_may_not_run_says_why(
    two: dict[str, Host], tmp_path: Path, item: Item, why: str
) -> None:
    with pytest.raises(NotHere, match=why):
        admitted(Site(site_of(tmp_path, two), tmp_path), tmp_path, item)


@pytest.fixture
def healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every site be one that may be disturbed."""
    monkeypatch.setattr(sites, "_MAY_BE_DISTURBED", {})


def test_what_cannot_be_taken_over_is_not_disturbed(
    two: dict[str, Host], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A standby that does not run would make of a test an outage."""

    def down(_site: Site) -> None:
        raise NotHere("not disturbed: the standby is down")

    monkeypatch.setattr(sites, "_MAY_BE_DISTURBED", {"failover": down})
    site = Site(site_of(tmp_path, two), tmp_path, allowed=True)
    with pytest.raises(NotHere, match="the standby is down"):
        admitted(site, tmp_path, Item("failover", "disrupts"))
    assert not (tmp_path / "announced.log").exists()


def test_ctrl_c_while_a_site_is_made_whole_leaves_it_known_as_not_whole(
    two: dict[str, Host], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, healthy: None
) -> None:
    def interrupted(_site: Site) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sites, "_WHOLE", {"failover": interrupted})
    site = Site(site_of(tmp_path, two), tmp_path, allowed=True)
    labs = SiteLabs(site, tmp_path, Progress(Console(quiet=True)), lambda _name, _site: None)
    labs.admit(cast(pytest.Item, Item("failover", "disrupts")))
    with pytest.raises(KeyboardInterrupt):
        labs.discard("failover")
    (line,) = labs.end()
    assert line.startswith("two was not seen to be whole")


def test_a_lost_terminal_is_ctrl_c_once_something_was_disturbed(
    two: dict[str, Host], tmp_path: Path, healthy: None
) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    site = Site(site_of(tmp_path, two), tmp_path, allowed=True)
    labs = SiteLabs(site, tmp_path, Progress(Console(quiet=True)), lambda _name, _site: None)
    labs.admit(cast(pytest.Item, Item("failover", "disrupts")))
    try:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGHUP)
    finally:
        labs.end()
        after = signal.signal(signal.SIGHUP, before)
    assert after == signal.SIG_DFL


@pytest.mark.usefixtures("healthy")
def test_one_that_disrupts_is_announced_where_it_is_allowed(
    two: dict[str, Host], tmp_path: Path
) -> None:
    site = Site(site_of(tmp_path, two), tmp_path, allowed=True)
    admitted(site, tmp_path, Item("failover", "disrupts"))
    assert "about to disturb: by test_it" in (tmp_path / "announced.log").read_text()
    with pytest.raises(NotHere, match="only a lab can undo"):
        admitted(site, tmp_path, Item("failover"))


@pytest.fixture
def left_not_whole(
    two: dict[str, Host], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, healthy: None
) -> tuple[Site, SiteLabs]:
    """Give a site of which a scenario passed, and that was not whole afterwards."""

    def whole(_site: Site) -> None:
        raise DeadlinePassed("secondary did not answer within 300 s\nand no more is known")

    monkeypatch.setattr(sites, "_WHOLE", {"failover": whole})
    site = Site(site_of(tmp_path, two), tmp_path, allowed=True)
    labs = SiteLabs(site, tmp_path, Progress(Console(quiet=True)), lambda _name, _site: None)
    labs.admit(cast(pytest.Item, Item("failover", "disrupts")))
    labs.discard("failover")
    return site, labs


def test_on_a_site_that_is_not_whole_nothing_more_can_be_shown(
    left_not_whole: tuple[Site, SiteLabs], tmp_path: Path
) -> None:
    announced = (tmp_path / "announced.log").read_text()
    with pytest.raises(NotHere, match="two is not whole: secondary did not answer") as why:
        left_not_whole[1].admit(cast(pytest.Item, Item("failover", "disrupts")))
    assert len(why.value.message.splitlines()) == 1
    assert (tmp_path / "announced.log").read_text() == announced


def test_a_run_that_leaves_its_site_not_whole_is_no_success_and_says_so_last(
    left_not_whole: tuple[Site, SiteLabs],
) -> None:
    site, labs = left_not_whole
    config = cast(pytest.Config, SimpleNamespace(stash=pytest.Stash()))
    config.stash[sites._SITE] = site
    assert sites.left_open(config)
    (line,) = labs.end()
    assert line.startswith("two is not whole: secondary did not answer within 300 s")


def test_a_run_that_leaves_its_site_whole_may_be_a_success(
    two: dict[str, Host], tmp_path: Path
) -> None:
    config = cast(pytest.Config, SimpleNamespace(stash=pytest.Stash()))
    config.stash[sites._SITE] = site = Site(site_of(tmp_path, two), tmp_path)
    assert not sites.left_open(config)
    assert admitted(site, tmp_path, Item("failover", "observes")) == []


def test_errors_are_told_without_a_trace_of_ours() -> None:
    broken = CommandFailed("primary", "sacli", 1, "no such program")
    group = ExceptionGroup("2 of 3 not shown", [broken, NotHere("no probe")])
    assert sites._told(group).splitlines()[0] == "primary: `sacli` ended with status 1"
    assert sites._told(group).endswith("no probe")
    assert sites._told(ValueError("a bug of ours")) == ""
