"""The figures of takeovers, flat and by name, and the table that shows them.

Seconds, rounded to milliseconds. It reads `Series` and knows nothing of recordings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.takeover_series import Series
from checks.failover.stages import Stage
from checks.protocols.budgets import Budget
from checks.protocols.spread import Spread, spread

_TAKEN = ("min_s", "median_s", "p95_s", "max_s")
_LIMITS = ("budget_min_s", "budget_max_s")


def figures(series: Iterable[Series]) -> dict[str, object]:
    """Return every figure of every fault; what was not seen is None."""
    found: dict[str, object] = {}
    for one in series:
        fault = _key(one.fault)
        found |= {
            f"{fault}_wanted": one.wanted,
            f"{fault}_provoked": one.provoked,
            f"{fault}_takeovers": one.takeovers,
            f"{fault}_note": "; ".join(one.notes) or None,
        }
        for stage in Stage:
            seconds = spread(one.seconds.get(stage, ()))
            measured = _spread(seconds) | _limits(one.limits.get(stage))
            found |= {f"{fault}_{stage.name.lower()}_{name}": x for name, x in measured.items()}
    return found


def table(title: str, found: Mapping[str, object], faults: Sequence[str]) -> RenderableType:
    """Show the figures of `faults`, then what the stages are, and what is not as it should be."""
    shown = Table(title=Text(title), box=SIMPLE_HEAD, pad_edge=False)
    for column in ("fault", "stage"):
        shown.add_column(column, no_wrap=True)
    for column in ("n", "min", "median", "p95", "max", "budget"):
        shown.add_column(column, justify="right", no_wrap=True)
    for fault in faults:
        for row in _rows(found, fault):
            shown.add_row(*row)
        shown.add_section()
    legend = (Text(f"{stage.name.lower()}: {stage}") for stage in Stage)
    return Group(shown, *legend, Text(), *_remarks(found, faults))


def _rows(found: Mapping[str, object], fault: str) -> Iterator[tuple[str | Text, ...]]:
    """Yield a row a stage that was seen or has a budget, the fault's name in the first only."""
    name = fault
    for stage in Stage:
        key = f"{_key(fault)}_{stage.name.lower()}"
        least, median, p95, most = (found[f"{key}_{taken}"] for taken in _TAKEN)
        low, high = (found[f"{key}_{end}"] for end in _LIMITS)
        if not found[f"{key}_n"] and (stage is Stage.TUNNEL or low is None):
            continue
        yield (
            name,
            stage.name.lower(),
            str(found[f"{key}_n"]),
            _within(least, low, high),
            _cell(median),
            _within(p95, low, high),
            _within(most, low, high),
            _span(low, high),
        )
        name = ""
    if name:
        yield (name, "takeover", str(found[f"{_key(fault)}_takeovers"]), *["-"] * 4, "")


def _remarks(found: Mapping[str, object], faults: Sequence[str]) -> Iterator[Text]:
    for fault in faults:
        wanted, provoked, takeovers, note = (
            found[f"{_key(fault)}_{name}"] for name in ("wanted", "provoked", "takeovers", "note")
        )
        said = f"{fault}: takeovers {takeovers}, repetitions {provoked} of {wanted}"
        yield Text(f"{said}; {note}", "bold") if note else Text(said)


def _within(value: object, low: object, high: object) -> Text:
    """Return a cell that stands out if it lies beyond the budget."""
    limits = (low, high, value)
    numbers = [x for x in limits if isinstance(x, int | float)]
    beyond = len(numbers) == len(limits) and not numbers[0] <= numbers[2] <= numbers[1]
    return Text(_cell(value), "bold red" if beyond else "")


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else "-"


def _span(low: object, high: object) -> str:
    if isinstance(low, int | float) and isinstance(high, int | float):
        return f"{low:g} to {high:g}"
    return ""


def _key(fault: str) -> str:
    return fault.replace("-", "_")


def _spread(seen: Spread | None) -> dict[str, object]:
    if seen is None:
        return {"n": 0, **dict.fromkeys(_TAKEN)}
    taken = (seen.minimum, seen.median, seen.p95, seen.maximum)
    return {"n": seen.n, **{name: round(x, 3) for name, x in zip(_TAKEN, taken, strict=True)}}


def _limits(budget: Budget | None) -> dict[str, object]:
    if budget is None:
        return dict.fromkeys(_LIMITS)
    return {
        "budget_min_s": round(budget.minimum_s, 3),
        "budget_max_s": round(budget.maximum_s, 3),
    }
