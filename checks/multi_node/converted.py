"""MN-31: convert_to_controller.sh makes a controller of an installation that is all in one.

Before it OpenVPN serves there, with the node's software. After it neither is there; the portal, its
users, their certificates and the API's configuration are.
"""

from __future__ import annotations

from checks.engine.obligations import Obligations
from checks.engine.registry import check
from checks.multi_node.deployment import Deployment, deployment
from checks.multi_node.portal import PRINTED
from checks.multi_node.unanswered import settle_answer
from evidence.errors import Missing
from evidence.events.installed import InstallationShown
from evidence.events.maintenance import ScriptRun
from evidence.events.portal import ConfigurationsShown, PortalLogin
from evidence.events.run import HostLate
from evidence.scenario import Evidence

CONVERT = "convert_to_controller.sh"
OPENVPN = ("openvpn",)
NODE = (
    "vpn-server-node-server-config",
    "vpn-server-node-generate-firewall",
    "/etc/vpn-server-node",
    "/etc/sysctl.d/70-vpn.conf",
)
KEPT = ("vpn-server-api-status", "vpn-user-portal-add-user")
ASKED = (*OPENVPN, *NODE, *KEPT)
"""Commands and files that tell what is installed."""


@check("MN-31")
def converted(evidence: Evidence, owed: Obligations) -> None:
    """Compare what is installed, runs and can be used before the conversion and after it."""
    site = deployment(evidence, owed)
    name = site.controller.name
    runs = [one for one in evidence.events(ScriptRun, name) if one.script == CONVERT]
    if len(runs) != 1:
        raise Missing(f"{CONVERT} was run {len(runs)} times, once is needed")
    run = runs[0]
    owed.require(
        run.status == 0,
        f"{CONVERT} goes well",
        f"{CONVERT} ended with {run.status}: {run.output[-200:]!r}",
        run.place,
    )
    shown = evidence.need(InstallationShown, name)
    before = [one for one in shown if one.at_ns <= run.began_ns][-1:]
    after = [one for one in shown if one.at_ns >= run.at_ns]
    if not before or not after:
        raise Missing(f"what is on {name} was not looked at before and after {CONVERT}")
    _owe_all_in_one(before[0], owed)
    for state in after:
        _owe_gone(state, owed)
        _owe_kept(before[0], state, owed)
    _owe_users(evidence, site, run, owed)


def _owe_all_in_one(state: InstallationShown, owed: Obligations) -> None:
    """Owe that there was something to convert: without it nothing is shown."""
    one = owed.owe(f"{state.source} was all in one before")
    missing = [what for what in ASKED if what not in state.present]
    if missing:
        one.doubt(f"{', '.join(missing)} was not there before", state.place)
    elif not (state.units and state.processes and state.files):
        one.doubt("OpenVPN did not serve before", state.place)
    else:
        one.met(state.place)


def _owe_gone(state: InstallationShown, owed: Obligations) -> None:
    for what, names in (("OpenVPN", OPENVPN), ("the node's software", NODE)):
        asked = set(names) <= set(state.asked)
        one = owed.owe(f"{what} is gone from {state.source}")
        if asked:
            one.met(state.place)
        else:
            one.doubt(f"not all of {what} was looked for", state.place)
        for name in (name for name in names if name in state.present):
            one.broken(f"{state.source}: {name} is still there", state.place)
    one = owed.owe(f"{state.source} runs no OpenVPN")
    one.met(state.place)
    for what, count in (
        ("units", len(state.units)),
        ("processes", state.processes),
        ("configurations", len(state.files)),
    ):
        if count:
            one.broken(f"{state.source}: {count} {what} of OpenVPN are left", state.place)


def _owe_kept(before: InstallationShown, after: InstallationShown, owed: Obligations) -> None:
    one = owed.owe(f"API and portal are kept on {after.source}, and served")
    one.met(after.place)
    for name in (name for name in KEPT if name not in after.present):
        if name in after.asked:
            one.broken(f"{after.source}: {name} is gone", after.place)
        else:
            one.doubt(f"{after.source}: {name} was not looked for", after.place)
    if after.web != "active":
        one.broken(f"{after.source}: the web server is {after.web}", after.place)
    one = owed.owe("the API's configuration is kept")
    if not before.config:
        one.doubt("there was no configuration of the API before", before.place)
    elif not after.config:
        one.broken("the API's configuration is gone", after.place)
    else:
        kept = after.config == before.config
        one.settle(kept, "the API's configuration is another", before.place, after.place)


def _owe_users(evidence: Evidence, site: Deployment, run: ScriptRun, owed: Obligations) -> None:
    logins, late = evidence.events(PortalLogin, site.client.name), evidence.events(HostLate)
    pages = evidence.events(ConfigurationsShown, site.client.name)
    for user, wanted in PRINTED.items():
        own = [one for one in logins if (one.user, one.credentials) == (user, "printed")]
        one = owed.owe(f"{user} logs in as before")
        earlier = [login for login in own if login.at_ns <= run.began_ns]
        if not any((login.status, login.sees) == (302, wanted) for login in earlier):
            one.doubt(f"{user} did not log in before")
        for login in (login for login in own if login.at_ns >= run.at_ns):
            good = (login.status, login.sees) == (302, wanted)
            got = f"{login.status}, and then {login.sees}"
            said = f"{user} cannot log in any more: {got}"
            settle_answer(good, said, login, site, late, one)
    before = [page for page in pages if page.at_ns <= run.began_ns and page.status == 200]
    kept = {page.user: set(page.kept) for page in before}
    if not any(kept.values()):
        owed.open("no user had a certificate before")
    for user, had in ((user, had) for user, had in kept.items() if had):
        one = owed.owe(f"the certificates of {user} are kept")
        for page in (page for page in pages if page.user == user and page.at_ns >= run.at_ns):
            lost = had - set(page.kept)
            said = f"{len(lost)} of {len(had)} certificates of {user} are gone"
            kept_all = page.status == 200 and not lost
            settle_answer(kept_all, f"{said} ({page.status})", page, site, late, one)
