"""`python -m bench controller`: that it counts what was acknowledged, and finds what was lost."""

from __future__ import annotations

import argparse
import random
import shutil
from pathlib import Path

import pytest

from bench import controller
from bench.controller_place import Controller, Hooks, killed_in_the_middle
from lab.errors import LabError

pytestmark = pytest.mark.skipif(shutil.which("php") is None, reason="there is no php")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Controller:
    return Controller.installed(tmp_path_factory.mktemp("bench") / "root")


def test_what_it_bears_is_counted() -> None:
    figures = controller.measure(argparse.Namespace(requests=4, clients=20, kills=1, seed=1))
    assert all(isinstance(one, int | float) for one in figures.values())
    assert figures["acknowledged_and_lost"] == 0
    assert set(figures) >= {"api_profile_list_per_second", "portal_connections_per_second"}


def test_a_line_that_was_acknowledged_and_is_gone_is_found(installed: Controller) -> None:
    hooks = Hooks()
    with installed.serving("api") as api:
        for _ in range(3):
            hooks.come_and_go(api)
    assert (hooks.connected, hooks.disconnected) == ({0, 1, 2}, {0, 1, 2})
    assert hooks.lost(installed) == 0
    with installed.database() as db:
        db.execute("UPDATE connection_log SET disconnected_at = NULL WHERE ip6 = 'fd00::1'")
    assert hooks.lost(installed) == 1
    with installed.database() as db:
        db.execute("DELETE FROM connection_log WHERE ip6 = 'fd00::2'")
    assert hooks.lost(installed) == 3


def test_an_api_that_is_killed_keeps_what_it_acknowledged(installed: Controller) -> None:
    hooks = Hooks(began=1_950_000_000)
    killed_in_the_middle(installed, hooks, 2, random.Random(2))  # noqa: S311 - no secret
    assert hooks.lost(installed) == 0


def test_a_software_that_cannot_be_installed_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root/etc").write_text("in the way")
    with pytest.raises(LabError):
        Controller.installed(tmp_path / "root")
