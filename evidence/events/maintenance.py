"""Events of the section "Maintenance", and of machines of the deployment that go away.

`at_ns` is the wire's clock everywhere. What a machine dated itself (its journal, its files) was
brought there by the measured offset of its clock, and `uncertainty_ns` says how far off that is.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from evidence.event import Count, Event, Name, Value
from evidence.events.multi_node import Address, FileWritten

Script = Literal["stop_node.sh", "update_controller.sh", "update_node.sh", "start_node.sh"]
"""One of the four, each a step of the guide."""


class MaintenancePlanned(Event):
    """A maintenance begins: in which order the scripts are going to be typed (MN-25 to MN-27).

    Where a script is for nodes, it is typed on all of them before the next one. A node may be
    rebooted in place of start_node.sh.
    """

    kind: Literal["maintenance.planned"] = "maintenance.planned"
    order: tuple[Script, ...] = Field(min_length=1)


class ScriptRun(Event):
    """A script was typed on the machine `source`, and had ended at `at_ns` (MN-14, 25 to 27, 31).

    script: a file of the guide's archive, or "reboot". began_ns: when it was typed, by the host's
    clock as `at_ns`. output: the end of what it printed.
    """

    kind: Literal["script.run"] = "script.run"
    script: Script | Literal["reboot", "apply_changes.sh", "convert_to_controller.sh"]
    typed: Name
    began_ns: Count
    status: int
    output: str


class UnitChanged(Event):
    """A job of systemd ended, by the journal of the machine `source`."""

    kind: Literal["unit.changed"] = "unit.changed"
    unit: Name
    change: Literal["started", "stopped", "failed"]


class ServerFilesWritten(Event):
    """When the files that OpenVPN of the node `source` reads were written last, as of `at_ns`.

    written_ns: by the wire's clock, unlike those of `ServerAges`; off by `uncertainty_ns`.
    """

    kind: Literal["server.files"] = "server.files"
    files: tuple[FileWritten, ...]


class LoggedConnection(Value):
    """A row of the controller's log; disconnected_at is None while it is open.

    Times as the node dated them. lost: closed by the next one who got the address, not by the end
    of the connection.
    """

    profile_id: Name
    ip4: Address
    connected_at: Name
    disconnected_at: Name | None
    bytes_transferred: Count | None
    lost: bool


class ConnectionsLogged(Event):
    """The controller's whole log of connections, as it stood at `at_ns` (MN-25)."""

    kind: Literal["connections.logged"] = "connections.logged"
    rows: tuple[LoggedConnection, ...]


class PowerSwitched(Event):
    """The machine `source` lost its power, or got it back and answered (MN-14, 24, 30)."""

    kind: Literal["power.switched"] = "power.switched"
    on: bool
