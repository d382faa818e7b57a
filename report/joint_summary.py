"""The first screen of a matrix's report: one sentence over all combinations, and what differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from checks.engine.verdict import Status, worst
from report.columns import Across, Column

_MOST = 8
_ONE_EACH = (
    *("Started", "Last event", "Evidence", "Seal", "Labs", "Command line"),
    *("Secrets", "Scenarios", "Repeated"),
)
"""Facts that are another in every run, and tell no combinations apart."""


@dataclass(frozen=True)
class Setting:
    """A fact of what was tested, in the order of the columns; `same`: in all that ran."""

    name: str
    values: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether it is the same in all of them."""
        return len(set(self.values) - {""}) == 1


def joint_status(columns: Sequence[Column], doubts: Sequence[str]) -> Status:
    """Return the worst verdict of all; what is wrong with the whole run is UNKNOWN at best."""
    return worst([one.status for one in columns] + [Status.UNKNOWN] * bool(doubts))


def joint_sentence(columns: Sequence[Column], rows: Sequence[Across], doubts: Sequence[str]) -> str:
    """Say in one sentence what became of a run of a matrix."""
    if not rows:
        return f"Nothing was judged in {_all(columns)}: this run shows nothing."
    if any(one.of_mutants for one in columns):
        return (
            f"Deployments were broken on purpose in {_all(columns)}: this is no sign-off, and what "
            "each found out stands in its own report."
        )
    failed = [row for row in rows if row.status is Status.FAIL]
    open_ = [row for row in rows if row.status is Status.UNKNOWN]
    of = f"{len(rows)} requirement{'s' * (len(rows) != 1)}"
    if failed:
        was = "was" if len(failed) == 1 else "were"
        named = _named(failed, columns, Status.FAIL)
        said = f"{len(failed)} of {of} {was} seen to be broken: {named}"
        also = [f"{len(open_)} could not be shown"] if open_ else []
        return _in(columns, "; ".join([said, *also, *_not_run(columns)]))
    if open_ or _not_run(columns):
        ran = [row for row in open_ if _where(row, columns, Status.UNKNOWN, only_run=True)]
        named = _named(ran, columns, Status.UNKNOWN, only_run=True)
        shown = [f"{len(ran)} of {of} could not be shown: {named}"] if ran else []
        whys = "; ".join([*shown, *_not_run(columns)])
        return _in(columns, f"nothing was seen to be broken, but {whys}")
    said = f"All {of} were shown to be kept in {_all(columns)}"
    torn = [one.title for one in columns if one.status is not Status.PASS]
    if torn or doubts:
        where = f" of {_list(torn)}" if torn else ""
        return f"{said}, but the evidence{where} is not whole, or was altered."
    return f"{said}."


def settings(columns: Sequence[Column]) -> Iterator[Setting]:
    """Yield what was tested, as each combination says it."""
    told = [
        {fact.name: fact.value for fact in one.summary.tested} if one.summary else {}
        for one in columns
    ]
    for name in dict.fromkeys(name for one in told for name in one if name not in _ONE_EACH):
        yield Setting(name, tuple(one.get(name, "") for one in told))


def _in(columns: Sequence[Column], said: str) -> str:
    return f"In {_all(columns)}, {said}."


def _all(columns: Sequence[Column]) -> str:
    keys = " and ".join(columns[0].combination.settings) or "settings"
    if len(columns) == 1:
        return f"1 combination of {keys}"
    return f"{len(columns)} combinations of {keys}"


def _not_run(columns: Sequence[Column]) -> list[str]:
    not_run = [one.title for one in columns if one.summary is None]
    cut = [one.title for one in columns if one.summary is not None and one.why]
    told = [f"{_list(not_run)} could not run"] if not_run else []
    return told + ([f"{_list(cut)} did not come to the end"] if cut else [])


def _named(
    rows: Sequence[Across], columns: Sequence[Column], status: Status, *, only_run: bool = False
) -> str:
    """Name requirements, each with the combinations in which it came to that."""
    told = []
    for row in rows:
        where = _where(row, columns, status, only_run=only_run)
        everywhere = len(where) == sum(cell.status is not None for cell in row.cells)
        told.append(f"{row.id} (in {'all' if everywhere else _list(where, ' / ')})")
    return _list(told)


def _where(row: Across, columns: Sequence[Column], status: Status, *, only_run: bool) -> list[str]:
    cells = zip(columns, row.cells, strict=True)
    return [
        one.title
        for one, cell in cells
        if cell.status is status and (one.summary is not None or not only_run)
    ]


def _list(told: Sequence[str], between: str = ", ") -> str:
    more = len(told) - _MOST
    return between.join(told[:_MOST]) + (f" and {more} more" if more > 0 else "")
