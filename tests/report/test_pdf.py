"""The page on paper, where there is a browser that prints."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from report import pdf
from report.making import make_report
from report.pdf import BROWSERS, print_page, printed
from report.writing import ReportError
from tests.checks.failover import recording
from tests.report.conftest import facts
from tests.report.paper import pages_of

needs_a_browser = pytest.mark.skipif(
    not any(map(shutil.which, BROWSERS)), reason="no Chromium is installed, which prints"
)


def test_without_a_browser_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(ReportError, match="no browser that prints") as wrong:
        printed("<p>page")
    assert "chromium" in wrong.value.hint


OUT = "for out; do case $out in --print-to-pdf=*) break ;; esac; done; out=${out#*=}"
"""Where the browser is to print to, in a shell that pretends to be one."""


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo first; echo no display >&2", "did not print all of it: no display"),
        ("", "did not print all of it: it said nothing"),
        (f"{OUT} && : >$out", "did not print all of it"),
        (f"{OUT} && echo %PDF-1.4 >$out", "did not print all of it"),
        ("exec sleep 60", "did not print in 0.1 s"),
    ],
)
def test_a_browser_that_does_not_print_is_told_and_the_former_report_stays(
    good_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, why: str
) -> None:
    browser = tmp_path / "chromium"
    browser.write_text(f"#!/bin/sh\n{script}\n")
    browser.chmod(0o755)
    former = make_report(good_run).page.read_text()
    facts(good_run, image="another")
    monkeypatch.setattr(shutil, "which", lambda _name: str(browser))
    monkeypatch.setattr(pdf, "TIMEOUT_S", 0.1 if "sleep" in script else 20)
    with pytest.raises(ReportError, match=why) as wrong:
        make_report(good_run, pdf=True)
    assert "leave --pdf out" in wrong.value.hint
    assert (good_run / "report.html").read_text() == former


def test_a_page_is_printed_beside_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "browser").write_text(f"#!/bin/sh\n{OUT}; echo %%EOF >$out\n")
    (tmp_path / "browser").chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _name: str(tmp_path / "browser"))
    (tmp_path / "page.html").write_text("<p>page")
    assert print_page(tmp_path / "page.html").read_bytes() == b"%%EOF\n"
    assert (tmp_path / "page.pdf").is_file()


@needs_a_browser
def test_a_report_has_ten_pages_at_most_and_is_among_the_sums(tmp_path: Path) -> None:
    facts(tmp_path)
    recording.takeover(tmp_path).write()
    made = make_report(tmp_path, pdf=True)
    assert 1 <= pages_of(tmp_path / "report.pdf") <= 10
    assert "report.pdf" in made.sums.read_text()
