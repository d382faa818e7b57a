"""Two machines for tests: one runs real shells in a directory, one only remembers."""

# ruff: noqa: ARG002 - these have the signature of what they stand for

from __future__ import annotations

import hashlib
import re
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lab.errors import CommandFailed
from provision.action import Action, Check, Command, Packages, Remember, Service
from provision.notes import Notes


@dataclass(frozen=True)
class Said:
    """A result of a command."""

    status: int
    stdout: str = ""
    stderr: str = ""
    seconds: float = 0.0


class ShellMachine:
    """Runs commands on this machine; files are where the test's paths say."""

    def __init__(self, name: str = "here") -> None:
        self.name = name
        self.commands: list[str] = []

    def run(
        self,
        command: str,
        *,
        stdin: str | bytes | None = None,
        timeout: float = 60,
        check: bool = True,
    ) -> Said:
        self.commands.append(command)
        given = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(
            ["sh", "-c", command],
            input=given or b"",
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            raise CommandFailed(self.name, command, done.returncode, done.stderr.decode())
        return Said(done.returncode, done.stdout.decode(), done.stderr.decode())

    def put(
        self,
        content: str | bytes,
        path: str,
        *,
        mode: int = 0o644,
        owner: str = "root",
        group: str = "root",
    ) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(content.encode() if isinstance(content, str) else content)
        Path(path).chmod(mode)

    def get(self, path: str) -> bytes:
        return Path(path).read_bytes()


@dataclass
class RememberingMachine:
    """Believes that every command works, and remembers files and what ran when.

    It knows the actions of a plan: a guard holds when its action's script ran and none of the
    files that matter was written since. PHP is real, when a configuration is read.
    """

    name: str
    files: dict[str, bytes] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    refuses: str = ""
    _now: int = 0
    _written: dict[str, int] = field(default_factory=dict)
    _ran: dict[str, int] = field(default_factory=dict)
    _guards: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)

    def know(self, actions: Iterable[Action]) -> None:
        for action in actions:
            match action:
                case Command():
                    self._guards[action._condition()] = (action._script(), action.after)
                case Service():
                    self._guards[action._condition()] = (action._script(), action.after)
                case Packages() | Check():
                    guard = action.guard(Notes())
                    assert guard is not None
                    self._guards[guard] = ("", ())
                case Remember():
                    self.answers.setdefault(action.command, f"answer to {action.name}\n")
                case _:
                    pass

    def run(
        self,
        command: str,
        *,
        stdin: str | bytes | None = None,
        timeout: float = 60,
        check: bool = True,
    ) -> Said:
        self._now += 1
        if self.refuses and self.refuses in command:
            return Said(7, "", f"no {self.refuses} today")
        if " || { echo " in command and command.startswith("( "):
            return self._asked(command)
        if command in self.answers:
            return Said(0, self.answers[command])
        if command.startswith("php -r"):
            return self._read_php(command)
        if any(path in command for path in self.files if path.endswith((".new", ".unpacking"))):
            self._replaced()
        if command not in {script for script, _ in self._guards.values()} | self._checks():
            scripts = [script for script, _ in self._guards.values() if script]
            known = [script for script in scripts if command.startswith(script)]
            command = known[0] if known else command
        self._ran[command] = self._now
        self.changes.append(command)
        return Said(0)

    def put(
        self,
        content: str | bytes,
        path: str,
        *,
        mode: int = 0o644,
        owner: str = "root",
        group: str = "root",
    ) -> None:
        self._now += 1
        self._write(path, content.encode() if isinstance(content, str) else content)
        self.changes.append(f"put {path}")

    def get(self, path: str) -> bytes:
        if path not in self.files:
            raise FileNotFoundError(path)
        return self.files[path]

    def _checks(self) -> set[str]:
        return {guard for guard, (script, _) in self._guards.items() if not script}

    def _asked(self, script: str) -> Said:
        for condition, number in re.findall(
            r"^\( (.*?) \) >/dev/null 2>&1 </dev/null \|\| \{ echo (\d+); exit 1; \}$",
            script,
            re.MULTILINE | re.DOTALL,
        ):
            if not self._holds(condition):
                return Said(1, f"{number}\n")
        return Said(0)

    def _holds(self, condition: str) -> bool:
        if match := re.search(r"sha256sum < (\S+) .* = ([0-9a-f]{64}) \]", condition):
            content = self.files.get(match[1])
            return content is not None and hashlib.sha256(content).hexdigest() == match[2]
        script, after = self._guards[condition]
        if not script:
            return True
        ran = self._ran.get(script)
        return ran is not None and all(self._written.get(path, 0) <= ran for path in after)

    def _read_php(self, command: str) -> Said:
        path = command.rpartition(" ")[2]
        with tempfile.NamedTemporaryFile(suffix=".php") as file:
            Path(file.name).write_bytes(self.files[path])
            return ShellMachine().run(command.replace(path, file.name))

    def _replaced(self) -> None:
        for path in [path for path in self.files if path.endswith(".new")]:
            self._write(path.removesuffix(".new"), self.files.pop(path))
        for path in [path for path in self.files if path.endswith(".unpacking")]:
            self._write(path.removesuffix(".unpacking"), self.files.pop(path))

    def _write(self, path: str, content: bytes) -> None:
        self.files[path] = content
        self._written[path] = self._now
