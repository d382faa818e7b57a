"""Evidence comes home piece by piece, each file checked by its hash; nothing else is touched."""

from __future__ import annotations

import hashlib
import io
import json
import shlex
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from checks.engine.coming_home import take_home
from checks.engine.integrity import integrity
from evidence.arrivals import manifest, wrong_with
from lab.errors import HostLost, LabError
from lab.hosts.evidence import Arrived, Coming
from lab.hosts.sending import PIECE, Sender
from tests.checks.engine.hosts import arrived, at_home, come_home, joined, lost, written_on
from tests.checks.engine.recorded import SCENARIO, attempt, own_checks

__all__ = ["own_checks"]

SENDS = shlex.join([sys.executable, "-m", "lab.hosts.sending"])


def here(name: str = "one") -> Any:
    """Stand in for the connection to a host: commands run here."""

    def start(line: str) -> subprocess.Popen[bytes]:
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen(["sh", "-c", line], **pipes)

    return SimpleNamespace(host=SimpleNamespace(name=name), start=start)


@pytest.fixture
def there(tmp_path: Path) -> Path:
    (tmp_path / "there" / "wire").mkdir(parents=True)
    return tmp_path / "there"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def coming(there: Path, home: Path) -> Iterator[Coming]:
    one = Coming(here(), f"{SENDS} {there}", home)
    yield one
    one.close()


def test_what_is_new_comes_and_nothing_comes_twice(there: Path, home: Path, coming: Coming) -> None:
    (there / "run.json").write_text("{}")
    (there / "history.jsonl").write_text("1\n")
    (there / "wire" / "a.pcapng").write_bytes(b"a" * 10)
    assert sorted(coming.bring().files) == ["history.jsonl", "run.json", "wire/a.pcapng"]
    assert coming.bring() == Arrived({}, ())
    with (there / "wire" / "a.pcapng").open("ab") as grows:
        grows.write(b"b" * 5)
    came = coming.bring()
    assert (home / "wire" / "a.pcapng").read_bytes() == b"a" * 10 + b"b" * 5
    assert (list(came.files), came.files["wire/a.pcapng"].size) == (["wire/a.pcapng"], 15)
    assert wrong_with(home, manifest(there)) == []


