"""The lab's benchmark: a cache of its own, and what is measured in one turn."""

import os
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.lab import _disk_mib, _Stage
from bench.own_cache import own_cache
from lab.cache import cache_root
from lab.checkpoint import Store
from tests.checkpoint.pretend import PretendLab, make


@pytest.fixture
def usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VPNPROOF_CACHE", str(tmp_path))
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "disk").write_text("image")
    (tmp_path / "checkpoints").mkdir()
    return tmp_path


def test_it_measures_with_the_users_image_and_nothing_frozen(usual: Path):
    with own_cache():
        assert (cache_root() / "images" / "disk").read_text() == "image"
        assert not (cache_root() / "checkpoints").exists()


def test_afterwards_the_usual_cache_is_used_and_as_it_was(usual: Path):
    with own_cache():
        (cache_root() / "checkpoints").mkdir()
        (cache_root() / "checkpoints" / "new").touch()
    assert cache_root() == usual
    assert sorted(path.name for path in usual.rglob("*")) == ["checkpoints", "disk", "images"]


def test_a_user_without_a_configured_cache_still_has_none_configured(
    usual: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.delenv("VPNPROOF_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    with own_cache():
        pass
    assert "VPNPROOF_CACHE" not in os.environ


def test_the_disk_a_lab_takes_is_that_of_every_checkpoint_below_it_each_once(usual: Path):
    store, mib = Store(), 1024
    image = usual / "images" / "disk"
    make(store, 1, kib=1 * mib, image=image)
    make(store, 2, kib=2 * mib, parents=(1,), image=image)
    make(store, 3, kib=4 * mib, parents=(1,), image=image)
    top = make(store, 4, kib=8 * mib, parents=(2, 3), image=image)
    make(store, 5, kib=16 * mib, parents=(1,), image=image)
    assert _disk_mib(SimpleNamespace(disk=image), top) == 15


def test_a_thaw_is_timed_on_until_every_machine_has_answered(
    usual: Path, monkeypatch: pytest.MonkeyPatch
):
    lab = PretendLab(usual / "images" / "disk", usual)
    monkeypatch.setattr("bench.lab.thaw", lambda *_, **__: nullcontext(lab))
    thaw_s, reconnected_s = _Stage("multi_node", None, None, None)._thaw(None)
    assert [machine.commands for machine in lab.machines.values()] == [["true"], ["true"]]
    assert thaw_s <= reconnected_s


class PretendDeployer:
    """Makes pretend labs, which are ready once a second has passed on the clock."""

    def __init__(self, lab: PretendLab, clock: list[float]) -> None:
        self.lab = lab
        self.clock = clock

    def deploy(self) -> object:
        self.clock[0] += 3.0
        return nullcontext(self.lab)


def test_being_ready_is_timed_beside_the_thaw_and_the_bare_restore_of_its_turn(
    usual: Path, monkeypatch: pytest.MonkeyPatch
):
    clock = [0.0]
    lab = PretendLab(usual / "images" / "disk", usual)

    def thaw(*_: object, **__: object) -> object:
        clock[0] += 2.5
        return nullcontext(lab)

    monkeypatch.setattr("bench.lab.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("bench.lab.thaw", thaw)
    monkeypatch.setattr("bench.lab.restore_seconds", lambda *_: 2.0)
    monkeypatch.setattr("bench.lab.Deployer", lambda *_: PretendDeployer(lab, clock))
    monkeypatch.setattr("bench.lab._checkpoint_of", lambda _: None)
    monkeypatch.setattr("bench.lab._disk_mib", lambda *_: 0)
    monkeypatch.setattr("bench.lab._peak_rss_mib", lambda _: 7)
    progress = SimpleNamespace(task=lambda _: nullcontext())
    figures = _Stage("failover", None, None, progress).provisioned(3)
    assert (figures["ready_s"], figures["ready_ratio"]) == (3.0, 1.5)
    assert (figures["thaw_s"], figures["thaw_ratio"]) == (2.5, 1.25)
    assert (figures["restore_floor_s"], figures["peak_rss_mib"]) == (2.0, 7)
