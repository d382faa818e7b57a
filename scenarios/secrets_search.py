"""At the end of a run: its evidence is searched for every secret that its labs know.

What was found, and where, stands in `leaks.json`, which is sealed with the rest, and on the
terminal. Evidence with a secret in it is not to be shared, so the run fails, whatever its verdicts.
Afterwards only those secrets are kept (`secrets.json`, mode 0600) that checks need. Of a run over
hosts the evidence of each is searched for the secrets of all.
"""

from __future__ import annotations

from pathlib import Path

from _pytest.terminal import TerminalReporter

from evidence.leaks import Search, search
from evidence.parts import parts_of
from evidence.printable import visible
from evidence.secret import FILE_NAME, Secrets

_SHOWN = 20


def searched(directory: Path) -> Search | None:
    """Search the evidence of a run that is over; None when its labs knew no secret."""
    of_parts = [Secrets(part.directory) for part in parts_of(directory)]
    known = [one for secrets in of_parts for one in secrets.known()]
    if not known:
        return None
    found = search(directory, known)
    found.write(directory)
    for secrets in of_parts:
        secrets.forget()
    return found


def may_not_be_shared(found: Search | None) -> bool:
    """Tell whether a run fails because a secret stands in its evidence, or may stand there."""
    return found is not None and not found.clean


def tell_of_secrets(terminal: TerminalReporter, found: Search | None) -> None:
    """Say on the terminal what was looked for, and what was found where."""
    if found is None:
        return
    wrong = [*map(str, found.leaks), *(f"{one}: not searched" for one in found.unread)]
    if wrong:
        why = "secrets stand in it" if found.leaks else "not all of it could be searched"
        terminal.write_line(f"DO NOT SHARE THIS EVIDENCE: {why}", red=True, bold=True)
        for line in wrong[:_SHOWN]:
            terminal.write_line(f"       {visible(line)}", red=True)
        if len(wrong) > _SHOWN:
            terminal.write_line(f"       and {len(wrong) - _SHOWN} more: see leaks.json", red=True)
        return
    count = f"{len(found.secrets)} secrets in {found.files} files"
    terminal.write_line(f"secrets: looked for {count}, found none; {FILE_NAME} is not to be shared")
