"""The catalogue, and which image a lab gets."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

import lab.image
from lab.errors import ImageError
from lab.image import checksum, choose
from lab.image.catalogue import Download, read
from lab.image.pins import pins, unpin
from tests.image.signer import Signer

CONTENT = b"QFI\xfb" + os.urandom(1000)


def test_the_catalogue_holds_the_three_images():
    assert list(read()) == ["centos-stream-9", "debian-12", "centos-7"]


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ImageError, match="known images: centos-stream-9, debian-12, centos-7"):
        choose("centos-8")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[a]\nkind='download'\nfamily='el'\nrelease=9\nurl='ftp://x'\nsha256='00'", "url"),
        ("[a]\nkind='download'\nfamily='el'\nrelease=9\nurl='http://x'\nsha256='00'", "url"),
        ("[a]\nkind='download'\nfamily='el'\nrelease=9\nurl='https://x'", "expected sha256"),
        (
            "[a]\nkind='download'\nfamily='el'\nrelease=9\nurl='https://x'\n"
            "checksum_url='https://y'",
            "checksum_url and key",
        ),
        (
            "[a]\nkind='download'\nfamily='el'\nrelease=9\nurl='https://x'\n"
            "checksum_url='http://y'\nkey='k'",
            "checksum_url",
        ),
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


@pytest.fixture
def stream(site, publisher, monkeypatch: pytest.MonkeyPatch) -> Download:
    """Return an image of a publisher who has signed nothing so far."""
    monkeypatch.setattr(checksum, "KEYS", publisher.keyring.parent)
    return Download(
        name="centos-stream-9",
        kind="download",
        family="el",
        release=9,
        url=f"{site.url}/image.qcow2",
        checksum_url=f"{site.url}/SUM",
        key="publisher",
        signature="if published",
    )


def publish(site, content: bytes, sign=lambda text: text.encode()) -> str:
    _, sha256 = site.publish("image.qcow2", content)
    site.publish("SUM", sign(f"SHA256 (image.qcow2) = {sha256}\n"))
    return sha256


def download(entry: Download) -> tuple[lab.image.Image, list[str]]:
    said: list[str] = []
    return lab.image._download(entry, said.append, said.append), said


def test_a_download_is_recorded_with_url_and_checksum_and_then_the_default(
    site, stream: Download, monkeypatch: pytest.MonkeyPatch
):
    sha256 = publish(site, CONTENT)
    image, _ = download(stream)
    assert hashlib.sha256(image.disk.read_bytes()).hexdigest() == image.key == sha256
    assert stream.url in image.source
    assert sha256 in image.source
    monkeypatch.setattr(lab.image, "reachable", lambda _url: pytest.fail("asked the network"))
    assert choose(None).name == "centos-stream-9"
    assert lab.image._downloaded(stream, print) == image


def test_a_damaged_download_is_none(site, stream: Download):
    publish(site, CONTENT)
    image, _ = download(stream)
    image.disk.chmod(0o644)
    image.disk.write_bytes(bytes(len(CONTENT)))
    assert lab.image._downloaded(stream, print) is None


def test_a_publisher_who_signs_nothing_is_said_to(site, stream: Download):
    publish(site, CONTENT)
    _, said = download(stream)
    assert "its publisher signs nothing; it rests on https, and is pinned" in said[0]


def test_another_digest_than_the_one_seen_first_is_refused_until_it_is_forgotten(
    site, stream: Download
):
    first, second = publish(site, CONTENT), publish(site, CONTENT[::-1])
    publish(site, CONTENT)
    download(stream)
    publish(site, CONTENT[::-1])
    with pytest.raises(ImageError, match=f"was {first} on .* is said to be {second}") as wrong:
        download(stream)
    assert "--unpin centos-stream-9" in wrong.value.hint
    unpin("centos-stream-9")
    assert download(stream)[0].key == second


def test_what_was_signed_once_is_not_taken_unsigned(site, stream: Download, publisher: Signer):
    publish(site, CONTENT, publisher.clear)
    download(stream)
    publish(site, CONTENT)
    with pytest.raises(ImageError, match="is signed no more"):
        download(stream)


def test_a_pin_keeps_its_day_and_learns_that_its_image_is_signed_by_now(
    site, stream: Download, publisher: Signer, monkeypatch: pytest.MonkeyPatch
):
    publish(site, CONTENT)
    with monkeypatch.context() as then:
        then.setattr("time.strftime", lambda *_: "2020-01-01")
        image, _ = download(stream)
    (before,) = pins().values()
    assert (before.seen, before.signed_by) == ("2020-01-01", "")
    shutil.rmtree(image.disk.parent)
    publish(site, CONTENT, publisher.clear)
    download(stream)
    (after,) = pins().values()
    assert (after.seen, after.signed_by) == ("2020-01-01", publisher.fingerprint)


def test_what_was_never_whole_pins_nothing(site, stream: Download):
    publish(site, CONTENT)
    site.publish("image.qcow2", b"altered")
    with pytest.raises(ImageError, match="altered"):
        download(stream)
    assert pins() == {}


def test_damaged_pins_are_not_taken_for_none(cache: Path, site, stream: Download):
    publish(site, CONTENT)
    (cache / "pins.json").write_text('{"centos-stream-9": {"url": 1}')
    with pytest.raises(ImageError, match=r"pins\.json"):
        download(stream)
