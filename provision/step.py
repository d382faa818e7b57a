"""A step: one thing a guide tells a person to do on one machine, made of actions."""

from __future__ import annotations

import hashlib
import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from lab.errors import CommandFailed, VpnproofError
from provision.action import Action
from provision.erratum import Erratum
from provision.errors import NoteMissing, StepFailed
from provision.transcript import Session

#: Modules whose text decides what any step does.
_MECHANISM = (
    "provision.action",
    "provision.apache",
    "provision.files",
    "provision.php",
    "provision.php_config",
    "provision.step",
)


@dataclass(frozen=True)
class Step:
    """A named step of a section of a guide; `needs` are names of steps that come before."""

    name: str
    section: str
    machine: str
    changes: str
    """What is different afterwards, in a sentence."""
    actions: tuple[Action, ...]
    needs: tuple[str, ...] = ()
    errata: tuple[Erratum, ...] = ()
    module: str = ""
    """The module that made it: its text is part of `source_key`."""

    def describe(self) -> str:
        """Return every command and file change, as a dry run prints it."""
        lines = [f"[{self.machine}] {self.name}: {self.changes}"]
        lines += [f"  ! {erratum}" for erratum in self.errata]
        for action in self.actions:
            lines += [f"    {line}" for line in action.describe().splitlines()]
        return "\n".join(lines)

    def is_applied(self, session: Session) -> bool:
        """Say whether nothing is left to be done, asking the machine once where that will do."""
        return self._first_left(0, session) is None

    def apply(self, session: Session) -> bool:
        """Do what is left to be done; say whether anything was.

        StepFailed names the machine, the step, the command and its output.
        """
        session.heading(f"{self.section}: {self.name}")
        try:
            return self._go_through(session)
        except (VpnproofError, OSError) as error:
            text = error.message if isinstance(error, VpnproofError) else str(error)
            hint = getattr(error, "hint", "")
            where = f"all that was typed on {self.machine}: {session.transcript.path}"
            raise StepFailed(
                f"{self.machine}: step {self.name!r} ({self.section}) failed: "
                f"{session.notes.mask(text)}",
                hint=f"{hint}; {where}" if hint else where,
            ) from error

    def source_key(self) -> str:
        """Return a hash over all that decides what this step does: code, inputs and actions."""
        parts = [_source(module) for module in (*_MECHANISM, self.module) if module]
        parts += [self.name, self.machine, *(repr(action) for action in self.actions)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def _go_through(self, session: Session) -> bool:
        changed = False
        start = 0
        while (left := self._first_left(start, session)) is not None:
            self.actions[left].apply(session)
            changed |= self.actions[left].changes
            start = left + 1
        return changed

    def _first_left(self, start: int, session: Session) -> int | None:
        """Return the first action from `start` on that is left to be done."""
        conditions: dict[int, str] = {}
        for index in range(start, len(self.actions)):
            action = self.actions[index]
            try:
                guard = action.guard(session.notes)
            except (
                NoteMissing
            ):  # an action before this one will note it, or `apply` says what lacks
                return _first_false(conditions, session, otherwise=index)
            if guard is not None:
                conditions[index] = guard
                continue
            failed = _first_false(conditions, session)
            conditions = {}
            if failed is not None:
                return failed
            if not action.applied(session):
                return index
        return _first_false(conditions, session)


def _first_false(
    conditions: Mapping[int, str], session: Session, otherwise: int | None = None
) -> int | None:
    """Return the number of the first condition that does not hold, by one command."""
    if not conditions:
        return otherwise
    script = "\n".join(
        f"( {condition} ) >/dev/null 2>&1 </dev/null || {{ echo {number}; exit 1; }}"
        for number, condition in conditions.items()
    )
    result = session.run(script, check=False)
    if result.status == 0:
        return otherwise
    named = {str(number): number for number in conditions}
    if (word := result.stdout.strip()) not in named:
        said = result.stdout + result.stderr
        raise CommandFailed(session.name, script, result.status, session.notes.mask(said))
    return named[word]


@cache
def _source(module: str) -> str:
    return inspect.getsource(importlib.import_module(module))
