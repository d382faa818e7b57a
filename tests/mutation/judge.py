"""Run the tests of the module that is mutated in this copy of the project; 1 when one fails.

What they do not notice, the score of derived evidence may.

Which module that is, the comparison with the project itself says (VPNPROOF_MUTATED_FROM).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.mutation import MUTATED_FROM
from tests.score.healthy import WRITERS

CASES = "tests/checks/test_verdict_cases.py"
TESTS = {
    "failover": ("tests/checks/failover", CASES),
    "multi_node": ("tests/checks/multi_node", CASES),
    "harness": ("tests/checks/harness", CASES),
    "protocols": (
        "tests/checks/protocols",
        "tests/checks/failover",
        "tests/checks/multi_node",
        CASES,
    ),
    "preflight": ("tests/checks/preflight", "tests/checks/failover"),
    "engine": ("tests/checks/engine", "tests/checks/test_cli.py", "tests/checks"),
}
"""By package of `checks`; of a module beside them: all tests of the checks."""
SCORED = {"failover": "FO-", "multi_node": "MN-", "harness": "LAB-"}
"""By package of `checks`: the requirements that it judges; any other serves all of them."""


def mutated(copy: Path, genuine: Path) -> Path | None:
    """Return the module of `checks` that is another in a copy of the project."""
    for path in sorted((copy / "checks").rglob("*.py")):
        of_project = genuine / path.relative_to(copy)
        if path.read_bytes() != of_project.read_bytes():
            return path.relative_to(copy)
    return None


def chosen_for(module: Path, root: Path) -> list[str]:
    """Return the tests of a module, those that bear its name first."""
    package = module.parts[1] if len(module.parts) > 2 else ""
    folders = TESTS.get(package, ("tests/checks",))
    own = sorted(root.glob(f"tests/checks/{package}/test_{module.stem}*.py"))
    return [*(str(path.relative_to(root)) for path in own), *folders]


def scored_for(module: Path | None) -> list[str]:
    """Return the requirements whose derived evidence is judged when no test fails; [] for all."""
    prefix = SCORED.get(module.parts[1]) if module else None
    return [name for name in WRITERS if name.startswith(prefix)] if prefix else []


def main() -> int:
    """Return pytest's exit status; 0 where nothing is mutated: the copy itself is tried."""
    copy = Path.cwd()
    module = mutated(copy, Path(os.environ[MUTATED_FROM]))
    tests = chosen_for(module, copy) if module else ["tests/checks"]
    plugins = ["-p", "no:cacheprovider", "-p", "tests.mutation.endless"]
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", *plugins, *tests]
    if status := subprocess.run(command, check=False).returncode:
        return status
    score = [sys.executable, "-B", "-m", "tests.score", *scored_for(module)]
    return subprocess.run(score, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
