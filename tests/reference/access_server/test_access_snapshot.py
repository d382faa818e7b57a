"""Snapshots: made, staged, loaded; and what a crash leaves of that."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from openvpnas import snapshot
from openvpnas.certificate_store import CertificateStore
from openvpnas.config import Config
from openvpnas.errors import SnapshotRefused
from openvpnas.paths import Paths
from openvpnas.supervisor import effective_pair
from openvpnas.users import Users

Carry = Callable[[Paths, Paths], None]
PAIR_KEYS = {
    "failover.mode": "ucarp",
    "failover.vip": "192.168.70.222",
    "failover.primary.host": "192.168.70.1",
    "failover.secondary.host": "192.168.70.2",
}


@pytest.fixture
def staged(paths: Paths, standby: Paths, carry: Carry) -> snapshot.Manifest:
    Users.at(paths).put("alice", "prop_autologin", "true")
    paths.sessions.write_text("1\tconnect\talice\n")
    snapshot.begin_term(paths)
    snapshot.make(paths)
    carry(paths, standby)
    return snapshot.accept(standby)


def test_an_accepted_snapshot_stays_in_staging_until_takeover(
    standby: Paths, staged: snapshot.Manifest
):
    assert snapshot.staged(standby) == staged
    assert not standby.databases.exists()


def test_what_was_staged_is_live_after_loading(
    paths: Paths, standby: Paths, staged: snapshot.Manifest
):
    assert snapshot.load_newer(standby) == staged
    assert Users.at(standby).properties() == Users.at(paths).properties()
    assert Config.at(standby).all() == Config.at(paths).all()
    assert standby.sessions.read_text() == paths.sessions.read_text()


def test_the_token_secret_is_the_same_on_both_nodes(
    paths: Paths, standby: Paths, staged: snapshot.Manifest
):
    snapshot.load_newer(standby)
    secrets = [CertificateStore.at(node).secret("auth-token.key") for node in (paths, standby)]
    assert secrets[0] == secrets[1]


def test_a_snapshot_is_loaded_once(standby: Paths, staged: snapshot.Manifest):
    snapshot.load_newer(standby)
    assert snapshot.load_newer(standby) is None


def test_an_older_snapshot_does_not_replace_newer_live_data(
    standby: Paths, staged: snapshot.Manifest
):
    snapshot.load_newer(standby)
    snapshot.begin_term(standby)
    Config.at(standby).put({"host.name": "newer.example"})
    assert snapshot.load_newer(standby) is None
    assert Config.at(standby).get("host.name") == "newer.example"


@pytest.mark.parametrize("name", ["config.db", "userprop.db", "certs.db", "MANIFEST.json"])
def test_a_snapshot_with_a_missing_file_is_refused(
    paths: Paths, standby: Paths, carry: Carry, staged: snapshot.Manifest, name: str
):
    snapshot.make(paths)
    carry(paths, standby)
    (standby.staging / "incoming" / name).unlink()
    with pytest.raises(SnapshotRefused):
        snapshot.accept(standby)
    assert snapshot.staged(standby) == staged


def test_a_snapshot_cut_short_is_refused(
    paths: Paths, standby: Paths, carry: Carry, staged: snapshot.Manifest
):
    snapshot.make(paths)
    carry(paths, standby)
    cut = standby.staging / "incoming" / "userprop.db"
    cut.write_bytes(cut.read_bytes()[:-1])
    with pytest.raises(SnapshotRefused, match=r"userprop\.db"):
        snapshot.accept(standby)
    assert snapshot.staged(standby) == staged


def test_a_snapshot_damaged_after_it_was_accepted_is_not_loaded(
    standby: Paths, staged: snapshot.Manifest
):
    (standby.staging / "complete" / "certs.db").write_bytes(b"damaged")
    assert snapshot.load_newer(standby) is None
    assert not standby.databases.exists()


def test_a_manifest_without_the_databases_is_refused(tmp_path: Path):
    empty = {"id": "x", "term": 9, "serial": 9, "pair_id": "", "made_at": 0.0, "files": {}}
    (tmp_path / snapshot.MANIFEST).write_text(json.dumps(empty))
    with pytest.raises(SnapshotRefused):
        snapshot.read(tmp_path)


def test_a_new_snapshot_replaces_the_one_before(
    paths: Paths, standby: Paths, carry: Carry, staged: snapshot.Manifest
):
    newer = snapshot.make(paths)
    carry(paths, standby)
    snapshot.accept(standby)
    assert [place.name for place in standby.staging.glob("snapshot-*")] == [f"snapshot-{newer.id}"]


def test_a_load_cut_between_its_renames_is_finished(standby: Paths, staged: snapshot.Manifest):
    snapshot.load_newer(standby)
    before = Config.at(standby).all()
    standby.databases.rename(standby.etc / "db.new")
    (standby.etc / "db.former").mkdir()
    snapshot.finish_interrupted_load(standby)
    assert Config.at(standby).all() == before


def test_a_load_cut_before_its_copy_was_whole_is_undone(paths: Paths):
    before = Config.at(paths).all()
    paths.databases.rename(paths.etc / "db.former")
    (paths.etc / "db.new").mkdir()
    snapshot.finish_interrupted_load(paths)
    assert Config.at(paths).all() == before


def test_a_node_that_lost_its_role_takes_what_its_partner_sends(
    paths: Paths, standby: Paths, carry: Carry, staged: snapshot.Manifest
):
    snapshot.load_newer(standby)
    snapshot.begin_term(standby)
    for _ in range(5):
        snapshot.begin_term(paths)
    snapshot.give_up_term(paths)
    snapshot.make(standby)
    carry(standby, paths)
    snapshot.accept(paths)
    assert snapshot.load_newer(paths) is not None


def test_a_node_that_lost_its_role_forgets_what_was_sent_before(
    standby: Paths, staged: snapshot.Manifest
):
    snapshot.load_newer(standby)
    snapshot.give_up_term(standby)
    assert snapshot.load_newer(standby) is None


def test_a_standby_learns_of_its_pair_from_staging_without_loading_it(
    paths: Paths, standby: Paths, carry: Carry
):
    Config.at(paths).put(PAIR_KEYS)
    snapshot.make(paths)
    carry(paths, standby)
    snapshot.accept(standby)
    pair = effective_pair(standby)
    assert pair is not None
    assert pair.virtual_ip == "192.168.70.222"
    assert not standby.databases.exists()


def test_a_secondary_without_anything_staged_has_no_pair(standby: Paths):
    assert effective_pair(standby) is None
