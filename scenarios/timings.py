"""How long the scenarios of a run took, and what that time went into: `timings.json`.

A row for each scenario, from the beginning of its set-up to the end of its tear-down; the first
that needs a lab pays for it. Of the wall time each instant belongs to one figure (the `own_s` of
`lab.timing`), so that they add up; `parts` has all of what was recorded of each kind.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from rich.box import SIMPLE_HEAD
from rich.table import Table

from lab.cache import replacing
from lab.timing import Account, Kind, Share

FILE_NAME = "timings.json"

_COLUMNS = {
    "waiting": ("protocol_wait_s", Kind.WAIT),
    "commands": ("commands_s", Kind.COMMAND),
    "thaws": ("thaws_s", Kind.THAW),
    "log-ins": ("logins_s", Kind.LOGIN),
    "judging": ("judging_s", Kind.JUDGE),
    "power": ("power_s", Kind.POWER),
    "provision": ("provision_s", Kind.PROVISION),
}


@dataclass(frozen=True)
class Phase:
    """A set-up, a call or a tear-down: when it ended (ns since 1970), how, what it took."""

    name: str
    outcome: str
    ended_ns: int
    account: Account

    def as_json(self) -> str:
        """Return it as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return what `as_json` was made of."""
        told = json.loads(text)
        return cls(told["name"], told["outcome"], told["ended_ns"], _account(told["account"]))


@dataclass(frozen=True)
class Timing:
    """What became of the time of one scenario."""

    scenario: str
    worker: str
    phases: tuple[Phase, ...]

    @property
    def account(self) -> Account:
        """All phases together."""
        return sum((phase.account for phase in self.phases), Account())

    @property
    def outcome(self) -> str:
        """How it ended: as the first phase that did not pass, or "passed"."""
        others = (phase.outcome for phase in self.phases if phase.outcome != "passed")
        return next(others, "passed")

    @property
    def ended_ns(self) -> int:
        """When it ended, in ns since 1970."""
        return self.phases[-1].ended_ns

    @property
    def began_ns(self) -> int:
        """When it began, in ns since 1970."""
        return self.ended_ns - round(self.account.seconds * 1e9)

    def row(self) -> dict[str, Any]:
        """Return it as a row of `timings.json`."""
        seconds = {phase.name: round(phase.account.seconds, 3) for phase in self.phases}
        return {
            "scenario": self.scenario,
            "worker": self.worker,
            "outcome": self.outcome,
            "began_ns": self.began_ns,
            "ended_ns": self.ended_ns,
            "phases_s": seconds,
            **figures(self.account),
        }


def figures(account: Account) -> dict[str, Any]:
    """Return an account as figures by name: seconds, how many commands, and the parts in full."""
    commands = account.shares[Kind.COMMAND]
    return {
        "wall_s": round(account.seconds, 3),
        **{name: round(account.shares[kind].own_s, 3) for name, kind in _COLUMNS.values()},
        "other_s": round(account.other_s, 3),
        "commands": commands.count,
        "commands_sum_s": round(commands.sum_s, 3),
        "parts": {
            kind.value: {name: round(value, 3) for name, value in asdict(share).items()}
            for kind, share in account.shares.items()
        },
    }


def account_of(row: Mapping[str, Any]) -> Account:
    """Return the account that a row's figures were made of."""
    return _account({"seconds": row["wall_s"], "other_s": row["other_s"], "shares": row["parts"]})


def write(timings: Iterable[Timing], directory: Path) -> None:
    """Write `timings.json` whole, in the order of time."""
    ordered = sorted(timings, key=lambda one: one.began_ns)
    with replacing(directory / FILE_NAME) as fresh:
        fresh.write_text(json.dumps([one.row() for one in ordered], indent=1) + "\n")


def read(directory: Path) -> list[dict[str, Any]]:
    """Return the rows of a run's `timings.json`; none when there is no such file."""
    try:
        rows: list[dict[str, Any]] = json.loads((directory / FILE_NAME).read_text())
    except FileNotFoundError:
        return []
    return rows


def table(rows: Sequence[tuple[str, Account]], total: Account, title: str) -> Table:
    """Return a table of seconds, a line for each row and one for all there is."""
    shown = Table(
        title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1)
    )
    shown.add_column("scenario", overflow="fold", ratio=1)
    for heading in ("wall", *_COLUMNS, "other", "number", "their sum"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for name, account in rows:
        shown.add_row(name, *_cells(account))
    shown.add_section()
    shown.add_row("all", *_cells(total))
    return shown


def short(nodeid: str) -> str:
    """Return a scenario's own name."""
    return nodeid.rpartition("::")[2].removeprefix("test_")


def _cells(account: Account) -> list[str]:
    """Return the cells of a line; the last two: how many commands ran, and their seconds added."""
    commands = account.shares[Kind.COMMAND]
    own = [account.shares[kind].own_s for _, kind in _COLUMNS.values()]
    seconds = [account.seconds, *own, account.other_s]
    return [*(f"{value:.1f}" for value in seconds), str(commands.count), f"{commands.sum_s:.1f}"]


def _account(told: Mapping[str, Any]) -> Account:
    shares = {kind: Share(**told["shares"][kind.value]) for kind in Kind}
    return Account(told["seconds"], told["other_s"], shares)
