"""The page on paper, where there is a browser that prints."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from report.making import make_report
from report.pdf import BROWSERS, pages_of, print_page
from report.writing import ReportError
from tests.checks.failover import recording
from tests.report.conftest import facts

needs_a_browser = pytest.mark.skipif(
    not any(map(shutil.which, BROWSERS)), reason="no Chromium is installed, which prints"
)


def test_without_a_browser_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(ReportError, match="no browser that prints") as wrong:
        print_page(tmp_path / "report.html")
    assert "chromium" in wrong.value.hint


@needs_a_browser
def test_a_report_has_ten_pages_at_most_and_is_among_the_sums(tmp_path: Path) -> None:
    facts(tmp_path)
    recording.takeover(tmp_path).write()
    made = make_report(tmp_path, pdf=True)
    assert 1 <= pages_of(tmp_path / "report.pdf") <= 10
    assert "report.pdf" in made.sums.read_text()
