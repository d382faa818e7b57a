"""Commands on this node and on its partner: the edge to the outside, replaced in tests."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from openvpnas.pair import Node

CONNECT_SECONDS = 10


@dataclass(frozen=True)
class Outcome:
    """What a command gave; 124 is a command that was given up waiting for, 127 a missing one."""

    status: int
    output: str = ""
    errors: str = ""

    @property
    def ok(self) -> bool:
        """Whether the command ended with 0."""
        return self.status == 0

    @property
    def last_line(self) -> str:
        """The last thing it said, for a person."""
        lines = (self.errors.strip() or self.output.strip()).splitlines()
        return lines[-1].strip() if lines else f"status {self.status}"


class Shell(Protocol):
    """Runs one command of this node."""

    def run(
        self,
        command: Sequence[str],
        *,
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
        timeout: float = 30.0,
    ) -> Outcome:
        """Run it to its end; a failing command is an outcome, not an exception."""
        ...


class LocalShell:
    """Runs commands for real."""

    def run(
        self,
        command: Sequence[str],
        *,
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
        timeout: float = 30.0,
    ) -> Outcome:
        """Run it to its end; a failing command is an outcome, not an exception."""
        try:
            done = subprocess.run(
                list(command),
                input=stdin,
                env={**os.environ, "LC_ALL": "C", **(environment or {})},
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
            )
        except FileNotFoundError:
            return Outcome(127, errors=f"{command[0]}: command not found")
        except subprocess.TimeoutExpired:
            return Outcome(124, errors=f"no answer within {timeout:g} s")
        return Outcome(done.returncode, done.stdout, done.stderr)


def ssh_options(node: Node) -> list[str]:
    """Give the ssh command without destination.

    Keys or a password, never a question. A host key must be known already: the guide has a
    person log in by hand once, and a Validate that learned keys would change the node.
    """
    options = [
        f"ConnectTimeout={CONNECT_SECONDS}",
        # first of all: the post-quantum default takes a second longer where a guest is emulated
        "KexAlgorithms=^curve25519-sha256",
        "StrictHostKeyChecking=yes",
        "ServerAliveInterval=5",
        "ServerAliveCountMax=2",
        f"BatchMode={'no' if node.ssh_password else 'yes'}",
    ]
    command = ["ssh", "-p", str(node.ssh_port)]
    for option in options:
        command += ["-o", option]
    return ["sshpass", "-e", *command] if node.ssh_password else command


def ssh_environment(node: Node) -> dict[str, str]:
    """Give what sshpass reads the password from; never a command line."""
    return {"SSHPASS": node.ssh_password} if node.ssh_password else {}


def on(node: Node, remote: Sequence[str] | str) -> list[str]:
    """Give the command that runs `remote` on the node; a string is a shell line."""
    line = remote if isinstance(remote, str) else shlex.join(remote)
    # "--": whatever a name looks like, it is no option
    return [*ssh_options(node), "--", f"{node.ssh_user}@{node.host}", line]
