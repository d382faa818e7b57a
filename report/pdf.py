"""The page as `report.pdf`, printed by Chromium where it is installed; nothing else needs it."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from report.writing import ReportError, write_whole

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT_S = 180


def print_page(page: Path) -> Path:
    """Print a page beside itself; raise ReportError without a browser, or when it does not."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise ReportError(
            f"no browser that prints was found: {', '.join(BROWSERS)}",
            hint="install chromium, or print report.html by the browser that shows it",
        )
    with tempfile.TemporaryDirectory(prefix="vpnproof-print-") as place:
        printed = Path(place) / "report.pdf"
        done = subprocess.run(
            [
                found,
                "--headless=new",
                "--no-sandbox",  # it shows a page of our own, without scripts; root has no sandbox
                "--disable-gpu",
                f"--user-data-dir={place}/profile",
                "--no-pdf-header-footer",
                f"--print-to-pdf={printed}",
                page.absolute().as_uri(),
            ],
            capture_output=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        if not printed.is_file():
            said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise ReportError(f"{found} did not print {page}: {''.join(said) or 'it said nothing'}")
        return write_whole(page.with_suffix(".pdf"), printed.read_bytes())


def pages_of(pdf: Path) -> int:
    """Count the pages of what Chromium printed."""
    return len(re.findall(rb"/Type\s*/Page\b", pdf.read_bytes()))
