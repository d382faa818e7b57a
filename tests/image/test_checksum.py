"""What a publisher says an image is."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import ImageError
from lab.image.catalogue import Download, read
from lab.image.checksum import KEYS, Published, checksum_of, published
from lab.image.signature import NotSigned
from tests.image.conftest import Site
from tests.image.signer import Signer

HEX, OTHER = "ab" * 32, "cd" * 32
SUM = f"SHA256 (a.qcow2) = {HEX}\n"


@pytest.fixture
def keys(publisher: Signer, tmp_path: Path) -> Path:
    (tmp_path / "publisher.gpg").write_bytes(publisher.keyring.read_bytes())
    return tmp_path


def entry(site: Site, **more: str) -> Download:
    """Return an image whose checksum is at SUM, to be signed by the publisher."""
    known = {"checksum_url": f"{site.url}/SUM", "key": "publisher"}
    return Download(
        name="some-linux",
        kind="download",
        family="el",
        release=9,
        url=f"{site.url}/a.qcow2",
        **{**known, **more},
    )


def test_a_checksum_signed_within_is_taken(site: Site, keys: Path, publisher: Signer):
    site.publish("SUM", publisher.clear(SUM))
    assert published(entry(site), "a.qcow2", keys) == Published(HEX, publisher.fingerprint)


def test_a_checksum_signed_apart_is_taken(site: Site, keys: Path, publisher: Signer):
    site.publish("SUM", SUM.encode())
    site.publish("SUM.asc", publisher.apart(SUM))
    assert published(entry(site), "a.qcow2", keys) == Published(HEX, publisher.fingerprint)


def test_what_stands_outside_the_signature_is_not_read(site: Site, keys: Path, publisher: Signer):
    site.publish("SUM", publisher.clear(SUM) + f"{OTHER}  a.qcow2\n".encode())
    assert published(entry(site), "a.qcow2", keys).sha256 == HEX


@pytest.mark.parametrize("signature", ["required", "if published"])
def test_a_wrong_signature_is_refused(site: Site, keys: Path, publisher: Signer, signature: str):
    site.publish("SUM", publisher.clear(SUM).replace(HEX.encode(), OTHER.encode()))
    with pytest.raises(NotSigned, match="was altered"):
        published(entry(site, signature=signature), "a.qcow2", keys)
    site.publish("SUM", SUM.replace(HEX, OTHER).encode())
    site.publish("SUM.asc", publisher.apart(SUM))
    with pytest.raises(NotSigned, match="was altered"):
        published(entry(site, signature=signature), "a.qcow2", keys)


@pytest.mark.parametrize("signature", ["required", "if published"])
def test_the_signature_of_a_stranger_is_refused(
    site: Site, keys: Path, stranger: Signer, signature: str
):
    site.publish("SUM", stranger.clear(SUM))
    with pytest.raises(NotSigned, match="signed by no key of"):
        published(entry(site, signature=signature), "a.qcow2", keys)


def test_a_missing_signature_is_refused_where_there_must_be_one(site: Site, keys: Path):
    site.publish("SUM", SUM.encode())
    with pytest.raises(NotSigned, match="is not signed, and some-linux is to be"):
        published(entry(site), "a.qcow2", keys)
    assert published(entry(site, signature="if published"), "a.qcow2", keys) == Published(HEX)


def test_a_missing_key_is_refused(site: Site, tmp_path: Path, publisher: Signer):
    site.publish("SUM", publisher.clear(SUM))
    with pytest.raises(ImageError, match=r"missing: .*publisher\.gpg"):
        published(entry(site), "a.qcow2", tmp_path)


def test_a_pinned_image_must_be_what_its_publisher_says_too(
    site: Site, keys: Path, publisher: Signer
):
    site.publish("SUM", publisher.clear(SUM))
    assert published(entry(site, sha256=HEX), "a.qcow2", keys).sha256 == HEX
    with pytest.raises(ImageError, match=f"catalogue pins {OTHER}"):
        published(entry(site, sha256=OTHER), "a.qcow2", keys)


def test_a_pinned_image_needs_nobody_to_say_it(site: Site, keys: Path):
    pinned = Download(
        name="x", kind="download", family="el", release=9, url=f"{site.url}/a", sha256=HEX
    )
    assert published(pinned, "a", keys) == Published(HEX)
    assert site.asked == []


def test_a_checksum_by_way_of_http_is_refused(
    site: Site, plain_site: Site, keys: Path, publisher: Signer
):
    url, _ = plain_site.publish("SUM", publisher.clear(SUM))
    site.elsewhere["/SUM"] = url
    with pytest.raises(ImageError, match=r"http://127\.0\.0\.1:\d+/SUM is not https"):
        published(entry(site), "a.qcow2", keys)
    assert plain_site.asked == []


@pytest.mark.parametrize("measured", [True, False])
@pytest.mark.parametrize("name", ["SUM", "SUM.asc"])
def test_a_checksum_or_signature_without_end_is_not_read_to_its_end(
    site: Site, keys: Path, name: str, measured: bool
):
    site.measured = measured
    site.publish("SUM", SUM.encode())
    site.publish(name, b"x" * (3 << 20))
    with pytest.raises(ImageError, match=f"/{name} has more than 1048576 bytes") as wrong:
        published(entry(site), "a.qcow2", keys)
    assert "do not use that image" in wrong.value.hint


def test_a_checksum_that_cannot_be_had_offers_the_built_image(site: Site, keys: Path):
    with pytest.raises(ImageError, match="--image=debian-12"):
        published(entry(site), "a.qcow2", keys)


def test_an_unknown_certificate_is_refused(
    site: Site, keys: Path, publisher: Signer, monkeypatch: pytest.MonkeyPatch
):
    site.publish("SUM", publisher.clear(SUM))
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    with pytest.raises(ImageError, match="certificate verify failed"):
        published(entry(site), "a.qcow2", keys)


@pytest.mark.parametrize(
    "text",
    [f"# size: 5\nSHA256 (a.qcow2) = {HEX}\n", f"{HEX}  a.qcow2\n", f"{HEX} *a.qcow2\n"],
    ids=["BSD", "GNU text", "GNU binary"],
)
def test_both_styles_of_checksum_files_are_read(text: str):
    assert checksum_of("a.qcow2", f"{text}{'cd' * 32}  b.qcow2\n", "here") == HEX


def test_a_checksum_file_with_one_entry_speaks_of_the_file_beside_it():
    text = f"SHA256 (image-9-20240101.0.qcow2) = {HEX}"
    assert checksum_of("image-9-latest.qcow2", text, "here") == HEX


def test_a_checksum_file_without_the_image_is_an_error():
    with pytest.raises(ImageError, match=r"names no SHA-256 of c\.qcow2"):
        checksum_of("c.qcow2", f"{HEX}  a.qcow2\n{HEX}  b.qcow2\n", "here")


def test_each_image_of_the_catalogue_has_the_key_that_it_names():
    keys = [one.key for one in read().values() if isinstance(one, Download)]
    assert keys
    assert all((KEYS / f"{key}.gpg").is_file() for key in keys)
