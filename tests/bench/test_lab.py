"""The lab's benchmark: a cache of its own, and waiting counted from the wire's recordings."""

import os
import shutil
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.lab import _disk_mib, _own_cache, _Stage
from bench.lab_suite import protocol_wait_s
from lab.cache import cache_root
from lab.checkpoint import Store
from tests.checkpoint.pretend import PretendLab, make
from tests.checks.factories import pcapng
from tests.heartbeat.encoder import carp

RECORDED = Path(__file__).parent.parent / "data" / "ucarp-vhid94.pcap"


@pytest.fixture
def usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VPNPROOF_CACHE", str(tmp_path))
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "disk").write_text("image")
    (tmp_path / "checkpoints").mkdir()
    return tmp_path


def test_it_measures_with_the_users_image_and_nothing_frozen(usual: Path):
    with _own_cache():
        assert (cache_root() / "images" / "disk").read_text() == "image"
        assert not (cache_root() / "checkpoints").exists()


def test_afterwards_the_usual_cache_is_used_and_as_it_was(usual: Path):
    with _own_cache():
        (cache_root() / "checkpoints").mkdir()
        (cache_root() / "checkpoints" / "new").touch()
    assert cache_root() == usual
    assert sorted(path.name for path in usual.rglob("*")) == ["checkpoints", "disk", "images"]


def test_a_user_without_a_configured_cache_still_has_none_configured(
    usual: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.delenv("VPNPROOF_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    with _own_cache():
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
    thaw_s, reconnected_s = _Stage(None, None, None)._thaw(None)
    assert [machine.commands for machine in lab.machines.values()] == [["true"], ["true"]]
    assert thaw_s <= reconnected_s


def test_a_heartbeat_that_never_stops_costs_no_waiting(tmp_path: Path):
    shutil.copy(RECORDED, tmp_path / "failover.pcapng")
    assert protocol_wait_s(tmp_path) == 0


def test_a_run_without_recordings_waited_for_nothing(tmp_path: Path):
    assert protocol_wait_s(tmp_path) == 0


def test_a_takeovers_silence_is_waiting(tmp_path: Path):
    beats_s = [0.0, 1.0, 2.0, 5.5, 6.5]
    frames = [(int(at * 1e9), carp(counter=n)) for n, at in enumerate(beats_s)]
    (tmp_path / "failover.pcapng").write_bytes(pcapng(frames))
    assert protocol_wait_s(tmp_path) == 3.5
