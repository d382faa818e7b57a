"""What is allowed to differ: listed in provision/reference/README.md, seen in these tests.

A test has cases, each with what the genuine software and the drop-in made of it. Where they differ,
the case must be named under a difference of the README, with what the drop-in made of it; and what
is named must still differ. So a new difference fails, and so does one that is gone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import unified_diff
from pathlib import Path
from pprint import pformat

README = Path(__file__).parents[2] / "provision/reference/README.md"
_ROW = re.compile(r"^\| `([a-z-]+)` \|", re.MULTILINE)

Permitted = Mapping[str, Mapping[str, object]]
"""The README's name of a difference -> case -> what the drop-in makes of it."""


def in_the_readme() -> set[str]:
    """Return the names of the differences that the README lists with a reason."""
    found = _ROW.findall(README.read_text())
    assert len(found) == len(set(found)), "a difference is listed twice"
    return set(found)


def compare(
    genuine: Mapping[str, object], here: Mapping[str, object], permitted: Permitted
) -> None:
    """Assert that the two differ in what is permitted, and in nothing else."""
    assert list(genuine) == list(here)
    allowed = {case: made for cases in permitted.values() for case, made in cases.items()}
    found = {case: here[case] for case in here if here[case] != genuine[case]}
    new = [
        f"{case}: differs, and is not listed\n{_shown(genuine[case], made)}"
        for case, made in found.items()
        if case not in allowed
    ]
    other = [
        f"{case}: differs otherwise than is listed\n{_shown(allowed[case], found[case])}"
        for case in found.keys() & allowed.keys()
        if found[case] != allowed[case]
    ]
    gone = [f"{case}: is listed, and does not differ" for case in allowed.keys() - found.keys()]
    wrong = [*new, *other, *gone]
    assert not wrong, "\n".join(["", *wrong])


def _shown(expected: object, seen: object) -> str:
    lines = (pformat(one, width=100).splitlines() for one in (expected, seen))
    return "\n".join(list(unified_diff(*lines, lineterm="", n=0))[2:30])
