"""What pytest prints of a scenario that failed: guests had a say in it, and act on no terminal."""

from __future__ import annotations

import pytest

from evidence.printable import visible


def show_safely(report: pytest.TestReport) -> None:
    """Make visible what would act on a terminal, in a report that holds any of it."""
    if report.failed:
        text = str(report.longrepr)
        if (shown := visible(text, layout=True)) != text:
            report.longrepr = shown
    report.sections = [(name, visible(text, layout=True)) for name, text in report.sections]
