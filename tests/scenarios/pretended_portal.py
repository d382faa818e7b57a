"""A portal and VPN clients that hang together, for scenarios to visit: all made up, all at once.

The portal answers what `curl -K -` is told by stdin; clients are let in by it, and put out.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

from checks.multi_node.deployment import Deployment
from provision.vpn_clients import Client, Tunnel

PASSWORDS = {"demo": "demo-password", "admin": "admin-password"}
PRINTED = (
    "#   Regular User: demo\n#   Regular User Pass: demo-password\n#\n"
    "#   Admin User: admin\n#   Admin User Pass: admin-password\n"
)
TLS_CRYPT = "0123456789abcdef" * 2
OVPN = (
    "client\r\nremote nodes.frkovpn.tuxed.net 1194 udp\r\n"
    "remote nodes.frkovpn.tuxed.net 1194 tcp\r\n<cert>\r\ndemo's own\r\n</cert>\r\n"
    f"<tls-crypt>\r\n{TLS_CRYPT}\r\n</tls-crypt>\r\n"
)
_LOGIN = (
    '<form method="post" action="/vpn-user-portal/_form/auth/verify"><input name="userName">'
    '<input name="userPass"><input type="hidden" name="_form_auth_redirect_to" value="there">'
    "</form>"
)


@dataclass
class PretendedPortal:
    """Who is logged in under which cookie, who is disabled, whose certificates are deleted."""

    site: Deployment
    disabled: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    sessions: dict[str, str] = field(default_factory=dict)
    clients: PretendedClients = field(init=False)
    lets_all_in: bool = False
    shows: bool = True

    def __post_init__(self) -> None:
        self.clients = PretendedClients(self)

    def answer(self, command: str, stdin: str) -> str:
        """Answer as curl prints it."""
        assert "password" not in command
        told = re.findall(r'^([a-z-]+) = "?(.*?)"?$', stdin, re.MULTILINE)
        url = urlsplit(dict(told)["url"])
        form = dict(value.split("=", 1) for name, value in told if name == "data-urlencode")
        user = self.sessions.get(dict(told).get("cookie", ""), "")
        page = url.path.rpartition("/vpn-user-portal/")[2]
        posted = any(name == "data-urlencode" for name, _ in told)
        if page == "_form/auth/verify":
            return self._log_in(form)
        if not user:
            return said(200, _LOGIN)
        if posted:
            return self._deed(page, user, form)
        if page in ("connections", "user") and user != "admin":
            return said(403, "user is not an administrator")
        return said(200, self._page(page, unquote(url.query.partition("user_id=")[2])))

    def _log_in(self, form: Mapping[str, str]) -> str:
        if PASSWORDS.get(form["userName"]) != form["userPass"]:
            return said(200, _LOGIN)
        cookie = f"SID={len(self.sessions):064x}"
        self.sessions[cookie] = form["userName"]
        return said(302, "", f"Set-Cookie: {cookie}; Secure\r\nLocation: there\r\n")

    def _deed(self, page: str, user: str, form: Mapping[str, str]) -> str:
        if page == "configurations":
            first = form["profileId"] == self.site.nodes[0]
            return said(200, OVPN) if first else said(400, "no permission")
        if page == "deleteCertificate":
            self.deleted.add(user)
        elif form["user_action"] == "disableUser":
            self.disabled.add(form["user_id"])
        else:
            self.disabled.discard(form["user_id"])
        self.clients.put_out()
        return said(302, "", "Location: there\r\n")

    def _page(self, page: str, user: str) -> str:
        if page == "configurations":
            return (
                '<form method="post"><select name="profileId">'
                f'<option value="{self.site.nodes[0]}">Secure Internet</option></select>'
                '<input name="displayName">'
                '</form><form method="post" action="deleteCertificate">'
                '<input type="hidden" name="commonName" value="0123"></form>'
            )
        if page == "user":
            action = "enableUser" if user in self.disabled else "disableUser"
            return (
                '<form method="post" action="user"><input type="hidden" name="user_id"'
                f' value="{html.escape(user)}"><button name="user_action" value="{action}">'
                "</button></form>"
            )
        return "".join(
            f'<h2 id="{node}">x</h2><table>{self._rows(node)}</table>' for node in self.site.nodes
        )

    def _rows(self, node: str) -> str:
        return "".join(
            f'<tr><td><a title="{self.clients.user(tunnel.name)}">x</a></td><td><ul>'
            + "".join(f"<li><code>{one.partition('/')[0]}</code></li>" for one in tunnel.addresses)
            + "</ul></td></tr>"
            for tunnel in self.clients.tunnels()
            if tunnel.up and self.shows and self.site.node_of(tunnel.remote or "") == node
        )


def said(status: int, text: str, headers: str = "") -> str:
    return f"HTTP/1.1 {status} X\r\nContent-Type: text/html\r\n{headers}\r\n{text}"


class PretendedClients:
    """Clients that the portal's users have; those who may not come in are refused."""

    def __init__(self, portal: PretendedPortal) -> None:
        self.portal = portal
        self.started: dict[str, Client] = {}
        self.all: dict[str, Client] = {}
        self.out: set[str] = set()
        self.answers = "404"

    def user(self, name: str) -> str:
        return "demo" if "demo's own" in self.all[name].config else "user-1"

    def may_not(self, name: str) -> bool:
        user = self.user(name)
        return user in self.portal.disabled or (user == "demo" and "demo" in self.portal.deleted)

    def put_out(self) -> None:
        """End the tunnels of all who may not be connected."""
        if not self.portal.lets_all_in:
            self.out |= {name for name in self.started if self.may_not(name)}

    def connect_all(self, clients: Sequence[Client]) -> None:
        self.started |= {one.name: one for one in clients}
        self.all |= self.started
        self.put_out()

    def disconnect(self, names: Sequence[str]) -> None:
        for name in names:
            self.started.pop(name, None)

    def up(self) -> dict[str, bool]:
        return {name: name not in self.out for name in self.started}

    def wait_up(self, _: Sequence[str], seconds: float) -> None:
        assert seconds > 0

    def ping_all(self, addresses: Mapping[str, str]) -> dict[str, bool]:
        return {name: self.up().get(name, False) for name in addresses}

    def run(self, _: str, command: str, **__: object) -> Any:
        text = f"\n{self.answers} \n" if "curl" in command else ""
        return SimpleNamespace(status=0, stdout=text, stderr="", seconds=0.1)

    def statuses(self, names: Sequence[str]) -> tuple[Tunnel, ...]:
        return tuple(one for one in self.tunnels() if one.name in names)

    def tunnels(self) -> list[Tunnel]:
        return [self._tunnel(number, one) for number, one in enumerate(self.started.values())]

    def _tunnel(self, number: int, one: Client) -> Tunnel:
        _, remote, _, protocol = one.config.split("\n")[0].split()
        node = self.portal.site.node_of(remote)
        assert node is not None
        ranges = self.portal.site.process_ranges(node)["tcp" in protocol]
        up = one.name not in self.out
        addresses = tuple(f"{network[number + 2]}/{network.prefixlen}" for network in ranges)
        log = "" if up else "AUTH: Received control message: AUTH_FAILED"
        return Tunnel(one.name, up, remote, 1194, addresses if up else (), log)
