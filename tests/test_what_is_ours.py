"""Whatever removes or ends something is known by its place, and the documents say why it may.

A new place fails here: say there why it cannot hit a stranger, then name it in `what-is-ours.txt`.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

_HERE = Path(__file__)
PROJECT = _HERE.parents[1]
KNOWN = _HERE.with_name("what-is-ours.txt")
LOOKED_AT = ("bench", "checks", "evidence", "lab", "provision", "report", "scenarios")
ENDS = frozenset(
    ["rmtree", "unlink", "rmdir", "removedirs", "killpg", "send_signal", "pidfd_send_signal"]
)
"""Names by which something is removed or ended, whatever they are of; and `os.remove`."""
CALLED = frozenset({"kill", "terminate"})
"""The same, where they are called: they are names of fields, too."""
_ROW = re.compile(r"^\| (`[^|]*) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def places_in(name: str, text: str) -> Iterator[str]:
    """Yield "file function name" for each call in a program that removes or ends something."""

    def look(node: ast.AST, function: str) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from look(child, f"{function}.{child.name}" if function else child.name)
                continue
            if called := _ending(child):
                yield f"{name} {function or '-'} {called}"
            yield from look(child, function)

    yield from look(ast.parse(text), "")


def _ending(node: ast.AST) -> str:
    """Return the name by which a node removes or ends something, called or handed on."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr if node.func.attr in CALLED else ""
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        of = node.value.id if isinstance(node.value, ast.Name) else ""
        return node.attr if node.attr in ENDS or (of, node.attr) == ("os", "remove") else ""
    return node.id if isinstance(node, ast.Name) and node.id in ENDS else ""


def places() -> list[str]:
    """Return them all, and how often each is there."""
    files = [PROJECT / "conftest.py"]
    for directory in LOOKED_AT:
        files += (PROJECT / directory).rglob("*.py")
    found = Counter[str]()
    for path in files:
        found.update(places_in(str(path.relative_to(PROJECT)), path.read_text()))
    return sorted(f"{place} {number}" for place, number in found.items())


def reasons() -> dict[str, str]:
    """Return the reasons of docs/what-is-ours.md by the pattern of a file's name."""
    found: dict[str, str] = {}
    for where, _, why in _ROW.findall((PROJECT / "docs/what-is-ours.md").read_text()):
        directory = ""
        for name in re.findall(r"`([^`]+)`", where):
            directory = name.rpartition("/")[0] or directory  # "a/b.py", "c.py": in `a`, too
            found[f"{directory}/{name.rpartition('/')[2]}"] = why.strip()
    return found


def test_every_place_that_removes_or_ends_something_is_known():
    assert places() == KNOWN.read_text().splitlines()


def test_every_file_that_removes_or_ends_something_has_a_reason():
    known = reasons()
    assert all(known.values())
    files = {place.split()[0] for place in places()}
    assert [one for one in files if not any(fnmatchcase(one, each) for each in known)] == []


def test_a_new_place_is_seen_however_it_is_written():
    program = """
import os, shutil
from shutil import rmtree
def one(path):
    path.unlink()
    [each.rmdir() for each in path]
class Two:
    def three(self):
        self.process.kill()
        os.remove("x"), rmtree("y"), callback(shutil.rmtree, "z"), [].remove(1)
os.killpg(1, 2)
"""
    assert sorted(places_in("a.py", program)) == [
        "a.py - killpg",
        "a.py Two.three kill",
        "a.py Two.three remove",
        "a.py Two.three rmtree",
        "a.py Two.three rmtree",
        "a.py one rmdir",
        "a.py one unlink",
    ]
