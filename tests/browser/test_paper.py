"""What is signed: a sign-off run on ten pages at most, with what it is about on the first."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from report.making import make_report
from tests.browser.window import Window
from tests.report.paper import pages_of
from tests.report.sign_off import sign_off


@pytest.fixture(scope="module")
def printed(browser: Window, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_report(sign_off(tmp_path_factory.mktemp("run")), pdf=True)
    return made.page.with_suffix(".pdf")


def test_a_sign_off_run_has_ten_pages_at_most(printed: Path) -> None:
    assert 5 <= pages_of(printed) <= 10


@pytest.mark.skipif(not shutil.which("pdftotext"), reason="poppler-utils reads what was printed")
def test_every_requirement_and_every_erratum_is_on_paper(printed: Path) -> None:
    done = subprocess.run(["pdftotext", "-layout", printed, "-"], capture_output=True, check=True)
    first, *others = done.stdout.decode().split("\f")
    for said in ("2 of the 89 requirements", "What was tested", "What this run does not show"):
        assert said in first
    told = "\n".join(others)
    for said in ("LAB-08", "Takeover times", "Errata", "I have read this report"):
        assert said in told
