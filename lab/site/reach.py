"""Whether a site is as its file says: asked of every machine before anything starts.

Each machine has to let us in, with the host key that is known; to make us root; to have the
programs that are used there; and to hold the addresses that the topology gives it. What is wrong is
told at once, a line each.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import paramiko

from lab.answers import understood
from lab.errors import SiteError, VpnproofError
from lab.site.access import SiteAccess
from lab.site.file import SiteFile
from lab.site.machine import SiteMachine
from lab.threads import threads
from lab.topology import MachineSpec

_PATIENCE = 15.0
_MOST_NICS = 3  # two listen to each, over one connection: sshd allows ten sessions on it


@dataclass(frozen=True)
class Nic:
    """A NIC as the machine has it; segment: the network of the topology that it is plugged into."""

    interface: str
    mac: str
    segment: str


@dataclass(frozen=True)
class Reached:
    """A machine that was reached.

    session: what our own SSH there looks like to tcpdump.
    """

    nics: tuple[Nic, ...]
    session: str


def reach(site: SiteFile, machines: Mapping[str, SiteMachine]) -> dict[str, Reached]:
    """Look at every machine, side by side; SiteError has a line for each thing that is wrong."""

    def look(name: str) -> Reached | list[str]:
        try:
            return _look(site, machines[name])
        except _Problems as error:
            return error.lines
        except VpnproofError as error:
            told = _line(error.message)
            return [told if told.startswith(f"{name}: ") else f"{name}: {told}"]

    with threads(len(machines)) as beside:
        found = dict(zip(machines, beside.map(look, machines), strict=True))
    if lines := [line for one in found.values() if isinstance(one, list) for line in one]:
        raise SiteError("\n".join(lines), hint=f"nothing was started; {site.path} names them")
    return {name: one for name, one in found.items() if isinstance(one, Reached)}


class _Problems(Exception):
    def __init__(self, *lines: str) -> None:
        super().__init__(*lines)
        self.lines = list(lines)


def _look(site: SiteFile, machine: SiteMachine) -> Reached:
    name, access = machine.name, site.access[machine.name]
    if why := refusal(access):
        raise _Problems(f"{name} ({access}): {why}")
    if access.hops[-1].user != "root":
        said = machine.run("true", check=False)
        if said.status != 0:
            why = _line(said.stderr) or f"status {said.status}"
            raise _Problems(f"{name}: {access.hops[-1].user} cannot become root by sudo: {why}")
    lacks = [f"{name}: there is no {one}" for one in _missing(site, machine)]
    spec = site.topology.machine(name)
    links = machine.run("ip -j addr").stdout
    with understood(name, "what it says of its addresses"):
        found = [_nic(spec, index, json.loads(links)) for index in range(len(spec.nics))]
    lacks += [f"{name}: {one}" for one in found if isinstance(one, str)]
    if len(spec.nics) > _MOST_NICS:
        lacks.append(f"{name}: has {len(spec.nics)} NICs, {_MOST_NICS} can be listened to")
    if lacks:
        raise _Problems(*lacks)
    nics = tuple(one for one in found if isinstance(one, Nic))
    detect = "systemd-detect-virt --quiet --container"
    machine.is_container = machine.run(detect, check=False).status == 0
    session = machine.own_session()
    if not session:
        raise _Problems(
            f"{name}: SSH_CONNECTION does not say where our SSH comes from: it could not be left"
            " out of what is captured, and each packet of it would bring another"
        )
    return Reached(nics, session)


def refusal(access: SiteAccess) -> str:
    """Return why a machine does not let us in, "" when it does."""
    there = access.hops[-1]
    try:
        access.connect(_PATIENCE).close()
    except paramiko.BadHostKeyException as error:
        got = error.key.fingerprint
        return f"its host key is another than the one in known_hosts: it shows {got}"
    except paramiko.PasswordRequiredException:
        return (
            f"{there.key or 'a key'} has a passphrase: add it to your agent (ssh-add), and leave "
            "its public half beside it (KEY.pub)"
        )
    except paramiko.AuthenticationException:
        key = there.key or "the keys of your agent"
        return f"it does not let {there.user} in with {key}"
    except socket.gaierror as error:
        return f"its name is not known: {error.strerror}"
    except TimeoutError:
        return "it does not answer"
    except (OSError, EOFError, paramiko.SSHException) as error:
        return f"cannot be reached: {_line(str(error)) or type(error).__name__}"
    return ""


def _missing(site: SiteFile, machine: SiteMachine) -> Iterator[str]:
    wanted = ["tcpdump", "ping", "ip"] + (["python3"] if machine.name == site.probe else [])
    said = machine.run(f"for one in {' '.join(wanted)}; do command -v $one; done; true").stdout
    there = {line.rpartition("/")[2] for line in said.split()}
    yield from (one for one in wanted if one not in there)


def _nic(spec: MachineSpec, index: int, links: list[dict[str, Any]]) -> Nic | str:
    wanted = spec.nics[index]
    for link in links:
        if any(one.get("local") == str(wanted.ipv4) for one in link.get("addr_info", ())):
            return Nic(link["ifname"], link["address"], wanted.network)
    return f"no interface has {wanted.ipv4}, which the topology gives its NIC {index}"


def _line(text: str) -> str:
    """Return a text as one line."""
    return " ".join(text.split())[:200]
