"""What pytest prints of a failed scenario is safe to print, whatever a guest said."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from scenarios.printing import show_safely


def report(longrepr: object, *sections: tuple[str, str], failed: bool = True) -> Any:
    return SimpleNamespace(longrepr=longrepr, sections=list(sections), failed=failed)


def test_what_would_act_on_a_terminal_is_written_out() -> None:
    one = report("E  \x1b]0;title\x07\n\tmore", ("Captured stdout", "\x9b2J"))
    show_safely(one)
    assert one.longrepr == "E  \\x1b]0;title\\x07\n\tmore"
    assert one.sections == [("Captured stdout", "\\x9b2J")]


def test_a_report_with_nothing_of_the_kind_stays_as_pytest_made_it() -> None:
    made = SimpleNamespace()
    one, skipped = report(made), report(("file", 3, "why"), failed=False)
    show_safely(one)
    show_safely(skipped)
    assert one.longrepr is made
    assert skipped.longrepr == ("file", 3, "why")
