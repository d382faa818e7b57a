"""What the command line says of hosts, and what a worker's says instead."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lab.hosts.file import names_hosts

_NOT_FOR_WORKERS = ("--lab", "--evidence", "--allow-missing-hosts", "--set-up-hosts")
_WITH_VALUE = ("--lab", "--evidence")


def add_options(group: pytest.OptionGroup) -> None:
    """Declare --allow-missing-hosts and --set-up-hosts."""
    group.addoption(
        "--allow-missing-hosts",
        action="store_true",
        help="over the hosts of a file: go on with the others when some are not fit",
    )
    group.addoption(
        "--set-up-hosts",
        action="store_true",
        help="over the hosts of a file: install the packages that lab/setup finds missing there",
    )


def hosts_file(config: pytest.Config) -> Path | None:
    """Return the hosts file that a run is asked to use; None for any other run."""
    chosen = str(config.getoption("lab"))
    if not chosen.endswith(".toml") or not names_hosts(Path(chosen)):
        return None
    return Path(chosen)


def arguments_for_workers(arguments: Sequence[str], at: Path, root: Path) -> list[str]:
    """Return what workers are asked, from the root of their checkout.

    arguments: what was asked in the directory `at`, of the checkout at `root`. pytest.UsageError
    for a path that no host has.
    """
    return [_there(one, at, root) for one in _without_ours(arguments)]


def _without_ours(arguments: Sequence[str]) -> Iterator[str]:
    left = iter(arguments)
    for one in left:
        if one.partition("=")[0] not in _NOT_FOR_WORKERS:
            yield one
        elif one in _WITH_VALUE:
            next(left, None)


def _there(argument: str, at: Path, root: Path) -> str:
    option, equals, value = argument.partition("=") if argument.startswith("--") else ("", "", "")
    path, colons, name = (value if equals else argument).partition("::")
    if argument.startswith("-") and not equals:
        return argument
    if not path or not os.path.lexists(at / path):
        return argument
    place = Path(os.path.normpath(at / path))
    if not place.is_relative_to(root):
        raise pytest.UsageError(f"{path}: is outside of {root}, so no host has it")
    return f"{option}{equals}{place.relative_to(root)}{colons}{name}"
