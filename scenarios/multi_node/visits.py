"""What scenarios see and do on the portal, and what follows for tunnels, as events.

Nothing here judges. Passwords are read where the deploy script printed them, and kept with the
run's secrets, so that the evidence is searched for them.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import uuid4

from checks.multi_node.connections import LIMIT_S
from checks.multi_node.guide import FAMILIES
from checks.multi_node.tunnels import REFUSED
from evidence.events.portal import (
    AccountActed,
    ConfigurationAsked,
    ConfigurationsShown,
    ConnectionsShown,
    HookRefused,
    PortalLogin,
    PortalShown,
    TunnelProbed,
    TunnelTurned,
    WebAsked,
    WebLogged,
    WebRequest,
)
from evidence.history import History
from evidence.secret import Secrets, in_profile
from lab.answers import understood
from lab.errors import DeadlinePassed, LabError, ScenarioError
from lab.machine import Machine
from lab.wait import until
from provision.multi_node.controller import CREDENTIALS, PASSWORD_NOTES
from provision.vpn_clients import Client, Tunnel
from scenarios.multi_node.clients import Clients, far_end, inside
from scenarios.multi_node.installed import key_in
from scenarios.multi_node.observe import read_curl
from scenarios.multi_node.portal import (
    CONFIGURATIONS,
    CONNECTIONS,
    Page,
    Portal,
    Unanswered,
)

_USER = {"Regular User": "demo", "Admin User": "admin"}
_WRONG = "not-the-password"
_LOGGED = re.compile(r'^\d+ (\S+) "\S+ (\S+)(?:[ \t][^"\n]*)?" (\d{3})$', re.MULTILINE)
# the lab's authority as each machine has it, by the ways of Debian and of Enterprise Linux
_ANCHOR = (
    "ls /usr/local/share/ca-certificates/vpnproof-lab.crt "
    "/etc/pki/ca-trust/source/anchors/vpnproof-lab.crt 2>/dev/null"
)
_REMOTE = re.compile(r"^remote (\S+)", re.MULTILINE)
_REMOTES = re.compile(r"^remote[ \t]+(\S[^\n]*)", re.MULTILINE)
_LOGS = "/var/log/vpn-clients"
_REFUSAL = "does not exist|account is disabled|client-connect"


def printed_passwords(history: History, controller: Machine) -> dict[str, str]:
    """Return what the deploy script printed as passwords, by user."""
    said = controller.run(f"cat {CREDENTIALS}").stdout
    found = {}
    for label in PASSWORD_NOTES.values():
        match = re.search(rf"{label} Pass: *(\S+)", said)
        if match is None:
            raise LabError(f"{controller.name}: {CREDENTIALS} names no password of {label}")
        found[_USER[label]] = match[1]
    kept = {f"{user}'s password": password for user, password in found.items()}
    Secrets(history.path.parent).keep(kept)
    return found


def greet(history: History, machine: Machine, fqdn: str) -> None:
    """Record what a client gets of the portal's own address, over IPv4 and IPv6."""
    url = f"https://{fqdn}/"
    for family in FAMILIES:
        command = (
            f"anchor=$({_ANCHOR}); curl -q -{family} -sS -m 60"
            ' ${anchor:+--cacert "$anchor" --capath /nonexistent}'
            f" -o /dev/null -w '\\n%{{http_code}} %{{redirect_url}}\\n' {url} 2>&1;"
            f' echo "status $?"; openssl s_client -{family} -connect {fqdn}:443'
            f" -servername {fqdn} </dev/null 2>/dev/null | openssl x509 2>/dev/null"
        )
        said = machine.run(command, timeout=180, check=False).stdout
        with understood(machine.name, f"what curl says of {url}"):
            answer, _, rest = said.partition("status ")
            ended, _, certificate = rest.partition("\n")
            status, location, text = read_curl(answer)
            seen = PortalShown(
                source=machine.name,
                url=url,
                family=family,
                verified=int(ended) == 0,
                certificate=certificate,
                status=status,
                location=location,
                detail=text,
            )
        history.record(seen)


def log_in_every_way(
    history: History, portal: Portal, machine: str, passwords: Mapping[str, str]
) -> None:
    """Record logins with each printed password, with another's, and with a wrong one."""
    others = dict(zip(passwords, reversed([*passwords.values()]), strict=True))
    for user, printed in passwords.items():
        tried: dict[Literal["printed", "wrong", "other"], str] = {
            "printed": printed,
            "wrong": _WRONG,
            "other": others[user],
        }
        for credentials, password in tried.items():
            history.record(_login(portal, machine, user, credentials, password))


def log_in_as_printed(
    history: History, portal: Portal, machine: str, passwords: Mapping[str, str]
) -> None:
    """Record a login of each user with the printed password, if there is a portal to log in to."""
    for user, password in passwords.items():
        try:
            event = _login(portal, machine, user, "printed", password)
        except ScenarioError as error:  # a page without the form
            event = PortalLogin(
                source=machine,
                user=user,
                credentials="printed",
                status=0,
                sees="else",
                detail=str(error),
            )
        history.record(event)


