"""Events of the portal, and of what users and administrators do there (MN-02, 03, 16 to 20, 31)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

from evidence.event import Count, Event, Name, Seconds, Value
from evidence.events.multi_node import Address, Family

Certificate = tuple[str, str]
"""A user, and what the user called it."""


class Answer(Value):
    """How an answer of the portal came: a part of each event that tells of one.

    detail: what curl said where no answer came, "" where one came, None in evidence of before that
    was kept. waited_s: for how long what did not come was waited for, until `at_ns`; None without.
    """

    detail: str | None = None
    waited_s: Seconds | None = None


class PortalShown(Event):
    """What `source` got of `url` over one family: the handshake, and the answer (MN-02).

    verified: against the lab's authority alone, for the name of the URL. certificate: the one that
    was shown, PEM, "" for none. status: 0 when no HTTP answer came. location: where it leads to.
    detail: what curl said.
    """

    kind: Literal["portal.shown"] = "portal.shown"
    url: Name
    family: Family
    verified: bool
    certificate: str
    status: Count
    location: str
    detail: str


class PortalLogin(Answer, Event):
    """A login, and what the page Connections shows afterwards (MN-03).

    credentials: the printed password, a wrong one, or the one that was printed for somebody else.
    status: of the answer to the login form. detail: of the page, too, where that did not come.
    """

    kind: Literal["portal.login"] = "portal.login"
    user: Name
    credentials: Literal["printed", "wrong", "other"]
    status: Count
    sees: Literal["connections", "refusal", "form", "else"]


class Listed(Value):
    """A client as the page Connections lists it; addresses: inside its tunnel."""

    user: Name
    name: Name
    addresses: tuple[Address, ...]

    @property
    def certificate(self) -> Certificate:
        """Whose it is, and what that user called it."""
        return self.user, self.name


class ConnectionsShown(Event):
    """The admin's page Connections as `source` got it, by profile (MN-17, MN-18).

    asked_ns: when it was asked for; `at_ns` is when it had come. status: 200, or there is nothing.
    """

    kind: Literal["connections.shown"] = "connections.shown"
    asked_ns: Count
    status: Count
    profiles: Mapping[Name, tuple[Listed, ...]]

    def under(
        self, addresses: tuple[str, ...], certificates: Collection[Certificate] = ()
    ) -> list[str]:
        """Return the profiles under which one of these addresses is listed.

        certificates: whose those may be; without any it is whoever is listed there.
        """
        return [
            profile
            for profile, clients in self.profiles.items()
            if any(
                not set(addresses).isdisjoint(client.addresses)
                and (not certificates or client.certificate in certificates)
                for client in clients
            )
        ]

    def certificates(self, addresses: tuple[str, ...]) -> set[Certificate]:
        """Return by which certificates these addresses are listed."""
        return {
            client.certificate
            for clients in self.profiles.values()
            for client in clients
            if not set(addresses).isdisjoint(client.addresses)
        }


class TunnelTurned(Event):
    """A client's tunnel came up or was ended: not yet at `after_ns`, seen at `at_ns` (MN-17)."""

    kind: Literal["tunnel.turned"] = "tunnel.turned"
    client: Name
    up: bool
    after_ns: Count


class TunnelProbed(Event):
    """Whether a tunnel is still there (MN-18): its client's word, and an echo through it."""

    kind: Literal["tunnel.probed"] = "tunnel.probed"
    client: Name
    asked_ns: Count
    up: bool
    answered: bool


class WebAsked(Event):
    """A GET of a client through its tunnel (MN-16); path: its own. status: 0 for no answer."""

    kind: Literal["web.asked"] = "web.asked"
    client: Name
    family: Family
    path: Name
    status: Count
    detail: str


class WebRequest(Value):
    """A line of a web server's log."""

    address: Address
    path: Name
    status: Count


class WebLogged(Event):
    """What the web server on `source` logged of such requests (MN-16); none: it has none."""

    kind: Literal["web.logged"] = "web.logged"
    requests: tuple[WebRequest, ...]


class AccountActed(Answer, Event):
    """Something was done on the portal that keeps a client out, or lets it in (MN-18, MN-19).

    by: who was logged in. client: whose tunnel it is about. status: of the portal's answer, which
    came at `at_ns`.
    """

    kind: Literal["account.acted"] = "account.acted"
    by: Name
    action: Literal["disable", "enable", "delete"]
    client: Name
    asked_ns: Count
    status: Count


class HookRefused(Event):
    """What the connect hook of the node `source` logged of clients that it refused (MN-19).

    client: the one that had just tried; messages: since it began.
    """

    kind: Literal["hook.refused"] = "hook.refused"
    client: Name
    messages: tuple[Name, ...]


class ConfigurationsShown(Answer, Event):
    """What a user's page Configurations offers, and what the user has (MN-20, MN-31).

    status: 0 for no answer. offered: profiles to choose from; kept: the certificates' names.
    """

    kind: Literal["configurations.shown"] = "configurations.shown"
    user: Name
    status: Count
    offered: tuple[Name, ...]
    kept: tuple[Name, ...]


class ConfigurationAsked(Answer, Event):
    """A user asked for a configuration of a profile (MN-20).

    hosts: where it leads to. remotes: each of its lines `remote`, the words after that as they are
    ("host port protocol"); None in evidence of before that was kept. key: the SHA-256 of its TLS
    Crypt key's lines, "" without.
    """

    kind: Literal["configuration.asked"] = "configuration.asked"
    user: Name
    profile: Name
    status: Count
    hosts: tuple[Name, ...]
    remotes: tuple[Name, ...] | None = None
    key: str
