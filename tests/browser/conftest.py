"""A window, and reports to look at in it: of a sign-off run, and of runs on bad days."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from report.making import make_report
from tests.browser.window import Window, driver_or_skip, window
from tests.checks.failover import recording
from tests.report.conftest import facts
from tests.report.sign_off import sign_off, ten_thousand_verdicts

LONG = "no-word-ends-" * 40
PAGES = ("sign-off", "cut short", "long words", "nothing", "10,000 verdicts")


@pytest.fixture(scope="session")
def browser() -> Iterator[Window]:
    with window(driver_or_skip()) as opened:
        yield opened


@pytest.fixture(scope="session")
def pages(browser: Window, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    runs = {name: tmp_path_factory.mktemp("run") for name in PAGES}
    sign_off(runs["sign-off"], repetitions=2)
    sign_off(runs["cut short"], repetitions=2)
    history = runs["cut short"] / "history.jsonl"
    history.write_bytes(history.read_bytes()[:-5000])
    one = recording.takeover(runs["long words"], fault=LONG)
    one.event(5, "tunnel.watched", LONG, client="outside", protocol="udp")
    one.event(20, "tunnel.carried", LONG, client="outside", protocol="udp")
    one.write()
    facts(runs["long words"], requirements=["FO-24", LONG], command=LONG, image=LONG)
    ten_thousand_verdicts(runs["10,000 verdicts"])
    return {name: make_report(run).page for name, run in runs.items()}
