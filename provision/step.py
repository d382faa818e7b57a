"""A step: one thing a guide tells a person to do on one machine, made of actions."""

from __future__ import annotations

import hashlib
import importlib
import inspect
from dataclasses import dataclass
from functools import cache

from lab.errors import VpnproofError
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
        try:
            guards = [action.guard(session.notes) for action in self.actions]
        except NoteMissing:  # what this step depends on is not known yet: it is to be gone through
            return False
        conditions = [guard for guard in guards if guard is not None]
        if conditions and not _all_hold(conditions, session):
            return False
        unasked = zip(self.actions, guards, strict=True)
        return all(action.applied(session) for action, guard in unasked if guard is None)

    def apply(self, session: Session) -> bool:
        """Do what is left to be done; say whether anything was.

        StepFailed names the machine, the step, the command and its output.
        """
        session.heading(f"{self.section}: {self.name}")
        try:
            return not self.is_applied(session) and self._go_through(session)
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
        for action in self.actions:
            if not action.applied(session):
                action.apply(session)
                changed |= action.changes
        return changed


def _all_hold(conditions: list[str], session: Session) -> bool:
    script = "\n".join(
        f"( {condition} ) >/dev/null 2>&1 </dev/null || exit 1" for condition in conditions
    )
    return session.run(script, check=False).status == 0


@cache
def _source(module: str) -> str:
    return inspect.getsource(importlib.import_module(module))
