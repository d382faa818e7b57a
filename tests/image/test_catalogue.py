"""The catalogue, and which image a lab gets."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import lab.image
from lab.errors import ImageError
from lab.image import choose, debian
from lab.image.catalogue import Download, read


def test_the_catalogue_holds_the_three_images():
    assert list(read()) == ["centos-stream-9", "debian-12", "centos-7"]


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ImageError, match="known images: centos-stream-9, debian-12, centos-7"):
        choose("centos-8")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[a]\nkind='download'\nfamily='el'\nrelease=9\nurl='ftp://x'\nsha256='00'", "url"),
        ("[a]\nkind='download'\nfamily='el'\nrelease=9\nurl='http://x'", "either sha256"),
        ("[a]\nkind='build'\nfamily='suse'\nrelease=9", "family"),
        ("[a]\nkind='guess'", "kind"),
        ("[a", "Expected"),
    ],
)
def test_a_wrong_catalogue_names_file_and_key(tmp_path: Path, text: str, named: str):
    path = tmp_path / "catalogue.toml"
    path.write_text(text)
    with pytest.raises(ImageError, match=named) as wrong:
        read(path)
    assert str(path) in wrong.value.message


def test_without_a_way_to_centos_the_default_is_debian(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lab.image, "reachable", lambda _url: False)
    assert choose(None).name == "debian-12"


def test_with_a_way_to_centos_it_is_the_default(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lab.image, "reachable", lambda _url: True)
    assert choose(None).name == "centos-stream-9"


def test_a_download_is_recorded_with_url_and_checksum_and_then_the_default(
    site, monkeypatch: pytest.MonkeyPatch
):
    content = b"QFI\xfb" + bytes(1000)
    url, sha256 = site.publish("image.qcow2", content)
    checksum_url, _ = site.publish("SUM", f"SHA256 (image.qcow2) = {sha256}".encode())
    entry = Download(
        name="centos-stream-9",
        kind="download",
        family="el",
        release=9,
        url=url,
        checksum_url=checksum_url,
    )
    image = lab.image._download(entry, lambda _line: None)
    assert hashlib.sha256(image.disk.read_bytes()).hexdigest() == image.key == sha256
    assert url in image.source
    assert sha256 in image.source
    monkeypatch.setattr(lab.image, "reachable", lambda _url: pytest.fail("asked the network"))
    assert choose(None).name == "centos-stream-9"
    assert lab.image._downloaded(entry) == image


def test_the_debian_key_covers_packages_sources_and_scripts(monkeypatch: pytest.MonkeyPatch):
    wanted = debian.recipe()
    keys = {wanted.key}
    for field, value in {
        "packages": (*wanted.packages, "hello"),
        "sources": ("deb http://example.org/debian bookworm main",),
        "customize": wanted.customize + "#",
        "disk": wanted.disk + "#",
        "architecture": "aarch64",
        "size_gib": 5,
    }.items():
        keys.add(debian.Recipe(**{**wanted.__dict__, field: value}).key)
    assert len(keys) == 7


def test_a_failed_build_says_what_mmdebstrap_said_and_leaves_nothing(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    program = tmp_path / "mmdebstrap"
    program.write_text("#!/bin/sh\necho E: no such archive\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(debian, "_PATH", f"{tmp_path}:{debian._PATH}")
    monkeypatch.setenv("PATH", debian._PATH)
    with pytest.raises(ImageError, match="no such archive"):
        debian.build(lambda _line: None)
    assert list((cache / "images").iterdir()) == []
