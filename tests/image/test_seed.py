"""The seed makes a guest who it is."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pycdlib
import pytest

from lab.errors import ImageError
from lab.image import HostKey, Interface, Seed

WIRE = Interface(
    "wire0",
    "52:54:00:AA:00:01",
    ("145.0.6.72/24", "2001:610:188:418:145:0:6:72/64"),
    gateways=("145.0.6.1",),
    nameservers=("145.0.6.10",),
    search=("tuxed.net",),
)
MANAGEMENT = Interface("mgmt0", "52:54:00:aa:00:02", ("10.0.2.15/24",))
SEED = Seed(
    "node-a",
    "node-a.frkovpn.tuxed.net",
    "ssh-ed25519 AAAA lab\n",
    HostKey("PRIVATE\n", "ssh-ed25519 BBBB\n"),
    (WIRE, MANAGEMENT),
    hosts=(("145.0.6.71", "frkovpn.tuxed.net"),),
)


def read(path: Path, name: str) -> bytes:
    iso = pycdlib.PyCdlib()
    iso.open(str(path))
    content = io.BytesIO()
    iso.get_file_from_iso_fp(content, joliet_path=f"/{name}")
    iso.close()
    return content.getvalue()


def test_the_volume_is_labelled_cidata_and_holds_the_three_documents(tmp_path: Path):
    path = SEED.write(tmp_path / "seed.iso")
    assert path.read_bytes()[0x8028:0x8048].strip() == b"cidata"
    for name, content in SEED.files().items():
        assert read(path, name) == content


def test_the_same_values_make_the_same_bytes(tmp_path: Path):
    first = SEED.write(tmp_path / "1.iso").read_bytes()
    assert SEED.write(tmp_path / "2.iso").read_bytes() == first


def test_the_volume_holds_a_private_key_and_is_readable_by_its_owner_only(tmp_path: Path):
    assert SEED.write(tmp_path / "seed.iso").stat().st_mode & 0o077 == 0


def test_user_data_is_cloud_config(tmp_path: Path):
    assert SEED.files()["user-data"].startswith(b"#cloud-config\n{")


def test_root_logs_in_by_key_to_the_host_key_given():
    user_data = SEED.user_data()
    assert user_data["disable_root"] is False
    assert user_data["ssh_authorized_keys"] == ["ssh-ed25519 AAAA lab"]
    assert user_data["ssh_keys"]["ed25519_private"] == "PRIVATE\n"
    assert user_data["ssh_deletekeys"] is True


def test_interfaces_are_matched_by_mac_and_named():
    ethernets = SEED.network_config()["ethernets"]
    assert ethernets["wire0"]["match"] == {"macaddress": "52:54:00:aa:00:01"}
    assert ethernets["wire0"]["set-name"] == "wire0"
    assert ethernets["wire0"]["routes"] == [{"to": "0.0.0.0/0", "via": "145.0.6.1"}]
    assert "routes" not in ethernets["mgmt0"]


def test_the_guest_knows_its_own_name_and_its_name_servers_without_dns():
    files = {each["path"]: each["content"] for each in SEED.user_data()["write_files"]}
    assert "145.0.6.72 node-a.frkovpn.tuxed.net node-a\n" in files["/etc/hosts"]
    assert "145.0.6.71 frkovpn.tuxed.net\n" in files["/etc/hosts"]
    assert "10.0.2.15" not in files["/etc/hosts"]
    assert files["/etc/resolv.conf"] == "search tuxed.net\nnameserver 145.0.6.10\n"


def test_another_content_is_another_instance():
    other = Seed("node-a", "other.tuxed.net", "k", SEED.host_key, (WIRE,))
    assert other.meta_data()["instance-id"] != SEED.meta_data()["instance-id"]
    assert json.loads(SEED.files()["meta-data"])["dsmode"] == "local"


@pytest.mark.parametrize(
    ("mac", "address"),
    [("52:54:00", "10.0.0.1/24"), ("52:54:00:aa:00:01", "10.0.0.256/24")],
)
def test_a_wrong_mac_or_address_names_the_interface(mac: str, address: str):
    with pytest.raises(ImageError, match="wire0"):
        Interface("wire0", mac, (address,))
