"""The catalogue, and which image a lab gets."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import lab.image
from lab.errors import ImageError
from lab.image import choose
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
    image = lab.image._download(entry, print, print)
    assert hashlib.sha256(image.disk.read_bytes()).hexdigest() == image.key == sha256
    assert url in image.source
    assert sha256 in image.source
    monkeypatch.setattr(lab.image, "reachable", lambda _url: pytest.fail("asked the network"))
    assert choose(None).name == "centos-stream-9"
    assert lab.image._downloaded(entry, print) == image
