"""Events of setting the pair up: the secondary's initialisation, SSH, Validate, Commit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, JsonValue

from evidence.event import Count, Digest, Event, Ipv4, Name, Seconds, Value
from evidence.events.preflight import AddressWithPrefix


class InitAsked(Event):
    """The secondary's initialisation was answered `answer`; hashes of all configuration (FO-02)."""

    kind: Literal["init.asked"] = "init.asked"
    answer: str
    status: int
    before: Mapping[str, Digest] | Digest
    after: Mapping[str, Digest] | Digest


class InitWiped(Event):
    """What a wipe left of `seeded` items, and the role after it (FO-03)."""

    kind: Literal["init.wiped"] = "init.wiped"
    seeded: Count
    left: tuple[Name, ...]
    role: Name


class InitBatch(Event):
    """`--batch --force` was run, with its standard input "closed" (FO-04)."""

    kind: Literal["init.batch"] = "init.batch"
    stdin: Name
    status: int
    seconds: Seconds
    reads_stdin: bool


class SshAttempted(Event):
    """`user` of node `origin` asked for a shell of `target` without a password (FO-05).

    seconds: how long that took. detail: what ssh said last, where it failed.
    """

    kind: Literal["ssh.attempted"] = "ssh.attempted"
    origin: Name
    target: Name
    user: Name
    status: int
    seconds: Seconds = 0.0
    detail: str = ""


Broken = Literal[
    "",
    "sshd-stopped",
    "port-blocked",
    "wrong-host-key",
    "no-rsync",
    "no-rsync-on-primary",
    "key-not-copied",
    "isolation",
]


class Row(Value):
    """A row of Validate; detail: what it says beside its status."""

    name: Name
    good: bool
    detail: str = ""


class ValidateShown(Event):
    """The rows that Validate showed with `broken` broken ("": nothing) (FO-01, 06 to 09, 45).

    expected_bad: rows that this must turn. "no-rsync" is on the secondary. began_ns: when it was
    asked.
    """

    kind: Literal["validate.shown"] = "validate.shown"
    broken: Broken
    began_ns: Count | None = None
    rows: tuple[Row, ...] = Field(min_length=1)
    expected_bad: tuple[Name, ...] = ()

    @property
    def bad(self) -> frozenset[str]:
        """The names of the rows that do not read GOOD."""
        return frozenset(row.name for row in self.rows if not row.good)


class ValidateBegan(Event):
    """The state of both nodes before Validate: addresses, processes, hashes (FO-09)."""

    kind: Literal["validate.began"] = "validate.began"
    state: Mapping[Name, JsonValue] = Field(min_length=1)


class ValidateEnded(Event):
    """The same after it."""

    kind: Literal["validate.ended"] = "validate.ended"
    state: Mapping[Name, JsonValue] = Field(min_length=1)


class CommitAttempted(Event):
    """A virtual IP was committed to nodes of `network`; `error` is what was said (FO-10).

    network: with its prefix length, as a node has it; any of its addresses will do.
    """

    kind: Literal["commit.attempted"] = "commit.attempted"
    virtual_ip: Ipv4
    network: AddressWithPrefix
    accepted: bool
    error: str = ""


class CommitDone(Event):
    """Commit and Restart ended on `node` (FO-11)."""

    kind: Literal["commit.done"] = "commit.done"
    node: Name
