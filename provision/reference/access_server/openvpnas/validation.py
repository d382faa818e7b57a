"""Validate, as the Failover page shows it: four rows, each about one prerequisite.

1. SSH from the primary to the secondary node, as root, without a question.
2. SSH from the secondary to the primary node, likewise.
3. rsync on the primary node.
4. rsync on the secondary node.

The genuine product shows four rows that must read GOOD; which four they are is not documented,
so these are this stand-in's own. Beside the rows stand problems: what is wrong with the request
itself. Nothing is changed by asking.
"""

from __future__ import annotations

import ipaddress
import json
import shlex
from dataclasses import asdict, dataclass

from openvpnas import pair as pairs
from openvpnas.addresses import LocalAddress, answers, local_addresses
from openvpnas.pair import PRIMARY, SECONDARY, Pair, partner_of
from openvpnas.place import find_place
from openvpnas.shell import Outcome, Shell, on, ssh_environment
from openvpnas.sync import HOME

GOOD = "GOOD"
BAD = "BAD"
UNKNOWN = "UNKNOWN"
ROOT_ID = "id -u"


@dataclass(frozen=True)
class Row:
    """One prerequisite; UNKNOWN is one that could not be looked at because another is BAD."""

    name: str
    status: str
    detail: str


@dataclass(frozen=True)
class Report:
    """The result table and what is wrong beside it."""

    rows: tuple[Row, ...]
    problems: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether the pair may be committed."""
        return not self.problems and all(row.status == GOOD for row in self.rows)

    def to_json(self) -> dict[str, object]:
        """Give `{"good", "rows": [{"name", "status", "detail"}], "problems": [text]}`."""
        return {
            "good": self.good,
            "rows": [asdict(row) for row in self.rows],
            "problems": list(self.problems),
        }


def validate(pair: Pair, shell: Shell, own_pair_id: str) -> Report:
    """Look at everything a pair needs; run on either of its nodes."""
    addresses = local_addresses(shell)
    own = find_place(pair, addresses)
    if own is None:
        rows = tuple(Row(name, UNKNOWN, "this machine is neither node") for name in _row_names())
        return Report(rows, tuple(pairs.problems(pair, None)))
    name, local = own
    found = pairs.problems(pair, local.network)
    if pair.primary.host == pair.secondary.host:
        rows = tuple(Row(row, UNKNOWN, "there is no partner") for row in _row_names())
        return Report(rows, tuple(found))
    partner = _Partner(pair, name, shell)
    rows = _rows(name, partner, shell)
    if not found:
        found += _virtual_ip_in_use(pair, local, addresses, partner, shell)
    if partner.reachable.status == GOOD:
        found += partner.objections(own_pair_id)
    return Report(rows, tuple(found))


class _Partner:
    """The other node, asked over SSH."""

    def __init__(self, pair: Pair, own: str, shell: Shell) -> None:
        self._own = pair.node(own)
        self._node = pair.node(partner_of(own))
        self._shell = shell
        self.reachable = self._as_root(self.ask(ROOT_ID), self._node.host)

    def ask(self, remote: str, stdin: str = "") -> Outcome:
        """Run a shell line there."""
        return self._shell.run(
            on(self._node, remote), stdin=stdin, environment=ssh_environment(self._node)
        )

    def reaches_back(self) -> Row:
        """Whether the partner's root reaches this node as root."""
        if self.reachable.status != GOOD:
            return Row("", UNKNOWN, f"cannot be tested without SSH to {self._node.host}")
        back = shlex.join(on(self._own, ROOT_ID))
        if ssh_environment(self._own):
            # by standard input: on a command line every user there could read the password
            back = f"IFS= read -r SSHPASS; export SSHPASS; {back}"
        return self._as_root(self.ask(back, f"{self._own.ssh_password}\n"), self._own.host)

    def rsync(self) -> Row:
        """Whether the partner has rsync."""
        if self.reachable.status != GOOD:
            return Row("", UNKNOWN, f"cannot be tested without SSH to {self._node.host}")
        return _rsync(self.ask("rsync --version"))

    def objections(self, own_pair_id: str) -> list[str]:
        """Say why the partner, which is reachable, cannot be this node's partner."""
        outcome = self.ask(f"{HOME}/libexec/node-state")
        host = self._node.host
        if not outcome.ok:
            return [f"{host}: no Access Server found there ({outcome.last_line})"]
        try:
            state = json.loads(outcome.output)
        except ValueError:
            state = None
        if not isinstance(state, dict):
            return [f"{host}: no Access Server found there (unreadable answer)"]
        if state.get("holds_data") and state.get("pair_id") != own_pair_id:
            return [
                f"{host}: that node holds data of its own, which a takeover would replace; "
                "wipe it there with ovpn-init --secondary"
            ]
        return []

    def holds(self, address: str) -> bool:
        """Whether the partner has an address on one of its interfaces."""
        if self.reachable.status != GOOD:
            return False
        return f" {address}/" in self.ask("ip -o -4 address show").output

    @staticmethod
    def _as_root(outcome: Outcome, host: str) -> Row:
        if not outcome.ok:
            return Row("", BAD, f"{host}: {outcome.last_line}")
        if outcome.output.strip() != "0":
            return Row("", BAD, f"{host}: logged in, but not as root")
        return Row("", GOOD, f"{host}: logged in as root")


def _rows(own: str, partner: _Partner, shell: Shell) -> tuple[Row, ...]:
    other = partner_of(own)
    found = {
        _ssh_name(own): partner.reachable,
        _ssh_name(other): partner.reaches_back(),
        _rsync_name(own): _rsync(shell.run(["rsync", "--version"])),
        _rsync_name(other): partner.rsync(),
    }
    return tuple(Row(name, found[name].status, found[name].detail) for name in _row_names())


def _ssh_name(source: str) -> str:
    return f"SSH from {source} to {partner_of(source)}"


def _rsync_name(node: str) -> str:
    return f"rsync on {node}"


def _row_names() -> tuple[str, ...]:
    nodes = (PRIMARY, SECONDARY)
    return (*map(_ssh_name, nodes), *map(_rsync_name, nodes))


def _rsync(outcome: Outcome) -> Row:
    if not outcome.ok:
        return Row("", BAD, f"rsync is not installed ({outcome.last_line})")
    return Row("", GOOD, outcome.output.split("\n")[0].strip())


def _virtual_ip_in_use(
    pair: Pair,
    own: LocalAddress,
    addresses: list[LocalAddress],
    partner: _Partner,
    shell: Shell,
) -> list[str]:
    """Say who has the virtual IP already, unless it is this pair itself."""
    if any(kept.address == pair.virtual_ip for kept in addresses) or partner.holds(pair.virtual_ip):
        return []
    if ipaddress.IPv4Address(pair.virtual_ip) not in own.network:
        return []
    holder = answers(shell, pair.virtual_ip)
    return [f"the virtual IP {pair.virtual_ip} is in use by {holder}"] if holder else []
