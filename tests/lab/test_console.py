"""Consoles are files that guests write without end: what is read and kept of one is its end."""

import os
import socket
from pathlib import Path

import pytest

from lab import console
from lab.console import Following, Trimming, ends_in_kernel, follow, keep, last_lines, tail
from lab.limits import Reached

MIB = 2**20


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    (tmp_path / "consoles").mkdir()
    return tmp_path


def write(lab: Path, machine: str, octets: bytes) -> Path:
    path = console.path_of(lab, machine)
    path.write_bytes(octets)
    return path


def test_of_a_console_of_8_gib_only_its_end_is_read(lab: Path) -> None:
    path = write(lab, "node-a", b"")
    os.truncate(path, 8 * 1024 * MIB)
    with path.open("ab") as file:
        file.write(b"first\r\nlast\r\n")
    assert tail(path, 11) == "rst\nlast\n"
    assert last_lines(path, 1) == "last"


def test_the_end_of_a_console_that_is_not_there_or_no_file_is_empty(lab: Path) -> None:
    pipe, link = lab / "pipe", lab / "link"
    os.mkfifo(pipe)
    link.symlink_to("/etc/passwd")
    for path in (lab / "none", pipe, link, lab):
        assert tail(path) == ""


def test_octets_that_are_no_text_do_not_keep_an_end_from_being_read(lab: Path) -> None:
    assert tail(write(lab, "node-a", "ü".encode() * 3), 5) == "\ufffdüü"


def test_a_console_that_reached_its_limit_is_cut_to_its_end_and_says_so(
    lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VPNPROOF_CONSOLE_MIB", "1")
    reached: list[Reached] = []
    path = write(lab, "node-a", b"x" * 2 * MIB + b"the end\n")
    with path.open("ab", buffering=0) as guest:  # as QEMU opens it
        Trimming(lab, reached).look()
        guest.write(b"and on\n")
    said = path.read_bytes()
    assert len(said) < 70_000
    assert said.startswith(b"[vpnproof: 2031624 octets before this were left out: 1 MiB")
    assert said.endswith(b"xthe end\nand on\n")
    (one,) = reached
    assert (one.limit, one.source) == ("VPNPROOF_CONSOLE_MIB", "node-a")


def test_one_that_goes_on_is_cut_again_and_told_of_once(
    lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VPNPROOF_CONSOLE_MIB", "1")
    reached: list[Reached] = []
    trimming = Trimming(lab, reached)
    for _ in range(3):
        write(lab, "node-a", b"x" * 2 * MIB)
        trimming.look()
        assert console.path_of(lab, "node-a").stat().st_size < MIB
    assert len(reached) == 1


def test_what_is_within_its_limit_or_no_console_is_left_alone(
    lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VPNPROOF_CONSOLE_MIB", "1")
    small, other = write(lab, "node-a", b"x" * MIB), lab / "consoles" / "node-a.agent"
    stranger = lab / "big"
    stranger.write_bytes(b"x" * 2 * MIB)
    other.write_bytes(b"x" * 2 * MIB)
    (lab / "consoles" / "link.log").symlink_to(stranger)
    reached: list[Reached] = []
    Trimming(lab, reached).look()
    assert (small.stat().st_size, other.stat().st_size) == (MIB, 2 * MIB)
    assert (stranger.stat().st_size, reached) == (2 * MIB, [])
    Trimming(lab / "none", reached).look()


def test_of_what_is_kept_with_the_evidence_the_end_is_kept(
    lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VPNPROOF_CONSOLE_MIB", "1")
    big, evidence = write(lab, "big", b""), lab / "evidence" / "consoles"
    os.truncate(big, 8 * 1024 * MIB)
    write(lab, "small", b"\x1b[31mas it was said\r\n")
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(lab / "consoles" / "small.agent"))
        keep(lab / "consoles", evidence)
    assert sorted(path.name for path in evidence.iterdir()) == ["big.log", "small.log"]
    assert (evidence / "small.log").read_bytes() == b"\x1b[31mas it was said\r\n"
    kept = (evidence / "big.log").read_bytes()
    assert len(kept) < MIB + 200
    assert kept.startswith(b"[vpnproof: 8588886016 octets before this were left out")


def test_who_follows_a_console_sees_what_comes_also_after_it_was_cut(lab: Path) -> None:
    path = write(lab, "node-a", b"before\n")
    following = Following(path, path.stat().st_size)
    assert following.more() == ""
    with path.open("ab") as file:
        file.write(b"gr\xc3")
    assert following.more() == "gr"
    with path.open("ab") as file:
        file.write(b"\xbc\xc3\x9fe\r")
    assert following.more() == "üße"
    with path.open("ab") as file:
        file.write(b"\nx")
    assert following.more() == "\nx"
    path.write_bytes(b"anew")
    assert following.more() == "anew"


def test_following_begins_with_the_last_lines(lab: Path) -> None:
    path = write(lab, "node-a", b"one\ntwo\nthree\n")
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if len(said) > 1:
            raise KeyboardInterrupt
        with path.open("ab") as file:
            file.write(b"four\n")

    with pytest.raises(KeyboardInterrupt):
        follow(path, say, lines=2)
    assert said == ["two\nthree\n", "four\n"]


SHUT_DOWN = "[  OK  ] Reached target poweroff.target.\n[ 1521.859276] reboot: Power down\n"
KERNEL = "[    0.052000] tsc: Unable to calibrate\n[    1.039039] No current clocksource.\n"


@pytest.mark.parametrize("said", [KERNEL, SHUT_DOWN + KERNEL, KERNEL + "\n"])
def test_a_boot_of_which_the_kernel_alone_said_something_ends_in_it(said: str) -> None:
    assert ends_in_kernel(said)


@pytest.mark.parametrize(
    "said",
    ["", SHUT_DOWN, KERNEL + "[  OK  ] Started ssh.service.\n", KERNEL + "login:", "kernel panic"],
)
def test_what_may_have_come_further_does_not(said: str) -> None:
    assert not ends_in_kernel(said)
