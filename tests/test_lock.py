"""The locks name everything that pyproject.toml asks for, each with its hashes."""

from __future__ import annotations

import contextlib
import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = (
    "requirements.lock",
    "requirements-build.lock",
    "requirements-mutation.lock",
    "requirements-browser.lock",
    "requirements-workflows.lock",
)
WANTED = [
    *((LOCKS[0], line) for line in PROJECT["project"]["dependencies"]),
    *((LOCKS[0], line) for line in PROJECT["project"]["optional-dependencies"]["test"]),
    *((LOCKS[1], line) for line in PROJECT["dependency-groups"]["build"]),
    *((LOCKS[2], line) for line in PROJECT["dependency-groups"]["mutation"]),
    *((LOCKS[3], line) for line in PROJECT["dependency-groups"]["browser"]),
    *((LOCKS[4], line) for line in PROJECT["dependency-groups"]["workflows"]),
]


def entries(lock: str) -> list[str]:
    """Return each requirement of a lock as one line, without comments."""
    text = re.sub(r"(?m)^\s*#.*\n", "", (ROOT / lock).read_text())
    return text.replace("\\\n", " ").splitlines()


def locked(lock: str) -> dict[str, Requirement]:
    """Return what a lock names, by name."""
    found = [Requirement(line.partition(" --hash")[0]) for line in entries(lock)]
    return {canonicalize_name(each.name): each for each in found}


def needs(name: str) -> list[str]:
    """Return what a package needs by its own word; nothing where it is not installed."""
    with contextlib.suppress(PackageNotFoundError):
        return requires(name) or []
    return []


@pytest.mark.parametrize(("lock", "line"), WANTED)
def test_what_the_project_asks_for_is_locked_in_a_version_that_will_do(lock: str, line: str):
    wanted = Requirement(line)
    (pin,) = locked(lock)[canonicalize_name(wanted.name)].specifier
    assert pin.operator == "=="
    assert wanted.specifier.contains(pin.version)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_is_one_version_with_hashes(lock: str):
    for line in entries(lock):
        wanted, *hashes = line.split(" --hash=")
        assert re.fullmatch(r"[\w.-]+==[\w.]+", wanted.partition(";")[0].strip()), line
        assert hashes, line
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each.strip()) for each in hashes), line
    assert entries(lock)


def test_what_locked_packages_need_is_locked_too():
    names = locked("requirements.lock")
    for name in names:
        for line in needs(name):
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                assert canonicalize_name(needed.name) in names, f"{name} needs {line}"


def test_what_is_imported_beside_the_project_is_of_the_same_version():
    own, beside = locked("requirements.lock"), locked("requirements-browser.lock")
    both = own.keys() & beside.keys()
    assert both
    assert {name: beside[name].specifier for name in both} == {
        name: own[name].specifier for name in both
    }


def test_what_compiles_is_what_the_build_system_asks_for():
    assert PROJECT["dependency-groups"]["build"] == PROJECT["build-system"]["requires"]
