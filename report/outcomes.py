"""What became of a run's scenarios, and of the search for secrets: what no verdict says.

A scenario may fail, or be skipped, beside another that has shown the same requirement. How each
ended stands in a file that is not sealed; what the search came to is.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evidence import leaks

TIMINGS, LEAKS = "timings.json", leaks.FILE_NAME
NOT_SEARCHED, FOUND_NONE = "not searched for", "found none"


@dataclass(frozen=True)
class Outcomes:
    """scenarios: how each ended, the last time; "" for none recorded. secrets: in words."""

    scenarios: Mapping[str, str]
    secrets: str
    shareable: bool | None
    """None where nobody looked."""

    @property
    def counted(self) -> str:
        """How many ended how; "" where that was not recorded."""
        counts = Counter(self.scenarios.values())
        said = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
        return said and f"{said} (by {TIMINGS}, which is not sealed)"

    @property
    def others(self) -> list[str]:
        """The scenarios that did not pass, and what became of each."""
        return [f"{name} ({said})" for name, said in self.scenarios.items() if said != "passed"]


def outcomes_in(directory: Path) -> Outcomes:
    """Read what there is; what cannot be read was not recorded."""
    rows, told = _json(directory / TIMINGS), _json(directory / LEAKS)
    found: dict[str, str] = {}
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and "scenario" in row:
            found[str(row["scenario"])] = str(row.get("outcome", ""))
    if not isinstance(told, dict) or not isinstance(told.get("shareable"), bool):
        return Outcomes(found, NOT_SEARCHED, None)
    names = told.get("secrets")
    many = len(names) if isinstance(names, list) else 0
    said = f"looked for {many} in {told.get('files')} files, {FOUND_NONE}"
    if not told["shareable"]:
        said = "secrets stand in the evidence, or not all of it could be searched"
    return Outcomes(found, said, told["shareable"])


def _json(path: Path) -> Any:  # noqa: ANN401 - whatever stands there
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
