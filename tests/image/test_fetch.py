"""Downloads: whole and genuine, or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.errors import ImageError
from lab.image.fetch import fetch, reachable

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


def test_a_download_that_is_sent_to_http_is_refused(site, plain_site, tmp_path: Path):
    elsewhere, sha256 = plain_site.publish("disk.qcow2", CONTENT)
    site.elsewhere["/disk.qcow2"] = elsewhere
    with pytest.raises(ImageError, match=r"/disk\.qcow2 is not https"):
        fetch(f"{site.url}/disk.qcow2", sha256, tmp_path / "disk.qcow2", nothing)
    assert plain_site.asked == []
    assert list(tmp_path.glob("*.*")) == []


def test_a_download_that_is_sent_to_another_https_server_goes_on(site, tmp_path: Path):
    elsewhere, sha256 = site.publish("moved.qcow2", CONTENT)
    site.elsewhere["/disk.qcow2"] = elsewhere
    fetch(f"{site.url}/disk.qcow2", sha256, tmp_path / "disk.qcow2", nothing)
    assert (tmp_path / "disk.qcow2").read_bytes() == CONTENT


@pytest.mark.parametrize("measured", [True, False])
def test_a_download_larger_than_its_limit_is_refused_and_nothing_of_it_stays(
    site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, measured: bool
):
    monkeypatch.setenv("VPNPROOF_DOWNLOAD_MIB", "2")
    url, sha256 = site.publish("disk.qcow2", CONTENT)
    site.measured = measured
    steps: list[int] = []
    with pytest.raises(ImageError, match=r"more than 2 MiB \(VPNPROOF_DOWNLOAD_MIB\)") as wrong:
        fetch(url, sha256, tmp_path / "disk.qcow2", lambda here, _: steps.append(here))
    assert "VPNPROOF_DOWNLOAD_MIB" in wrong.value.hint
    assert max(steps, default=0) <= (0 if measured else 2 << 20)
    assert list(tmp_path.glob("*.*")) == []


def test_a_download_that_goes_on_is_no_larger_than_its_limit_either(
    site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("VPNPROOF_DOWNLOAD_MIB", "2")
    url, sha256 = site.publish("disk.qcow2", CONTENT)
    (tmp_path / f"{sha256}.part").write_bytes(CONTENT[: 3 << 19])
    with pytest.raises(ImageError, match="more than 2 MiB"):
        fetch(url, sha256, tmp_path / "disk.qcow2", nothing)
    assert list(tmp_path.glob("*.*")) == []


def test_a_download_as_large_as_its_limit_is_had(
    site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("VPNPROOF_DOWNLOAD_MIB", "3")
    url, sha256 = site.publish("disk.qcow2", CONTENT)
    fetch(url, sha256, tmp_path / "disk.qcow2", nothing)
    assert (tmp_path / "disk.qcow2").read_bytes() == CONTENT


def test_what_answers_is_reachable_and_a_closed_port_is_not(site):
    url, _ = site.publish("there", b"")
    assert reachable(url)
    site_of_nobody = "https://127.0.0.1:9/nothing"
    assert not reachable(site_of_nobody)


def test_what_is_only_reached_by_http_is_not_reachable(site, plain_site):
    url, _ = plain_site.publish("there", b"")
    site.elsewhere["/gone"] = url
    assert not reachable(f"{site.url}/gone")
    assert plain_site.asked == []
