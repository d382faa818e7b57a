"""What a wire can do to frames, and nobody can where nothing of ours carries them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from lab.errors import NotHere
from lab.wire.rules import Rule


class Uncarried:
    """Refuses rules, cuts and filters; each refusal ends a scenario as UNKNOWN, and says why."""

    def add(self, rule: Rule) -> int:
        """Refuse: nothing of ours carries the frames."""
        refuse(f"frames cannot be disturbed ({rule.action.kind}): nothing of ours carries them")

    def remove(self, rule: int) -> dict[str, Any]:
        """Refuse: there is none."""
        refuse(f"there is no rule {rule}")

    def hits(self, rule: int) -> int:
        """Refuse: there is none."""
        refuse(f"there is no rule {rule}")

    def cut(self, port: str) -> None:
        """Refuse: nothing of ours carries the frames."""
        refuse(f"the link of {port} cannot be cut: nothing of ours carries its frames")

    def heal(self, port: str) -> None:
        """Refuse: it was not cut."""
        refuse(f"the link of {port} was not cut")

    def filter_mac(self, port: str, macs: Sequence[str] | None) -> None:
        """Refuse: nothing of ours carries the frames."""
        what = "freed" if macs is None else "filtered"
        refuse(f"{port} cannot be {what}: nothing of ours carries its frames")


def refuse(why: str) -> NoReturn:
    """Raise NotHere, and say whose machines these are."""
    raise NotHere(f"{why}; these machines are a site's")
