"""What was typed on a machine and what it answered: one file a machine, kept as evidence.

`Session` is a machine as steps see it: every command and file passes through the transcript.
Secrets never reach the file: noted ones are masked, and output that holds one before it can be
noted is hidden by the action that asks for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from lab.errors import CommandFailed
from provision.notes import Notes
from provision.target import Result, Target


class Transcript:
    """The transcript of one machine; entries are appended whole, so a crash keeps what was."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def add(self, title: str, lines: list[str]) -> None:
        """Append an entry: the time (UTC), `title`, and `lines` below it."""
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        entry = "\n".join([f"[{now}] {title}", *lines, "", ""])
        with self.path.open("a", encoding="utf-8") as log:
            log.write(entry)


class Session:
    """A machine during a run: commands are recorded, and notes are at hand."""

    def __init__(self, target: Target, notes: Notes, transcript: Transcript) -> None:
        self.name = target.name
        self.notes = notes
        self.transcript = transcript
        self.commands = 0
        self._target = target

    def heading(self, text: str) -> None:
        """Say in the transcript what the following entries belong to."""
        self.transcript.add(f"=== {text}", [])

    def run(
        self,
        command: str,
        *,
        stdin: str | bytes | None = None,
        timeout: float = 120,
        check: bool = True,
        hides: str = "",
    ) -> Result:
        """Run a command on the machine; `timeout` is in seconds.

        `hides` says what the output holds that the transcript must not (its content is then
        left out). With `check`, CommandFailed when it ends with another status than 0.
        """
        self.commands += 1
        result = self._target.run(command, stdin=stdin, timeout=timeout, check=False)
        self._record(command, stdin, result, hides)
        if check and result.status != 0:
            said = self.notes.mask(result.stdout + result.stderr)
            raise CommandFailed(self.name, self.notes.mask(command), result.status, said)
        return result

    def put(
        self,
        content: str | bytes,
        path: str,
        *,
        mode: int = 0o644,
        owner: str = "root",
        group: str = "root",
        hides: str = "",
    ) -> None:
        """Write a file whole on the machine; `hides` keeps its content out of the transcript."""
        self.commands += 1
        self._target.put(content, path, mode=mode, owner=owner, group=group)
        size = len(content.encode() if isinstance(content, str) else content)
        shown = [f"({size} bytes, not shown: {hides})"] if hides else self._content(content)
        self.transcript.add(f"> {path} ({mode:04o} {owner}:{group})", shown)

    def get(self, path: str) -> bytes:
        """Return a file's content; FileNotFoundError when there is none."""
        self.commands += 1
        content = self._target.get(path)
        self.transcript.add(f"< {path}", [_digest(content)])
        return content

    def _content(self, content: str | bytes) -> list[str]:
        if isinstance(content, bytes):
            return [_digest(content)]
        return _marked("  ", self.notes.mask(content))

    def _record(self, command: str, stdin: str | bytes | None, result: Result, hides: str) -> None:
        mask: Callable[[str], str] = self.notes.mask
        lines = _marked("$ ", mask(command))
        if stdin is not None:
            text = stdin if isinstance(stdin, str) else _digest(stdin)
            lines += _marked("< ", mask(text))
        if hides and result.status == 0:
            lines.append(f"| (not shown: {hides})")
        else:
            lines += _marked("| ", mask(result.stdout)) + _marked("! ", mask(result.stderr))
        self.transcript.add(f"status {result.status} after {result.seconds:.3f} s", lines)


def _marked(mark: str, text: str) -> list[str]:
    return [mark + line for line in text.splitlines()]


def _digest(content: bytes) -> str:
    return f"({len(content)} bytes, SHA-256 {hashlib.sha256(content).hexdigest()})"
