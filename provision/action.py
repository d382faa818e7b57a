"""Actions: the single things a guide tells a person to do, as values.

An action describes itself in full without a machine, knows whether there is anything left to do,
and does it. Whether it is done already is, where it can be, a shell condition (`guard`), so that a
whole step asks its machine once. What an action changes on files has a room of its own
(`files`, `apache`, `php_config`).
"""

from __future__ import annotations

import shlex
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from provision.notes import Notes
from provision.platform import Platform
from provision.transcript import Session

#: Where a machine remembers what was done to it that leaves no trace to look for.
STAMPS = "/var/lib/vpnproof"


class Action(ABC):
    """One thing to do on one machine; safe to do twice."""

    changes: ClassVar[bool] = True
    """Whether doing it changes the machine."""

    @abstractmethod
    def describe(self) -> str:
        """Return every command and file change as text, with notes as placeholders."""

    def guard(self, notes: Notes) -> str | None:  # noqa: ARG002 - part of the interface
        """Return a shell condition that holds when nothing is to be done; None: ask `applied`."""
        return None

    def applied(self, session: Session) -> bool:
        """Say whether nothing is left to be done."""
        guard = self.guard(session.notes)
        return guard is not None and session.run(guard, check=False).status == 0

    @abstractmethod
    def apply(self, session: Session) -> None:
        """Do it; CommandFailed, with the output, when it cannot be done."""


def _stamp(name: str) -> str:
    return shlex.quote(f"{STAMPS}/{name}")


def _not_newer(stamp: str, paths: tuple[str, ...]) -> str:
    """Return the condition that `stamp` exists and no file of `paths` changed since."""
    conditions = [f"[ -e {stamp} ]"]
    if paths:
        quoted = " ".join(shlex.quote(path) for path in paths)
        conditions.append(f'[ -z "$(find {quoted} -newer {stamp} 2>/dev/null)" ]')
    return " && ".join(conditions)


def _typed(text: str) -> str:
    return "\n".join(f"$ {line}" for line in text.splitlines())


@dataclass(frozen=True)
class Command(Action):
    """A command as the guide types it.

    It is left out when `unless` (a shell condition) holds, when the file `creates` exists, or
    when it ran before (`once` names it) and none of the files `after` changed since. With none
    of these it runs each time. `timeout` is in seconds. `hides` says what its output must not
    show in the transcript.
    """

    text: str
    unless: str = ""
    creates: str = ""
    once: str = ""
    after: tuple[str, ...] = ()
    stdin: str | None = None
    timeout: float = 300
    hides: str = ""

    def describe(self) -> str:
        """Return the command, what is typed into it, and when it is left out."""
        lines = [_typed(self._script())]
        if self.stdin is not None:
            lines += [f"< {line}" for line in self.stdin.splitlines()]
        if guard := self._condition():
            lines.append(f"  (not when: {guard})")
        return "\n".join(lines)

    def guard(self, notes: Notes) -> str | None:
        """Return the condition under which it is left out."""
        return notes.fill(self._condition()) or None

    def apply(self, session: Session) -> None:
        """Run it."""
        stdin = None if self.stdin is None else session.notes.fill(self.stdin)
        script = session.notes.fill(self._script())
        session.run(script, stdin=stdin, timeout=self.timeout, hides=self.hides)

    def _condition(self) -> str:
        parts = [self.unless] if self.unless else []
        if self.creates:
            parts.append(f"[ -e {shlex.quote(self.creates)} ]")
        if self.once:
            parts.append(_not_newer(_stamp(self.once), self.after))
        return " && ".join(parts)

    def _script(self) -> str:
        lines = [self.text]
        if self.once:
            lines.append(f"mkdir -p {STAMPS} && touch {_stamp(self.once)}")
        body = "\n".join(lines)
        return f"set -e\n{body}" if "\n" in body else body


@dataclass(frozen=True)
class Check(Action):
    """A command that changes nothing and must succeed: the guide's "make sure that"."""

    changes: ClassVar[bool] = False

    text: str
    timeout: float = 60

    def describe(self) -> str:
        """Return the command."""
        return f"{_typed(self.text)}\n  (changes nothing; must succeed)"

    def guard(self, notes: Notes) -> str | None:
        """Return the command itself: when it succeeds, nothing is left to be done."""
        return notes.fill(self.text)

    def apply(self, session: Session) -> None:
        """Run it where its output is seen."""
        session.run(session.notes.fill(self.text), timeout=self.timeout)


@dataclass(frozen=True)
class Remember(Action):
    """Note what a command prints, byte for byte, for later steps."""

    changes: ClassVar[bool] = False

    name: str
    command: str
    secret: bool = True

    def describe(self) -> str:
        """Return the command and the note's name."""
        kind = "secret, never shown" if self.secret else "not secret"
        return f"{_typed(self.command)}\n  (noted as {self.name!r}; {kind})"

    def applied(self, session: Session) -> bool:
        """Say whether this run has the note; reading it again changes nothing."""
        return self.name in session.notes

    def apply(self, session: Session) -> None:
        """Run the command and note its output."""
        hides = f"noted as {self.name!r}" if self.secret else ""
        value = session.run(self.command, hides=hides).stdout
        session.notes.keep(self.name, value, secret=self.secret)


@dataclass(frozen=True)
class Packages(Action):
    """Packages that must be installed."""

    platform: Platform
    names: tuple[str, ...]

    def describe(self) -> str:
        """Return the installing command."""
        return f"{_typed(self._install())}\n  (not when: {self._installed()})"

    def guard(self, notes: Notes) -> str | None:  # noqa: ARG002 - names hold no notes
        """Return the package system's own question."""
        return self._installed()

    def apply(self, session: Session) -> None:
        """Install what is missing."""
        session.run(self._install(), timeout=900)

    def _installed(self) -> str:
        return f"{self.platform.installed} {shlex.join(self.names)} >/dev/null 2>&1"

    def _install(self) -> str:
        return f"{self.platform.install} {shlex.join(self.names)}"


@dataclass(frozen=True)
class Service(Action):
    """A service that is enabled and runs, restarted when a file of `after` changed since."""

    name: str
    after: tuple[str, ...] = ()

    def describe(self) -> str:
        """Return the commands."""
        return f"{_typed(self._script())}\n  (not when: {self._condition()})"

    def guard(self, notes: Notes) -> str | None:  # noqa: ARG002 - a unit's name holds no notes
        """Return the condition: enabled, active, and younger than its files."""
        return self._condition()

    def apply(self, session: Session) -> None:
        """Enable and restart it; when it fails, its last log lines are part of the error."""
        name = shlex.quote(self.name)
        session.run(
            f"{self._script()} || {{ systemctl status --no-pager -l {name}; exit 1; }}",
        )

    def _script(self) -> str:
        name = shlex.quote(self.name)
        script = f"systemctl enable -q {name} && systemctl restart {name}"
        if self.after:
            script += f" && mkdir -p {STAMPS} && touch {self._stamp()}"
        return script

    def _condition(self) -> str:
        name = shlex.quote(self.name)
        condition = f"systemctl is-enabled -q {name} && systemctl is-active -q {name}"
        return (
            f"{condition} && {_not_newer(self._stamp(), self.after)}" if self.after else condition
        )

    def _stamp(self) -> str:
        return _stamp(f"restarted-{self.name}")
