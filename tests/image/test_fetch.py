"""Downloads: whole and genuine, or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.errors import ImageError
from lab.image.fetch import checksum_of, fetch, published_sha256, reachable

CONTENT = os.urandom(3 << 20)
HEX = "ab" * 32


def nothing(_here: int, _total: int) -> None:
    """Take no notice of progress."""


def test_a_download_enters_whole_and_reports_its_way(site, tmp_path: Path):
    url, sha256 = site.publish("disk.qcow2", CONTENT)
    steps: list[tuple[int, int]] = []
    fetch(url, sha256, tmp_path / "disk.qcow2", lambda here, total: steps.append((here, total)))
    assert (tmp_path / "disk.qcow2").read_bytes() == CONTENT
    assert steps[-1] == (len(CONTENT), len(CONTENT))


def test_an_altered_download_is_refused_and_removed(site, tmp_path: Path):
    url, sha256 = site.publish("disk.qcow2", CONTENT)
    site.files["/disk.qcow2"] = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    with pytest.raises(ImageError, match="altered"):
        fetch(url, sha256, tmp_path / "disk.qcow2", nothing)
    assert list(tmp_path.glob("*.*")) == []


def test_a_truncated_file_is_refused_and_removed(site, tmp_path: Path):
    url, sha256 = site.publish("disk.qcow2", CONTENT)
    site.files["/disk.qcow2"] = CONTENT[:1000]
    with pytest.raises(ImageError, match="cut off"):
        fetch(url, sha256, tmp_path / "disk.qcow2", nothing)
    assert list(tmp_path.glob("*.*")) == []


def test_a_broken_off_download_goes_on_where_it_was(site, tmp_path: Path):
    url, sha256 = site.publish("disk.qcow2", CONTENT)
    site.cut = 2 << 20
    with pytest.raises(ImageError, match="broke off") as broken:
        fetch(url, sha256, tmp_path / "disk.qcow2", nothing)
    assert "goes on" in broken.value.hint
    assert not (tmp_path / "disk.qcow2").exists()
    steps: list[tuple[int, int]] = []
    fetch(url, sha256, tmp_path / "disk.qcow2", lambda here, total: steps.append((here, total)))
    assert (tmp_path / "disk.qcow2").read_bytes() == CONTENT
    assert site.asked[-1][1] is not None
    assert site.asked[-1][1] != "bytes=0-"
    assert steps[0] == (2 << 20, len(CONTENT))


def test_a_partial_file_that_is_complete_is_only_checked(site, tmp_path: Path):
    url, sha256 = site.publish("disk.qcow2", CONTENT)
    (tmp_path / f"{sha256}.part").write_bytes(CONTENT)
    fetch(url, sha256, tmp_path / "disk.qcow2", nothing)
    assert (tmp_path / "disk.qcow2").read_bytes() == CONTENT


def test_a_missing_file_says_its_url(site, tmp_path: Path):
    with pytest.raises(ImageError, match=r"/none\.qcow2"):
        fetch(f"{site.url}/none.qcow2", HEX, tmp_path / "none.qcow2", nothing)


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


def test_the_published_checksum_is_read_from_its_url(site):
    url, _ = site.publish("SHA256SUM", f"SHA256 (a.qcow2) = {HEX}\n".encode())
    assert published_sha256(url, "a.qcow2") == HEX


def test_a_checksum_that_cannot_be_had_offers_the_built_image(site):
    with pytest.raises(ImageError, match="--image=debian-12"):
        published_sha256(f"{site.url}/gone", "a.qcow2")


def test_what_answers_is_reachable_and_a_closed_port_is_not(site):
    url, _ = site.publish("there", b"")
    assert reachable(url)
    site_of_nobody = "http://127.0.0.1:9/nothing"
    assert not reachable(site_of_nobody)
