"""Which tests a mutated module is tried by."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation.judge import TESTS, chosen_for, mutated, scored_for

ROOT = Path(__file__).parents[2]


def test_the_module_that_differs_is_found(tmp_path: Path) -> None:
    for root in ("copy", "genuine"):
        (tmp_path / root / "checks").mkdir(parents=True)
        (tmp_path / root / "checks" / "one.py").write_text("a < b\n")
    copy, genuine = tmp_path / "copy", tmp_path / "genuine"
    assert mutated(copy, genuine) is None
    (copy / "checks" / "one.py").write_text("a > b\n")
    assert mutated(copy, genuine) == Path("checks/one.py")


def test_chosen_for_the_same_name_come_first() -> None:
    found = chosen_for(Path("checks/failover/counter.py"), ROOT)
    assert found[0] == "tests/checks/failover/test_counter.py"
    assert "tests/checks/test_verdict_cases.py" in found


def test_a_module_beside_the_packages_is_tried_by_all_tests() -> None:
    assert chosen_for(Path("checks/cli.py"), ROOT)[-1] == "tests/checks"


def test_scored_are_the_requirements_that_a_package_judges() -> None:
    assert "FO-24" in scored_for(Path("checks/failover/counter.py"))
    assert "MN-22" not in scored_for(Path("checks/failover/counter.py"))
    assert scored_for(Path("checks/protocols/arp.py")) == []


@pytest.mark.parametrize("package", TESTS)
def test_what_is_named_is_there(package: str) -> None:
    assert (ROOT / "checks" / package).is_dir()
    assert all((ROOT / name).exists() for name in TESTS[package])


def test_every_package_of_the_checks_has_its_tests_named() -> None:
    packages = {path.parent.name for path in (ROOT / "checks").glob("*/__init__.py")}
    assert packages == TESTS.keys()


def test_what_keeps_the_processor_fails_and_what_waits_does_not(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "from tests.mutation import endless\nendless.PROCESSOR_S = 0.3\n"
    )
    (tmp_path / "test_it.py").write_text(
        "import time\n"
        "def test_waits():\n    time.sleep(0.5)\n"
        "def test_is_endless():\n    while True: pass\n"
    )
    plugins = ["-p", "no:cacheprovider", "-p", "tests.mutation.endless"]
    told = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"--rootdir={tmp_path}", *plugins, tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 1 passed" in told.stdout
    assert "test_is_endless has kept the processor for 0.3 s" in told.stdout
