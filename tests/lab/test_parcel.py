"""Parcels: what was packed comes out, and nothing that was not announced."""

from __future__ import annotations

import io
import os
import tarfile
import zlib
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.parcel import opened, pack


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    found = {}
    for name, content in {
        "a/one": b"1" * 5000,
        "zeros": bytes(1 << 20) + b"end",
        "hole at the end": b"x" + bytes(9000),
        "empty": b"",
    }.items():
        path = tmp_path / "from" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        found[name] = path
    return found


def packed(files: dict[str, Path], head: str = "{}") -> bytes:
    to = io.BytesIO()
    pack(to, head, files)
    return to.getvalue()


def sizes(files: dict[str, Path]) -> dict[str, int]:
    return {name: path.stat().st_size for name, path in files.items()}


def test_files_come_out_as_they_went_in_and_zeros_as_holes(
    files: dict[str, Path], tmp_path: Path
) -> None:
    with opened(io.BytesIO(packed(files, "what it is"))) as parcel:
        assert parcel.head == b"what it is"
        found = parcel.write(sizes(files), tmp_path / "to")
    for name, path in files.items():
        content, there = path.read_bytes(), tmp_path / "to" / name
        assert there.read_bytes() == content
        assert there.stat().st_mode & 0o777 == 0o600
        assert (found[name].size, found[name].crc32) == (len(content), zlib.crc32(content))
    assert (tmp_path / "to" / "zeros").stat().st_blocks * 512 < 1 << 16


@pytest.mark.parametrize("part", [0.0, 0.2, 0.5, 0.9])
def test_a_parcel_that_is_cut_short_is_refused(
    files: dict[str, Path], tmp_path: Path, part: float
) -> None:
    (tmp_path / "from" / "a" / "one").write_bytes(os.urandom(100_000))
    whole = packed(files)
    with (
        pytest.raises(LabError),
        opened(io.BytesIO(whole[: int(len(whole) * part)])) as parcel,
    ):
        parcel.write(sizes(files), tmp_path / "to")


def test_what_was_not_announced_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    announced = sizes(files)
    for wrong in (
        {name: size for name, size in announced.items() if name != "empty"},
        {**announced, "empty": 1},
        {**announced, "more": 0},
    ):
        target = tmp_path / f"to-{len(wrong)}-{sum(wrong.values())}"
        with pytest.raises(LabError), opened(io.BytesIO(packed(files))) as parcel:
            parcel.write(wrong, target)


def test_links_and_repetitions_are_refused(tmp_path: Path) -> None:
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE):
        to = io.BytesIO()
        with tarfile.open(fileobj=to, mode="w|gz") as tar:
            head = tarfile.TarInfo("parcel.json")
            tar.addfile(head, io.BytesIO())
            link = tarfile.TarInfo("x")
            link.type, link.linkname = kind, "/etc/passwd"
            tar.addfile(link)
        to.seek(0)
        with pytest.raises(LabError, match="'x'"), opened(to) as parcel:
            parcel.write({"x": 0}, tmp_path)
    assert not list(tmp_path.iterdir())
