"""Which tests a mutated module is tried by."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutation.judge import TESTS, chosen_for, mutated

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


@pytest.mark.parametrize("package", TESTS)
def test_what_is_named_is_there(package: str) -> None:
    assert (ROOT / "checks" / package).is_dir()
    assert all((ROOT / name).exists() for name in TESTS[package])


def test_every_package_of_the_checks_has_its_tests_named() -> None:
    packages = {path.parent.name for path in (ROOT / "checks").glob("*/__init__.py")}
    assert packages == TESTS.keys()
