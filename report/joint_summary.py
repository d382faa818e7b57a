"""The first screen of a matrix's report: one sentence over all combinations, and what differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from checks.engine.verdict import Status, worst
from report.columns import Across, Column
from report.words import conjoined

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
    """Say in one sentence what became of a run of a matrix, and in another with what stand-in."""
    return _sentence(columns, rows, doubts) + _stand_ins(columns)


def _sentence(columns: Sequence[Column], rows: Sequence[Across], doubts: Sequence[str]) -> str:
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
    if any(cell.status is None for row in rows for cell in row.cells):
        said += ", each in the combinations that it was part of"
    return said + "; ".join(_buts(columns, doubts)) + "."


def _buts(columns: Sequence[Column], doubts: Sequence[str]) -> Iterator[str]:
    """Yield why it is no PASS although every requirement is."""
    failed = [one.title for one in columns if one.doubt]
    torn = [one.title for one in columns if one.status is not Status.PASS and not one.doubt]
    if torn or doubts:
        where = f" of {_list(torn)}" if torn else ""
        yield f", but the evidence{where} is not whole, or was altered"
    if failed:
        but = "" if torn or doubts else ", but "
        yield f"{but}pytest ended with status 1 in {_list(failed)}"


def joint_limits(columns: Sequence[Column], rows: Sequence[Across]) -> Iterator[str]:
    """Yield what the combinations could not have shown, each with those that it is of."""
    ran = [one for one in columns if one.summary is not None]
    of: dict[str, list[str]] = {}
    for one in ran:
        for limit in one.summary.limits if one.summary else ():
            of.setdefault(limit, []).append(one.title)
    for limit, titles in of.items():
        yield limit if len(titles) == len(ran) else f"In {_list(titles, ' / ')}: {limit}"
    absent: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        cells = zip(columns, row.cells, strict=True)
        if where := tuple(one.title for one, cell in cells if cell.status is None):
            absent.setdefault(where, []).append(row.id)
    for where, ids in absent.items():
        yield f"{_list(ids)} {'was' if len(ids) == 1 else 'were'} no part of {_list(where, ' / ')}."


def _stand_ins(columns: Sequence[Column]) -> str:
    """Say where a stand-in was tested; "" where there was none."""
    of: dict[tuple[str, ...], list[str]] = {}
    for one in columns:
        if one.stand_ins:
            of.setdefault(one.stand_ins, []).append(one.title)
    return "".join(
        f" In {_list(titles, ' / ')}, this project's stand-in (drop-in) was tested for the"
        f" {conjoined(guides)} guide{'s' * (len(guides) != 1)}, not the software that"
        f" {'it is' if len(guides) == 1 else 'they are'} about."
        for guides, titles in of.items()
    )


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
