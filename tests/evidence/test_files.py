"""Files of evidence from anywhere: what is opened, what is refused, and in which words."""

import contextlib
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import Absent, BadEvidence
from evidence.files import inside, parse_json, read_table, read_whole, reading


def said(path: Path, most: int = 100) -> str:
    with pytest.raises(BadEvidence) as caught:
        read_whole(path, "history", most)
    assert str(path) in caught.value.message
    return caught.value.message


def test_a_regular_file_is_read_also_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    assert read_whole(tmp_path / "link", "history", 7) == b"content"


def test_what_is_no_file_is_neither_waited_for_nor_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert "it is a FIFO" in said(tmp_path / "fifo")
    assert "it is a directory" in said(tmp_path)
    assert "it is a device" in said(Path("/dev/zero"))
    (tmp_path / "tty").symlink_to("/dev/tty")
    assert "it is a device" in said(tmp_path / "tty")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "s"))
        assert "it is a socket" in said(tmp_path / "s")


def test_links_in_a_circle_and_names_that_cannot_be_are_refused(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("other")
    (tmp_path / "other").symlink_to("one")
    assert "symbolic links" in said(tmp_path / "one")
    assert "name too long" in said(tmp_path / ("x" * 300))
    assert "null" in said(tmp_path / "nul\0")
    assert "ot a directory" in said(Path("/dev/null/history.jsonl"))


def test_a_file_that_is_not_there_is_told_apart(tmp_path: Path) -> None:
    with (
        pytest.raises(Absent, match="no history can be read: No such file"),
        reading(tmp_path / "none", "history"),
    ):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch(mode=0)
    assert "Permission denied" in said(tmp_path / "file")


def test_no_more_than_the_limit_is_read_however_large_the_file(tmp_path: Path) -> None:
    (tmp_path / "sparse").touch()
    os.truncate(tmp_path / "sparse", 8 << 30)
    assert "no history has more than 100 octets" in said(tmp_path / "sparse")


def test_what_the_file_system_says_while_a_file_is_read_names_the_file() -> None:
    assert "Input/output error" in said(Path("/proc/self/mem"))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[" * 100_000,
        b'{"a":' * 5_000,
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":NaN}',
        b'{"a":[1e999]}',
        b'{"a":-1E999}',
        b'{"a":1' + b"0" * 400 + b".0}",
        b'{"a":' + b"9" * 1_000_000 + b"}",
        b'{"a":"\xff"}',
        b'{"a":"\\ud800"}',
        b'{"\\udc80":1}',
        b'{"a":1}}',
        b"\0" * 100,
        b"\xef\xbb\xbf{}",
        '{"a":1}'.encode("utf-16"),
        b"{'a':1}",
        b"[1]",
        b"null",
        b'"text"',
    ],
)
def test_what_is_no_table_of_json_is_one_kind_of_error(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "run.json").write_bytes(text)
    with pytest.raises(BadEvidence, match=r"run\.json: "):
        read_table(tmp_path / "run.json", "facts of a run")


def test_numbers_with_exponents_that_are_finite_are_numbers() -> None:
    assert parse_json(b'{"a":[1e3,2E-2,1.5e308]}') == {"a": [1000.0, 0.02, 1.5e308]}


@given(st.binary(max_size=200))
def test_whatever_the_octets_json_is_read_or_a_value_error(octets: bytes) -> None:
    with contextlib.suppress(ValueError):
        parse_json(octets)


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "wire/../../x", "a\0b", "/", ".."])
def test_evidence_names_files_of_its_own_run_only(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadEvidence, match="names no file of the run"):
        inside(tmp_path, name)


def test_a_file_below_the_run_may_be_named(tmp_path: Path) -> None:
    assert inside(tmp_path, "wire/guest.pcap") == tmp_path / "wire" / "guest.pcap"