def test_a_large_file_comes_in_pieces(there: Path, home: Path, coming: Coming) -> None:
    content = bytes(range(256)) * (PIECE // 128)
    (there / "large").write_bytes(content + b"end")
    came = coming.bring()
    assert (home / "large").read_bytes() == content + b"end"
    assert came.files["large"].sha256 == hashlib.sha256(content + b"end").hexdigest()


def test_a_history_comes_up_to_its_last_whole_line(there: Path, home: Path, coming: Coming) -> None:
    (there / "history.jsonl").write_text("1\n2\nto")
    coming.bring()
    assert (home / "history.jsonl").read_text() == "1\n2\n"
    (there / "history.jsonl").write_text("1\n2\ntorn\n")
    coming.bring()
    assert (home / "history.jsonl").read_text() == "1\n2\ntorn\n"


def test_a_file_that_is_written_anew_replaces_the_one_before(
    there: Path, home: Path, coming: Coming
) -> None:
    (there / "verdicts.json").write_text("long before")
    coming.bring()
    (there / "new").write_text("short")
    (there / "new").replace(there / "verdicts.json")
    coming.bring()
    assert (home / "verdicts.json").read_text() == "short"


def test_what_was_removed_is_removed(there: Path, home: Path, coming: Coming) -> None:
    (there / "wire" / "ahead.pcapng").write_bytes(b"nothing")
    coming.bring()
    (there / "wire" / "ahead.pcapng").unlink()
    assert coming.bring() == Arrived({}, (), ("wire/ahead.pcapng",))
    assert not (home / "wire" / "ahead.pcapng").exists()


def test_what_came_before_its_host_was_lost_is_known(tmp_path: Path, home: Path) -> None:
    packed = zlib.compress(b"x")
    digest = hashlib.sha256(b"x").hexdigest()
    told = {"name": "run.json", "offset": 0, "packed": len(packed), "size": 1, "sha256": digest}
    coming = Coming(here(), says(tmp_path, (told, packed)), home)
    with pytest.raises(LabError, match="its evidence does not come"):
        coming.bring()
    coming.close()
    assert list(coming.came.files) == ["run.json"]


def test_secrets_come_for_their_owner_alone_and_are_named_nowhere(
    there: Path, home: Path, coming: Coming
) -> None:
    (there / "secrets.json").write_text("{}")
    (there / ".run.json.lock").touch()
    assert coming.bring().files == {}
    assert (home / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in home.iterdir()] == ["secrets.json"]


def test_a_file_that_was_changed_at_home_meanwhile_is_no_matter_of_sending(there: Path) -> None:
    out = io.BytesIO()
    (there / "run.json").write_text("{}")
    Sender(there).send(out)
    first = json.loads(out.getvalue().splitlines()[0])
    assert first["sha256"] == hashlib.sha256(b"{}").hexdigest()


def says(tmp_path: Path, *answers: tuple[dict[str, object], bytes]) -> str:
    """Play a host that answers whatever it likes."""
    lines = b"".join(json.dumps(told).encode() + b"\n" + octets for told, octets in answers)
    (tmp_path / "answer").write_bytes(lines)
    return f"read line; cat {tmp_path / 'answer'}"


HALF = zlib.compress(b"{ half of it")
FIRST_PIECE: tuple[dict[str, object], bytes] = (
    {"name": "verdicts.json", "offset": 0, "packed": len(HALF)},
    HALF,
)


def test_a_file_is_as_it_was_until_the_one_that_replaces_it_came_whole(
    tmp_path: Path, home: Path
) -> None:
    (home / "verdicts.json").write_text("whole")
    coming = Coming(here(), says(tmp_path, FIRST_PIECE), home)
    with pytest.raises(HostLost):
        coming.bring()
    coming.close()
    assert {path.name: path.read_text() for path in home.iterdir()} == {"verdicts.json": "whole"}


@pytest.mark.usefixtures("own_checks")
def test_a_host_that_is_lost_as_it_sends_its_verdicts_does_not_damage_the_run(
    tmp_path: Path, home: Path
) -> None:
    at_home(home, joined("one"))
    part = written_on(home, "one")
    attempt(part, "good")
    at_home(home, arrived(home, "one", SCENARIO))
    take_home(home, "one")
    coming = Coming(here(), says(tmp_path, FIRST_PIECE), part)
    with pytest.raises(HostLost):
        coming.bring()
    coming.close()
    at_home(home, lost("one"))
    come_home(home)
    assert integrity(home).damaged == ()


@pytest.mark.parametrize("name", ["../out", "/etc/out", "a/../../out", "link/out", ""])
def test_a_host_cannot_write_outside_of_its_part(tmp_path: Path, home: Path, name: str) -> None:
    (home / "link").symlink_to(tmp_path)
    packed = zlib.compress(b"x")
    told = {"name": name, "offset": 0, "packed": len(packed), "size": 1, "sha256": "0" * 64}
    coming = Coming(here(), says(tmp_path, (told, packed)), home)
    with pytest.raises(LabError, match=r"is no name of a file of evidence|leads out of"):
        coming.bring()
    coming.close()
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_not_what_its_host_read_is_named(tmp_path: Path, home: Path) -> None:
    packed = zlib.compress(b"x")
    told = {"name": "a", "offset": 0, "packed": len(packed), "size": 1, "sha256": "0" * 64}
    coming = Coming(here(), says(tmp_path, (told, packed), ({"gone": []}, b"")), home)
    assert coming.bring().wrong == ("a: is not what its host read",)
    coming.close()


@pytest.mark.parametrize(
    "answer",
    [
        ({"name": "a", "offset": 0, "packed": 2**40}, b""),
        ({"name": "a", "offset": 0, "packed": 9}, b"cut"),
        ({"name": "a", "offset": 7, "packed": 9}, b"no pieces"),
        ({"name": "a", "offset": 0, "packed": len(zlib.compress(b"0" * 2**25))},
         zlib.compress(b"0" * 2**25)),
        ({"gone": None}, b""),
        ({}, b""),
    ],
)  # fmt: skip
def test_nonsense_is_a_lost_host(
    tmp_path: Path, home: Path, answer: tuple[dict[str, object], bytes]
) -> None:
    coming = Coming(here(), says(tmp_path, answer), home)
    with pytest.raises(HostLost, match="its evidence does not come"):
        coming.bring()
    coming.close()
