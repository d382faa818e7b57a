"""Sections of Apache configuration files, such as the `<RequireAny>` the guide changes.

The file is read line by line as Apache reads it (a section's tags stand on lines of their own) and
written whole; Apache must accept its configuration with it, else the old file comes back.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from provision.action import Action
from provision.errors import UnexpectedContent
from provision.transcript import Session


def replace_section(text: str, section: str, lines: tuple[str, ...]) -> str:
    """Return `text` with the body of its only `<section>` replaced by `lines`, indented to fit.

    UnexpectedContent when there is no such section, more than one, or no end of it.
    """
    before = text.splitlines()
    starts = [n for n, line in enumerate(before) if line.strip().lower() == f"<{section.lower()}>"]
    ends = [n for n, line in enumerate(before) if line.strip().lower() == f"</{section.lower()}>"]
    if len(starts) != 1 or len(ends) != 1 or ends[0] < starts[0]:
        raise UnexpectedContent(
            f"expected one <{section}> section, found {len(starts)} starts and {len(ends)} ends"
        )
    start, end = starts[0], ends[0]
    opening = before[start]
    pad = opening[: len(opening) - len(opening.lstrip())] + "    "
    body = [pad + line for line in lines]
    return "\n".join([*before[: start + 1], *body, *before[end:]]) + "\n"


@dataclass(frozen=True)
class ApacheSection(Action):
    """A file whose only `<section>` holds exactly `lines`; `test` makes Apache check itself."""

    path: str
    section: str
    lines: tuple[str, ...]
    test: str

    def describe(self) -> str:
        """Return the section in full, and how the file is replaced."""
        body = [f"<{self.section}>", *(f"    {line}" for line in self.lines), f"</{self.section}>"]
        return "\n".join(
            [
                f"> {self.path} (the same with this section, written whole)",
                *(f"  | {line}" for line in body),
                f"$ {self._replace_command()}",
            ]
        )

    def applied(self, session: Session) -> bool:
        """Say whether the section is so already."""
        text = session.get(self.path).decode()
        return replace_section(text, self.section, self.lines) == text

    def apply(self, session: Session) -> None:
        """Replace the file; the old one comes back when Apache refuses the new one."""
        text = session.get(self.path).decode()
        session.put(replace_section(text, self.section, self.lines), f"{self.path}.new")
        session.run(self._replace_command())

    def _replace_command(self) -> str:
        path, new, old = (shlex.quote(self.path + end) for end in ("", ".new", ".old"))
        return (
            f"cp -p {path} {old} && cat {new} > {path} && rm -f {new} && "
            f"if {self.test}; then rm -f {old}; else mv -f {old} {path}; exit 1; fi"
        )