def _login(
    portal: Portal,
    machine: str,
    user: str,
    credentials: Literal["printed", "wrong", "other"],
    password: str,
) -> PortalLogin:
    """Log in, and read the page Connections; of what did not come, nothing after it is asked for.

    Raises ScenarioError for a portal without a form to log in by.
    """
    try:
        pages = [portal.log_in(user, password)]
    except Unanswered as error:
        pages = [error.page]
    if pages[0].status:
        pages.append(portal.get(CONNECTIONS))
    detail, waited_s = _silence(pages)
    return PortalLogin(
        source=machine,
        user=user,
        credentials=credentials,
        status=pages[0].status,
        sees=_sees(pages[-1]),
        detail=detail,
        waited_s=waited_s,
    )


def _silence(pages: Iterable[Page]) -> tuple[str, float | None]:
    """Return what curl said of the first page that did not come, and how long it waited for it."""
    return next(((one.silence, one.waited_s) for one in pages if not one.status), ("", None))


def configurations(history: History, portal: Portal, machine: str, user: str) -> None:
    """Record what the page Configurations offers to who is logged in, and what there is."""
    page = portal.get(CONFIGURATIONS)
    detail, waited_s = _silence([page])
    history.record(
        ConfigurationsShown(
            source=machine,
            user=user,
            status=page.status,
            offered=tuple(one for form in page.forms for one in form.options.get("profileId", ())),
            kept=tuple(filter(None, (form.fields.get("commonName") for form in page.forms))),
            detail=detail,
            waited_s=waited_s,
        )
    )


def ask_configuration(
    history: History, portal: Portal, machine: str, user: str, profile: str
) -> None:
    """Let who is logged in ask for a configuration; its keys stay with the run's secrets."""
    try:
        answer = portal.download(profile, "laptop")
    except Unanswered as error:
        answer = error.page
    detail, waited_s = _silence([answer])
    text = "\n".join(answer.text.splitlines())
    Secrets(history.path.parent).keep(in_profile(f"{user} for {profile}", text))
    history.record(
        ConfigurationAsked(
            source=machine,
            user=user,
            profile=profile,
            status=answer.status,
            hosts=tuple(sorted(set(_REMOTE.findall(text)))),
            remotes=tuple(" ".join(one.split()) for one in _REMOTES.findall(text)),
            key=key_in(text),
            detail=detail,
            waited_s=waited_s,
        )
    )


def _sees(page: Page) -> Literal["connections", "refusal", "form", "else"]:
    if page.is_login:
        return "form"
    if page.status == 200 and page.connections:
        return "connections"
    return "refusal" if page.status == 403 else "else"


@dataclass(frozen=True)
class Admin:
    """An administrator at the portal, whose every look and deed is recorded."""

    history: History
    portal: Portal
    machine: str

    def look(self) -> Page:
        """Read the page Connections."""
        asked_ns = time.time_ns()
        page = self.portal.get(CONNECTIONS)
        self.history.record(
            ConnectionsShown(
                source=self.machine,
                asked_ns=asked_ns,
                status=page.status,
                profiles=page.connections if page.status == 200 else {},
            )
        )
        return page

    def look_until(self, wanted: Mapping[str, tuple[str, tuple[str, ...]]], there: bool) -> None:
        """Read the page until all are listed, or none is; for twice as long as is allowed.

        wanted: each client's profile and addresses.
        """

        def as_wanted() -> bool:
            page = self.look()
            return page.status == 200 and all(
                any(set(addresses) & set(row.addresses) for row in page.connections.get(node, ()))
                == there
                for node, addresses in wanted.values()
            )

        with contextlib.suppress(DeadlinePassed):
            until(as_wanted, 2 * LIMIT_S, "the page to say so", every=0.5)


def acted(
    history: History,
    machine: str,
    by: str,
    action: Literal["disable", "enable", "delete"],
    client: str,
    answers: Sequence[Page],
    asked_ns: int,
) -> None:
    """Record a deed by the worst of the portal's answers; none is that nothing was to be done."""
    statuses = [page.status for page in answers] or [0]
    worst = next((status for status in statuses if status != 302), 302)
    detail, waited_s = ("", None) if worst else _silence(answers)
    history.record(
        AccountActed(
            source=machine,
            by=by,
            action=action,
            client=client,
            asked_ns=asked_ns,
            status=worst,
            detail=detail,
            waited_s=waited_s,
        )
    )


