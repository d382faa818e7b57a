"""Scenarios on machines that are already there: those of a lab that another process has left up.

Nothing of this run has made them, and it knows no more of them than a site file says: addresses,
keys, host keys. Not run unless asked for, by `--sites`: it takes minutes.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from checks.engine.verdict import Status
from checks.engine.verdicts import read_verdicts
from lab import layout
from lab.paths import lab_directories
from lab.state import LabState
from tests.scenarios.pretended import outside

pytestmark = pytest.mark.vm

PROJECT = Path(__file__).parents[2]
MULTI_NODE = {
    "test_requirements.py::test_every_machine_has_its_addresses_and_resolves_every_name": "MN-01",
    "test_controller.py::test_a_node_without_secret_is_told_so_by_the_api": "MN-07",
    "test_load_balancing.py::test_the_shared_name_leads_to_all_nodes_and_each_lets_a_client_in": (
        "MN-21"
    ),
    "test_load_balancing.py::test_the_dns_server_rotates_its_answers": "MN-22",
}
HEARTBEAT = "test_heartbeat.py::test_the_active_node_advertises_and_the_standby_is_silent"
POWER_CUT = "test_takeover.py::test_a_power_failure_makes_the_standby_active[1/3]"
PAUSE = "test_takeover.py::test_a_crash_makes_the_standby_active[pause-1/3]"
CLEAN_STOP = "test_takeover.py::test_a_clean_stop_hands_over_and_drops_the_virtual_ip[1/3]"


def python(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=PROJECT,
        env=outside(),
        capture_output=True,
        text=True,
        check=check,
    )


def site_file(lab: Path, path: Path, probe: str = "") -> Path:
    """Write what somebody who has set up these machines would write."""
    state = LabState.read(lab)
    lines = [
        f'topology = "{state.topology.name}"',
        f'known_hosts = "{layout.write_known_hosts(lab, state)}"',
        f'key = "{lab / "keys" / "client"}"',
        f'probe = "{probe}"' if probe else "",
    ]
    for name, machine in state.machines.items():
        lines += [f"[machines.{name}]", 'address = "127.0.0.1"', f"port = {machine.ssh_port}"]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(autouse=True)
def _asked_for(request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("sites"):
        pytest.skip("not asked for, by --sites")


@contextmanager
def left_up(guide: str) -> Iterator[Path]:
    """Give the directory of a lab that another process has provisioned, and is gone."""
    before = set(lab_directories())
    python("provision", "up", guide, "--software", "drop-in")
    (made,) = set(lab_directories()) - before
    try:
        yield made
    finally:
        python("lab", "down", made.name)


def run(site: Path, evidence: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    given = [f"--lab={site}", "--evidence", str(evidence), *arguments]
    return python("pytest", "-p", "no:cacheprovider", "-v", *given, check=False)


def status_of(evidence: Path, requirement: str) -> Status:
    return read_verdicts(evidence).of(requirement).status


def test_the_multi_node_guide_is_judged_on_machines_that_are_there(tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    with left_up("multi_node") as lab:
        site = site_file(lab, tmp_path / "site.toml")
        done = run(site, evidence, *(f"scenarios/multi_node/{name}" for name in MULTI_NODE))
    assert done.returncode == 0, done.stdout + done.stderr
    assert {name: status_of(evidence, name) for name in MULTI_NODE.values()} == dict.fromkeys(
        MULTI_NODE.values(), Status.PASS
    )
    assert python("checks", "verify", str(evidence), check=False).returncode == 0


def test_the_failover_guide_is_judged_and_nothing_disturbed_unasked(tmp_path: Path) -> None:
    with left_up("failover") as lab:
        site = site_file(lab, tmp_path / "site.toml", probe="gateway")
        asked = [f"scenarios/failover/{name}" for name in (HEARTBEAT, POWER_CUT)]
        looked = run(site, tmp_path / "looked", *asked)
        asked = [f"scenarios/failover/{name}" for name in (PAUSE, CLEAN_STOP, POWER_CUT)]
        done = run(site, tmp_path / "disturbed", "--allow-disruption", *asked)
    told = looked.stdout + looked.stderr
    assert looked.returncode == pytest.ExitCode.TESTS_FAILED, told
    assert "not done without --allow-disruption" in looked.stdout
    assert "Traceback" not in told + done.stdout + done.stderr
    assert not (tmp_path / "looked" / "announced.log").exists()
    assert status_of(tmp_path / "looked", "FO-16") is Status.PASS, told
    assert status_of(tmp_path / "looked", "FO-24") is Status.UNKNOWN
    announced = (tmp_path / "disturbed" / "announced.log").read_text()
    assert "the power is cut for a moment" in announced
    assert "cannot be paused" in done.stdout
    for requirement in ("FO-27", "FO-26"):
        assert status_of(tmp_path / "disturbed", requirement) is not Status.FAIL, done.stdout
