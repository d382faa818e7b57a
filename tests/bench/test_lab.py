"""The lab's benchmark: a cache of its own, and waiting counted from the wire's recordings."""

import os
import shutil
from pathlib import Path

import pytest

from bench.lab import _own_cache
from bench.lab_suite import protocol_wait_s
from lab.cache import cache_root
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
