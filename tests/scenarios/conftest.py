"""What tests of failover scenarios share: a stage to play them on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from evidence.events.run import ScenarioStarted
from evidence.history import FILE_NAME, History
from lab.lab import Lab
from lab.probe import Probe
from scenarios.failover.pair import Pair
from scenarios.failover.services import PROBE_ADDRESS, PROBE_MAC
from tests.scenarios.failover_pair import played_lab
from tests.scenarios.failover_stage import SCENARIO, Stage


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setenv("VPNPROOF_LABS", str(tmp_path / "labs"))
    (tmp_path / "wire").mkdir()
    with (
        played_lab(tmp_path, tmp_path / "wire" / "lab.pcapng") as lab,
        History(tmp_path / FILE_NAME, SCENARIO) as history,
        Probe(lab.wire, "lan", "probe", PROBE_MAC, PROBE_ADDRESS) as probe,
    ):
        history.record(ScenarioStarted(source="pytest", lab="lab"))
        with Pair(cast(Lab, lab), history) as pair:
            pair.record_configured("primary")
            yield Stage(lab, pair, probe, history)
