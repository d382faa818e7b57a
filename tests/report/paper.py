"""What was printed, as far as tests look into it."""

from __future__ import annotations

import re
from pathlib import Path


def pages_of(pdf: Path) -> int:
    """Count the pages of what Chromium printed."""
    return len(re.findall(rb"/Type\s*/Page\b", pdf.read_bytes()))
