"""What a check owes, and what became of it: a PASS is constructed, never left over.

A check declares an obligation for each fault, client, service, item or span that its requirement
speaks of. An obligation begins open. Evidence that is named discharges it; a violation breaks it;
a doubt keeps it open, whatever else is said. All discharged is PASS, one broken is FAIL, one open
is UNKNOWN; and a check that owed nothing is UNKNOWN, because it has shown nothing.

    def the_service_is_back(evidence: Evidence, owed: Obligations) -> None:
        for service in services:
            one = owed.owe(f"{service} answers")
            for answer in answers_of(service):
                one.met(answer.place)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from checks.engine.verdict import Status, Verdict


@dataclass
class Obligation:
    """One thing that a check has to show; `what` says it as a promise that is kept."""

    what: str
    violations: list[str] = field(default_factory=list)
    overdue: list[str] = field(default_factory=list)
    """Those of the violations that are limits which were missed."""
    doubts: list[str] = field(default_factory=list)
    delays: list[str] = field(default_factory=list)
    evidence: list[str] = field(default_factory=list)
    shown: bool = False

    def met(self, *evidence: str) -> None:
        """Discharge it by evidence; raises ValueError when none is named."""
        if not evidence:
            raise ValueError(f"{self.what!r} cannot be met without evidence")
        self.evidence.extend(evidence)
        self.shown = True

    def broken(self, why: str, *evidence: str) -> None:
        """Break it: the evidence shows that the promise was not kept."""
        self.violations.append(why)
        self.evidence.extend(evidence)

    def missed(self, why: str, *evidence: str) -> None:
        """Break it: a limit was missed, and nothing that the host was seen to do explains that."""
        self.broken(why, *evidence)
        self.overdue.append(why)

    def doubt(self, why: str, *evidence: str) -> None:
        """Keep it open: what is there cannot show it either way."""
        self.doubts.append(why)
        self.evidence.extend(evidence)

    def late(self, why: str, *evidence: str) -> None:
        """Keep it open: a limit was missed, and the host's lateness can explain by how much."""
        self.delays.append(why)
        self.evidence.extend(evidence)

    def settle(self, holds: bool, otherwise: str, *evidence: str) -> bool:
        """Discharge it when `holds`, else break it with `otherwise`; return `holds`."""
        if holds:
            self.met(*evidence)
        else:
            self.broken(otherwise, *evidence)
        return holds

    @property
    def status(self) -> Status:
        """What became of it."""
        if self.violations:
            return Status.FAIL
        if self.doubts or self.delays or not self.shown:
            return Status.UNKNOWN
        return Status.PASS

    @property
    def reasons(self) -> list[str]:
        """Why it is broken, or open."""
        if self.violations:
            return self.violations
        if self.doubts or self.delays:
            return [*self.doubts, *self.delays]
        return [] if self.shown else [f"not shown: {self.what}"]


class Obligations:
    """All that one check owes for one requirement, and the figures that it has to tell."""

    def __init__(self) -> None:
        self._all: list[Obligation] = []
        self._figures: list[str] = []

    def owe(self, what: str) -> Obligation:
        """Take on an obligation, open as yet."""
        one = Obligation(what)
        self._all.append(one)
        return one

    def require(self, holds: bool, what: str, otherwise: str, *evidence: str) -> bool:
        """Take on an obligation that is decided on the spot; return `holds`."""
        return self.owe(what).settle(holds, otherwise, *evidence)

    def at_least(self, count: int, found: Collection[object], what: str, *evidence: str) -> bool:
        """Owe `count` of something: fewer keep it open. `what` is a plural noun phrase."""
        one = self.owe(f"at least {count} {what}: {len(found)}")
        if len(found) >= count > 0:
            one.met(*evidence)
            return True
        one.doubt(f"{len(found)} {what}, {count} are needed", *evidence)
        return False

    def each(self, wanted: Iterable[str], found: Collection[str], what: str) -> bool:
        """Owe that each of `wanted` is among `found`; what is not there keeps it open.

        `what` says what was to be done with each: "broken alone". It has to be discharged by
        obligations of its own as well: that it was tried is not yet that it went well.
        """
        missing = sorted(set(wanted) - set(found))
        if missing:
            self.open(f"not {what}: {', '.join(one or repr(one) for one in missing)}")
        return not missing

    def open(self, why: str, *evidence: str) -> None:
        """Owe something that cannot be shown, for this reason."""
        self.owe(why).doubt(why, *evidence)

    def tell(self, *figures: str) -> None:
        """Add figures for the verdict: what was measured, whatever the verdict will be."""
        self._figures.extend(figures)

    def __len__(self) -> int:
        return len(self._all)

    def forgive(self, reason: str) -> None:
        """Let limits that were missed show nothing: what the host did is not known, and why."""
        for one in self._all:
            for why in one.overdue:
                one.violations.remove(why)
                one.doubt(f"{why}; whether that was the host's doing is not known: {reason}")
            one.overdue = []

    def verdict(self) -> Verdict:
        """Make the verdict of what became of all of them."""
        if not self._all:
            return Verdict(Status.UNKNOWN, ("the check found nothing to judge",))
        statuses = [one.status for one in self._all]
        status = max(statuses, key=[Status.PASS, Status.UNKNOWN, Status.FAIL].index)
        leading = [one for one in self._all if one.status is status]
        reasons = [reason for one in leading for reason in one.reasons]
        if status is Status.PASS and not self._figures:
            reasons = [one.what for one in self._all]
        late = status is Status.UNKNOWN and all(one.delays and not one.doubts for one in leading)
        return Verdict(
            status,
            tuple(dict.fromkeys((*reasons, *self._figures))),
            tuple(dict.fromkeys(place for one in self._all for place in one.evidence)),
            owed=len(self._all),
            discharged=statuses.count(Status.PASS),
            late=late,
        )
