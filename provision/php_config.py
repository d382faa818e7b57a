"""Configuration files in PHP: read by PHP on their machine, changed as data, written whole.

A changed file passes `php -l` before it takes the old one's place. Comments are lost, as they
are when the deployment's own tools rewrite such a file.
"""

from __future__ import annotations

import copy
import json
import shlex
from dataclasses import dataclass
from typing import Protocol

from provision.action import Action
from provision.errors import UnexpectedContent
from provision.php import Value, config_file, export
from provision.transcript import Session

Config = dict[str, Value]

#: Prints the array that a file returns as JSON; status 3 when it holds more than data.
_READER = (
    "$c = require $argv[1]; "
    "array_walk_recursive($c, function ($v) { if (is_object($v)) { exit(3); } }); "
    "$p = defined('JSON_PRESERVE_ZERO_FRACTION') ? JSON_PRESERVE_ZERO_FRACTION : 0; "
    "$j = json_encode($c, $p); if ($j === false) { exit(3); } echo $j;"
)


class Edit(Protocol):
    """One change of a configuration, as a value."""

    def describe(self) -> str:
        """Return it in words of the file."""

    def make(self, config: Config) -> None:
        """Change `config` in place; leave it alone when it is so already."""


@dataclass(frozen=True)
class Set:
    """The key at `path` has `value`.

    `later` are values that later sections of the guide give the same key: found, they stay.
    """

    path: tuple[str, ...]
    value: Value
    later: tuple[Value, ...] = ()

    def describe(self) -> str:
        """Return path and value."""
        stay = "".join(f" (or stays {export(value)})" for value in self.later)
        return f"{_arrow(self.path)} => {export(self.value, 4).lstrip()}{stay}"

    def make(self, config: Config) -> None:
        """Set the key."""
        section = _section(config, self.path[:-1])
        if section.get(self.path[-1]) not in self.later:
            section[self.path[-1]] = copy.deepcopy(self.value)


@dataclass(frozen=True)
class Rename:
    """The section `old` of the section at `path` is called `new`, in its old place."""

    path: tuple[str, ...]
    old: str
    new: str

    def describe(self) -> str:
        """Return both names."""
        return f"{_arrow(self.path)}: rename {self.old!r} to {self.new!r}"

    def make(self, config: Config) -> None:
        """Rename it; UnexpectedContent when neither name is there."""
        section = _section(config, self.path)
        if self.new in section:
            return
        if self.old not in section:
            raise UnexpectedContent(f"{_arrow(self.path)} has no {self.old!r}: {list(section)}")
        renamed = {self.new if key == self.old else key: item for key, item in section.items()}
        section.clear()
        section.update(renamed)


@dataclass(frozen=True)
class Copy:
    """The section at `path` has `new`, at first a copy of its section `source`."""

    path: tuple[str, ...]
    source: str
    new: str

    def describe(self) -> str:
        """Return both names."""
        return f"{_arrow(self.path)}: copy {self.source!r} as {self.new!r}"

    def make(self, config: Config) -> None:
        """Copy it unless the copy is there."""
        section = _section(config, self.path)
        if self.new not in section:
            section[self.new] = copy.deepcopy(_section(config, (*self.path, self.source)))


@dataclass(frozen=True)
class Append:
    """The list at `path` has an item equal to `item`."""

    path: tuple[str, ...]
    item: Value

    def describe(self) -> str:
        """Return path and item."""
        return f"{_arrow(self.path)}[] = {export(self.item, 4).lstrip()}"

    def make(self, config: Config) -> None:
        """Append it unless it is there."""
        section = _section(config, self.path[:-1])
        items = section.setdefault(self.path[-1], [])
        if not isinstance(items, list):
            raise UnexpectedContent(f"{_arrow(self.path)} is no list: {items!r}")
        if self.item not in items:
            items.append(copy.deepcopy(self.item))


@dataclass(frozen=True)
class PhpConfig(Action):
    """A PHP configuration file in which each of `edits` is made."""

    path: str
    edits: tuple[Edit, ...]

    def describe(self) -> str:
        """Return how it is read, each edit, and how the result takes the file's place."""
        return "\n".join(
            [
                f"$ {self._read_command()}",
                f"> {self._fresh} (the same with these changes, written whole)",
                *(f"  | {line}" for edit in self.edits for line in edit.describe().splitlines()),
                f"$ {self._replace_command()}",
            ]
        )

    def applied(self, session: Session) -> bool:
        """Say whether every edit is made already."""
        config = self._read(session)
        return _same(self._edited(config), config)

    def apply(self, session: Session) -> None:
        """Write the changed file; the old one stays when PHP does not accept the new one."""
        text = config_file(self._edited(self._read(session)))
        edits = "\n".join(edit.describe() for edit in self.edits)
        session.put(text, self._fresh, mode=0o600, hides=f"it holds secrets; changed:\n{edits}")
        session.run(self._replace_command())

    def _read(self, session: Session) -> Config:
        said = session.run(self._read_command(), hides="a configuration with secrets").stdout
        try:
            config = json.loads(said)
        except (ValueError, RecursionError):
            config = None
        if config == []:  # PHP knows only one empty array
            config = {}
        if not isinstance(config, dict):
            raise UnexpectedContent(
                f"{session.name}:{self.path} does not return an array with names",
                hint=f"look at it with: php -l {self.path}",
            )
        return config

    def _edited(self, config: Config) -> Config:
        changed = copy.deepcopy(config)
        for edit in self.edits:
            edit.make(changed)
        return changed

    @property
    def _fresh(self) -> str:
        return f"{self.path}.new"

    def _read_command(self) -> str:
        return f"php -r {shlex.quote(_READER)} -- {shlex.quote(self.path)}"

    def _replace_command(self) -> str:
        old, new = shlex.quote(self.path), shlex.quote(self._fresh)
        return (
            f"php -l {new} && chown --reference={old} {new} && chmod --reference={old} {new} && "
            f"mv -f {new} {old} || {{ rm -f {new}; exit 1; }}"
        )


def _section(config: Config, path: tuple[str, ...]) -> Config:
    """Return the section at `path`; UnexpectedContent says where it ends."""
    section = config
    for depth, key in enumerate(path):
        found = section.get(key)
        if not isinstance(found, dict):
            raise UnexpectedContent(
                f"there is no section {_arrow(path[: depth + 1])}: {key!r} among {list(section)}"
            )
        section = found
    return section


def _same(left: Config, right: Config) -> bool:
    """Compare with order: a renamed section keeps its place, and JSON keeps types apart."""
    return json.dumps(left) == json.dumps(right)


def _arrow(path: tuple[str, ...]) -> str:
    return " > ".join(map(repr, path)) or "the file"
