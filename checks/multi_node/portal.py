"""MN-02: the portal's certificate, for its name. MN-03: the printed credentials, and no others.

What is tried more than once must go well every time. Who got no answer of the portal may have
waited for a machine that did not run: see `unanswered`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urljoin, urlsplit

from cryptography import x509

from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.engine.unanswered import is_silence, judge_unanswered
from checks.multi_node.deployment import Deployment, deployment
from checks.multi_node.guide import FAMILIES
from checks.multi_node.unanswered import settle_answer
from evidence.events.portal import PortalLogin, PortalShown
from evidence.events.run import HostLate
from evidence.scenario import Evidence

_WAITED_S = 60.0
"""curl waits so long for the page at `/`."""
_RECORDED_S = 2 * _WAITED_S
"""The certificate is asked for after that, and then both are recorded."""

PORTAL = "/vpn-user-portal/"
LEADS_ON = (301, 302, 307, 308)

# user -> what the page Connections shows to whom the printed password let in
PRINTED: Mapping[str, str] = {"demo": "refusal", "admin": "connections"}
_SAYS = {"connections": "the page", "refusal": "a 403", "form": "the login form", "else": "neither"}


@check("MN-02")
def certificate_for_its_name(evidence: Evidence, owed: Obligations) -> None:
    """Verify the portal's certificate on the client, for the portal's name; `/` leads there."""
    site = deployment(evidence, owed)
    name, client = site.controller.fqdn, site.client.name
    for family in FAMILIES:
        over = f"over IPv{family}"
        trusted = owed.owe(f"{client} verifies the certificate of https://{name}/ {over}")
        named = owed.owe(f"the certificate {over} is for {name}")
        leads = owed.owe(f"https://{name}/ leads to the portal {over}")
        for event in evidence.events(PortalShown, client):
            if event.family == family and urlsplit(event.url)[:3] == ("https", name, "/"):
                if not event.status and is_silence(event.detail):
                    silent = [trusted, leads]
                    if event.certificate:  # which is asked for after the page
                        _judge_names(event, name, named)
                    else:
                        silent.append(named)
                    _judge_silence(event, evidence, site, silent)
                    continue
                what = f"{client} does not verify the certificate {over}: {event.detail}"
                trusted.settle(event.verified, what, event.place)
                _judge_names(event, name, named)
                _judge_answer(event, name, leads)


def _judge_silence(
    event: PortalShown, evidence: Evidence, site: Deployment, all_of: Iterable[Obligation]
) -> None:
    """Break obligations by an answer that did not come, unless the host explains it."""
    why = f"{event.source} got no answer of {event.url} over IPv{event.family}: {event.detail}"
    whose = event.source, site.controller.name, site.services.name
    late = evidence.events(HostLate)
    for one in all_of:
        judge_unanswered(
            one,
            why,
            event.at_ns,
            whose,
            late,
            event.place,
            waited_s=_WAITED_S,
            recorded_s=_RECORDED_S,
        )


def _judge_names(event: PortalShown, name: str, one: Obligation) -> None:
    if not event.certificate:
        one.broken(f"no certificate was shown: {event.detail}", event.place)
        return
    try:
        shown = x509.load_pem_x509_certificate(event.certificate.encode())
        names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = names.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        found = []
    except ValueError as error:
        one.doubt(f"the certificate that was shown cannot be read: {error}", event.place)
        return
    said = ", ".join(found) or "no name"
    is_named = any(_stands_for(one, name) for one in found)
    one.settle(is_named, f"the certificate is for {said}, not for {name}", event.place)


def _stands_for(presented: str, name: str) -> bool:
    """Whether a name in a certificate is for a host: letter by letter, `*` for its first label.

    RFC 9525, section 6.3.
    """
    presented, name = presented.lower(), name.lower()
    first, _, rest = presented.partition(".")
    return presented == name or (first == "*" and name.partition(".")[2] == rest != "")


def _judge_answer(event: PortalShown, name: str, one: Obligation) -> None:
    target = urlsplit(urljoin(event.url, event.location))
    leads_on = event.status in LEADS_ON and target[:3] == ("https", name, PORTAL)
    said = f"{event.status} {event.location}".strip() if event.status else f"none ({event.detail})"
    one.settle(
        leads_on, f"the answer to {event.url} is {said}, not the portal's address", event.place
    )


@check("MN-03")
def printed_credentials(evidence: Evidence, owed: Obligations) -> None:
    """Let each user in by the printed password, as what that user is, and by no other one."""
    site, late = deployment(evidence, owed), evidence.events(HostLate)
    for user, wanted in PRINTED.items():
        let_in = owed.owe(f"{user} logs in with the printed password, and sees {_SAYS[wanted]}")
        kept_out = {
            "wrong": owed.owe(f"{user} does not log in with a wrong password"),
            "other": owed.owe(f"{user} does not log in with somebody else's password"),
        }
        for event in evidence.events(PortalLogin, site.client.name):
            if event.user != user:
                continue
            got = f"{event.status}, and then {_SAYS[event.sees]}"
            if event.credentials == "printed":
                good = (event.status, event.sees) == (302, wanted)
                what = f"{user}, with the printed password, got {got}"
                settle_answer(good, what, event, site, late, let_in)
            else:
                refused = (event.status, event.sees) == (200, "form")
                what = f"{user}, with a password that is not theirs, got {got}"
                settle_answer(refused, what, event, site, late, kept_out[event.credentials])
