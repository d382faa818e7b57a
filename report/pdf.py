"""A page on paper, printed by Chromium where it is installed; nothing else needs it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from report.writing import ReportError, octets, write_whole

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT_S = 180
END = b"%%EOF"
WITHOUT = "nothing was written; leave --pdf out, and print report.html by hand"


def print_page(page: Path) -> Path:
    """Print a page that lies there beside itself; raises as `printed`."""
    return write_whole(page.with_suffix(".pdf"), printed(page.read_text(encoding="utf-8")))


def forget(page: Path, run: Path) -> None:
    """Remove what was printed beside a page of a run's directory: it is of a former report."""
    former = page.with_suffix(".pdf")
    if former.is_file() and former.resolve().is_relative_to(run.resolve()):
        former.unlink()


def printed(page: str) -> bytes:
    """Return a page as PDF; raise ReportError without a browser, or when it does not print."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise ReportError(
            f"no browser that prints was found: {', '.join(BROWSERS)}",
            hint="install chromium, or print report.html by the browser that shows it",
        )
    try:
        with tempfile.TemporaryDirectory(prefix="vpnproof-print-") as place:
            return _print(found, page, Path(place))
    except OSError as error:
        raise ReportError(f"the report cannot be printed: {error}", hint=WITHOUT) from error


def _print(browser: str, page: str, place: Path) -> bytes:
    shown, on_paper = place / "report.html", place / "report.pdf"
    shown.write_bytes(octets(page))
    try:
        done = subprocess.run(
            [
                browser,
                "--headless=new",
                "--no-sandbox",  # it shows a page of our own, without scripts; root has no sandbox
                "--disable-gpu",
                f"--user-data-dir={place}/profile",
                "--no-pdf-header-footer",
                f"--print-to-pdf={on_paper}",
                shown.as_uri(),
            ],
            capture_output=True,
            check=False,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise ReportError(f"{browser} did not print in {TIMEOUT_S} s", hint=WITHOUT) from error
    content = on_paper.read_bytes() if on_paper.is_file() else b""
    if not content.rstrip().endswith(END):  # on a full disk, too, Chromium ends with 0
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        why = "".join(said) or "it said nothing"
        raise ReportError(f"{browser} did not print all of it: {why}", hint=WITHOUT)
    return content
