"""The network around a node as its shell sees it: sound, or broken in one place."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from openvpnas.shell import Outcome

ADDRESSES = json.dumps(
    [
        {"ifname": "lo", "addr_info": [{"local": "127.0.0.1", "prefixlen": 8}]},
        {"ifname": "wire0", "addr_info": [{"local": "192.168.70.1", "prefixlen": 24}]},
    ]
)
PAIR_REQUEST: Mapping[str, object] = {
    "virtual_ip": "192.168.70.222",
    "primary": {"host": "192.168.70.1"},
    "secondary": {"host": "192.168.70.2"},
}


@dataclass
class FakeNetwork:
    """The primary node's shell in a network whose parts can be broken one by one.

    A command line is answered by the last rule whose words all stand in it.
    """

    asked: list[list[str]] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    rules: list[tuple[tuple[str, ...], Outcome]] = field(default_factory=list)

    def says(self, *words: str, status: int = 0, output: str = "", errors: str = "") -> None:
        self.rules.append((words, Outcome(status, output, errors)))

    def run(
        self,
        command: Sequence[str],
        *,
        stdin: str = "",
        environment: Mapping[str, str] | None = None,  # noqa: ARG002 - part of the protocol
        timeout: float = 30.0,  # noqa: ARG002 - part of the protocol
    ) -> Outcome:
        self.asked.append(list(command))
        self.given.append(stdin)
        line = " ".join(command)
        for words, outcome in reversed(self.rules):
            if all(word in line for word in words):
                return outcome
        return Outcome(127, errors=f"{command[0]}: command not found")


def sound_network() -> FakeNetwork:
    """Give a network in which everything is as a pair needs it."""
    fake = FakeNetwork()
    fake.says("ip -json -4 address", output=ADDRESSES)
    fake.says("ping")
    fake.says("neighbour", output="[]")
    fake.says("rsync --version", output="rsync  version 3.2.7\n")
    fake.says("ssh", "id -u", output="0\n")
    fake.says("ssh", "rsync --version", output="rsync  version 3.2.7\n")
    fake.says("ssh", "ip -o -4 address", output="2: wire0 inet 192.168.70.2/24 scope global\n")
    fake.says("ssh", "node-state", output='{"role": "secondary", "holds_data": false}\n')
    fake.says("ssh", "mkdir")
    fake.says("rsync --archive")
    fake.says("accept-snapshot", output="abc\n")
    return fake