def come_up(clients: Clients, wanted: Sequence[Client], *, seconds: float) -> dict[str, Tunnel]:
    """Connect clients, and record for each between which two moments it came up."""
    clients.start(wanted)
    waiting = {one.name: time.time_ns() for one in wanted}

    def all_up() -> bool:
        before_ns = time.time_ns()
        states = clients.vpn.up()
        for name in [*waiting]:
            if not states.get(name, False):
                waiting[name] = before_ns
                continue
            after_ns = waiting.pop(name)
            clients.history.record(
                TunnelTurned(
                    source=clients.site.client.name, client=name, up=True, after_ns=after_ns
                )
            )
        return not waiting

    with contextlib.suppress(DeadlinePassed):
        until(all_up, seconds, f"{len(wanted)} tunnels to come up", every=0.2)
    return clients.tunnels(wanted)


def leave(clients: Clients, names: Sequence[str]) -> None:
    """Let clients leave, and record between which two moments they did."""
    after_ns = time.time_ns()
    clients.vpn.disconnect(names)
    for name in names:
        clients.history.record(
            TunnelTurned(source=clients.site.client.name, client=name, up=False, after_ns=after_ns)
        )


def ask_web(clients: Clients, names: Sequence[str], services: Machine, web_fqdn: str) -> None:
    """Let clients ask the web server for paths of their own; record the answers, and its log."""
    mark = uuid4().hex[:12]
    for name in names:
        paths = {family: f"/{mark}-{name}-{family}" for family in FAMILIES}
        urls = {
            4: f"http://{clients.site.services.address(4)}{paths[4]}",
            6: f"http://[{clients.site.services.address(6)}]{paths[6]}",
        }
        for family in FAMILIES:
            command = (
                f"curl -q -g -{family} -sS -m 30 -o /dev/null -w '\\n%{{http_code}} \\n'"
                f" -H {shlex.quote(f'Host: {web_fqdn}')} {shlex.quote(urls[family])} 2>&1"
            )
            said = clients.vpn.run(name, command, timeout=60, check=False).stdout
            with understood(clients.site.client.name, "what curl says through a tunnel"):
                status, _, text = read_curl(said)
            clients.history.record(
                WebAsked(
                    source=clients.site.client.name,
                    client=name,
                    family=family,
                    path=paths[family],
                    status=status,
                    detail=text,
                )
            )
    log = services.run(f"cat /var/log/*/{shlex.quote(web_fqdn)}.log | grep -F {mark} || true")
    clients.history.record(WebLogged(source=services.name, requests=read_web_log(log.stdout)))


def read_web_log(text: str) -> tuple[WebRequest, ...]:
    """Read lines that say microseconds, address, request and status."""
    return tuple(
        WebRequest(address=address, path=path, status=int(status))
        for address, path, status in _LOGGED.findall(text)
    )


def watch_end(clients: Clients, tunnels: Mapping[str, Tunnel], *, seconds: float) -> None:
    """Probe tunnels until none answers; record each look."""
    up = {name: inside(tunnel, 4) for name, tunnel in tunnels.items() if tunnel.up}
    targets = {name: far_end(clients.site, address) for name, address in up.items() if address}

    def all_gone() -> bool:
        asked_ns = time.time_ns()
        states, answered = clients.vpn.up(), clients.vpn.ping_all(targets)
        for name in tunnels:
            clients.history.record(
                TunnelProbed(
                    source=clients.site.client.name,
                    client=name,
                    asked_ns=asked_ns,
                    up=states.get(name, False),
                    answered=answered.get(name, False),
                )
            )
        return not any(states.get(name, False) or answered.get(name, False) for name in tunnels)

    with contextlib.suppress(DeadlinePassed):
        until(all_gone, seconds, "tunnels to end", every=0.5)


def try_again(
    clients: Clients, wanted: Sequence[Client], machine: Machine, *, seconds: float
) -> dict[str, Tunnel]:
    """Send clients anew, with logs that are empty; return how each stands once it is decided."""
    names = [one.name for one in wanted]
    clients.vpn.disconnect(names)
    machine.run("rm -f " + shlex.join(f"{_LOGS}/{name}.log" for name in names))
    clients.start(wanted)

    def decided() -> bool:
        return all(one.up or REFUSED in one.log for one in clients.vpn.statuses(names))

    with contextlib.suppress(DeadlinePassed):
        until(decided, seconds, "clients to be refused", every=0.5)
    return clients.tunnels(wanted)


def node_time(node: Machine) -> str:
    """Return a node's time, for `hook_says`."""
    return node.run("date +%s").stdout.strip()


def hook_says(history: History, node: Machine, client: str, since: str) -> None:
    """Record what a node's connect hook has logged of refusals since a moment of its clock."""
    asked = f"journalctl -q --no-pager -o cat --since @{shlex.quote(since)}"
    said = node.run(f"{asked} | grep -E {shlex.quote(_REFUSAL)} || true", timeout=120).stdout
    messages = tuple(line for line in said.splitlines() if line.strip())
    history.record(HookRefused(source=node.name, client=client, messages=messages))
