"""What is made once on many hosts: who waits, who makes it, and what becomes of who died."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.hosts.sharing.wishes import Wishes
from lab.made_once import ANSWERS, CAME, WISHES, Cached, made_once

THING = Cached("checkpoint", "ab12")
NAME = rf"checkpoint\.ab12\.{os.getpid()}-\d+"


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(WISHES, str(tmp_path))
    return tmp_path


@pytest.fixture
def listened(directory: Path) -> Iterator[Path]:
    """Let another process hold what tells workers that somebody listens."""
    program = (
        "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); "
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(directory / ANSWERS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield directory
        process.kill()


def test_any_other_run_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(WISHES, raising=False)
    with made_once(THING, lambda line: pytest.fail(line)):
        pass


def test_where_nobody_listens_it_is_made_here(directory: Path) -> None:
    said: list[str] = []
    with made_once(THING, said.append):
        (wish,) = directory.iterdir()
        assert re.fullmatch(NAME, wish.name)
    assert "nobody answers" in said[0]
    assert not list(directory.iterdir())


def test_who_wants_something_waits_for_the_answer(listened: Path) -> None:
    wishes, made = Wishes(listened), threading.Event()

    def want() -> None:
        with made_once(THING, lambda _: None):
            made.set()

    worker = threading.Thread(target=want)
    worker.start()
    while not (changes := list(wishes.changes())):
        pass
    (told,) = changes
    name = str(told["name"])
    assert re.fullmatch(NAME, name)
    assert told == {"name": name, "kind": "checkpoint", "key": "ab12", "wanted": True}
    assert not list(wishes.changes())
    assert not made.is_set()
    wishes.answer("checkpoint.other.1", CAME)
    wishes.answer(name, "nonsense")
    assert not made.is_set()
    wishes.answer(name, CAME)
    worker.join(30)
    assert made.is_set()
    assert list(wishes.changes()) == [{**told, "wanted": False}]
    assert [path.name for path in listened.iterdir()] == [ANSWERS]


def test_a_wish_right_after_another_is_seen_by_itself(listened: Path) -> None:
    wishes, made = Wishes(listened), threading.Semaphore(0)

    def want() -> None:
        for _ in range(2):
            with made_once(THING, lambda _: None):
                made.release()

    worker = threading.Thread(target=want)
    worker.start()
    names = set()
    for _ in range(2):
        while not (wanted := [one for one in wishes.changes() if one["wanted"]]):
            pass
        (told,) = wanted
        names.add(told["name"])
        wishes.answer(str(told["name"]), CAME)
        assert made.acquire(timeout=30)
    worker.join(30)
    assert len(names) == 2


def test_a_file_of_somebody_else_is_no_wish(listened: Path) -> None:
    (listened / "notes").write_text("")
    assert not list(Wishes(listened).changes())


def test_a_worker_that_was_killed_wants_nothing_any_more(listened: Path) -> None:
    program = (
        "from lab.made_once import *; import sys\n"
        "with made_once(Cached('image', '12'), print): print('made', flush=True)"
    )
    wishes = Wishes(listened)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        while not (changes := list(wishes.changes())):
            pass
        process.kill()
    (told,) = changes
    assert list(wishes.changes()) == [{**told, "wanted": False}]


@pytest.mark.parametrize("name", ["x", "image.1", "image.1.2.3", "other.ab.1", "image./.1"])
def test_other_names_are_none_of_ours(name: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Cached.named(name)
