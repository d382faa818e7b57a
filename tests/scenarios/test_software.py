"""Which software a run is about: said at its top, told to its workers, refused before it begins."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.errors import ImageError
from lab.image import Image
from provision.genuine.software import Software
from scenarios import software
from tests.scenarios.pretended import pretend

GENUINE = Software("genuine", "its sources can be had", (("vpn-ca", "2" * 40),))


class Config(SimpleNamespace):
    """As much of pytest's configuration as is asked for."""

    def getoption(self, name: str) -> Any:
        image = getattr(self, "image", "debian-12")
        chosen = {"software": "auto", "image": image, "accept_vendor_licence": False}
        return chosen[name]


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the genuine software be chosen; return what was asked, each time it was."""
    asked: list[str] = []

    def choose(what: str, image: str) -> Software:
        asked.append(f"{what} for {image}")
        return GENUINE

    monkeypatch.setattr(software, "choose", choose)
    return asked


def test_it_is_chosen_once_and_told_to_workers(chosen: list[str]) -> None:
    config: Any = Config(stash=pytest.Stash(), args=["scenarios/"])
    node: Any = SimpleNamespace(config=config, workerinput={})
    software.tell(node)
    worker: Any = Config(stash=pytest.Stash(), workerinput=node.workerinput)
    assert software.software_of(config, "multi_node") == GENUINE
    assert software.software_of(worker, "multi_node") == GENUINE
    assert software.software_of(worker, "failover").name == "drop-in"
    assert chosen == ["auto for debian-12"]


def test_the_runs_facts_name_it_by_guide(chosen: list[str]) -> None:
    config: Any = Config(stash=pytest.Stash(), args=["scenarios/multi_node"])
    told = software.facts(config)
    assert told["multi_node"]["name"] == "genuine"
    assert told["multi_node"]["commits"] == (("vpn-ca", "2" * 40),)
    assert "failover" not in told


def test_the_header_says_what_each_guide_is_followed_with(tmp_path: Path) -> None:
    run = pretend(tmp_path, "scenarios/", "--collect-only", "-q", "-n", "0", "-v")
    assert "software of multi_node: drop-in (pretended)" in run.said
    assert "software of failover: drop-in (" in run.said
    assert "not free" in run.said


@pytest.mark.parametrize(
    ("name", "more"),
    [("debian-12", ""), ("centos-stream-9", " never run by this project")],
)
@pytest.mark.parametrize("scenarios", ["failover", "harness"])
def test_the_header_says_of_an_image_that_it_was_never_run(
    chosen: list[str], monkeypatch: pytest.MonkeyPatch, name: str, more: str, scenarios: str
) -> None:
    image = Image(name, "any", "0123456789abcdef", Path("/disk.qcow2"))
    made = SimpleNamespace(software=GENUINE)
    monkeypatch.setattr(software, "prepared", lambda *_: (made, image))
    config: Any = Config(stash=pytest.Stash(), args=[f"scenarios/{scenarios}"], image=name)
    images, _ = software.header(config)
    assert images == [f"{name} (0123456789ab){more}"]


def test_an_image_that_cannot_be_had_is_a_usage_error_without_a_trace(
    chosen: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepared(*_: object) -> None:
        raise ImageError("centos-7 cannot be had")

    monkeypatch.setattr(software, "prepared", prepared)
    config: Any = Config(stash=pytest.Stash(), args=["scenarios/failover"])
    with pytest.raises(pytest.UsageError, match="centos-7 cannot be had"):
        software.header(config)


def test_software_that_does_not_fit_the_image_is_refused_before_that_is_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(software, "prepared", lambda *_: pytest.fail("began"))
    config: Any = Config(stash=pytest.Stash(), args=["scenarios/failover"], image="centos-7")
    with pytest.raises(pytest.UsageError, match=r"have Python 3\.6"):
        software.header(config)


def test_software_that_is_something_else_is_refused_before_anything_begins(tmp_path: Path) -> None:
    run = pretend(tmp_path, "scenarios/multi_node", "--software=genuine", "-n", "0")
    assert run.status == pytest.ExitCode.USAGE_ERROR
    assert "tool 1.0: expected commit a, but b\nhint: look" in run.said
    assert "Traceback" not in run.said
    assert not run.told
    assert not run.evidence.exists()
