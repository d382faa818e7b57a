"""Makes a report: the page, its tables, the sums of all evidence, and a signature if asked for."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from checks.engine.verdicts import FILE_NAME as VERDICTS
from evidence.combinations import OUTCOMES
from evidence.errors import EvidenceError
from evidence.history import FILE_NAME as HISTORY
from report.content import Content, content_of
from report.page import page
from report.pdf import forget, printed
from report.signing import sign, verify_command
from report.sums import NAME as SUMS
from report.sums import write_sums
from report.tables import as_json, as_junit
from report.writing import ReportError, write_all

PAGE = "report.html"


class Reported(Protocol):
    """A report that was made, of whatever kind of run."""

    def lines(self) -> Iterator[str]:
        """Yield what to say of it."""


@dataclass(frozen=True)
class Made:
    """A report that was made, and where its parts lie."""

    content: Content
    page: Path
    sums: Path
    signature: Path | None

    def lines(self) -> Iterator[str]:
        """Yield what to say of it: where it is, and how to see that it is unchanged."""
        return lines_on(self.content.material.directory, self.page, self.sums, self.signature)


def lines_on(run: Path, page: Path, sums: Path, signature: Path | None) -> Iterator[str]:
    """Yield where a report is, and how to see that nothing was changed."""
    yield f"report: {page}"
    elsewhere = [] if sums == run / SUMS else ["--sums", str(sums)]
    yield f"changed since? {shlex.join(['python', '-m', 'report', 'verify', str(run), *elsewhere])}"
    if signature is not None:
        yield f"who signed it? {verify_command(sums)}"


def make_report(
    run: Path, out: Path | None = None, key: Path | None = None, *, pdf: bool = False
) -> Made:
    """Make the report of a run in its directory, or at `out` with its tables beside it.

    pdf: whether it is printed, too, which needs Chromium.
    Raises BadEvidence when `run` is no directory, ReportError when something cannot be written.
    """
    content = content_of(run)
    at = out or run / PAGE
    if not at.parent.is_dir():
        raise ReportError(f"{at.parent}: there is no such directory", hint="make it first")
    parts: dict[Path, str | bytes] = {
        at: (shown := page(content)),
        at.with_suffix(".json"): as_json(content),
        at.with_suffix(".xml"): as_junit(content),
    }
    if pdf:
        parts[at.with_suffix(".pdf")] = printed(shown)
    write_all(parts)
    if not pdf:
        forget(at, run)
    sums = write_sums(run, at.parent, parts)
    return Made(content, at, sums, sign(sums, key) if key else None)


def report_at_end(run: Path, make: Callable[[Path], Reported] = make_report) -> list[str]:
    """Make the report of a run that is over; return lines on it, or on why there is none.

    Evidence and verdicts are safe by now: whatever goes wrong here must not end the run.
    """
    if not any((run / name).exists() for name in (HISTORY, VERDICTS, OUTCOMES)):
        return []
    try:
        return list(make(run).lines())
    except EvidenceError as error:
        return [f"no report could be made: {error}", f"try again: python -m report {run}"]
    except Exception as error:  # noqa: BLE001 - a report is no reason to lose what a run has to say
        return [f"no report could be made: {error!r}", f"try again: python -m report {run}"]
