"""The failover guide with the vendor's own Access Server. This project has never run it.

The drop-in's plan, changed in two places. Its archive gives way to the vendor's packages, from a
repository that the user has set up on the machines, or allowed by --accept-vendor-licence. And
where something is typed that the drop-in invented (its README marks it), a failure says so: then
nothing can be said of the deployment, and what rests on it is UNKNOWN.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import replace

from provision.action import Action, Check, Command
from provision.erratum import Erratum
from provision.errors import PlanError
from provision.failover.licence import ACTIVATION_KEY
from provision.platform import DEBIAN_12, Platform
from provision.step import Step

PACKAGE = "openvpn-as"
INVENTED = (
    "FailoverValidate",
    "FailoverCommit",
    "FailoverStatus",
    "FailoverSync",
    "AddOneTimePasswords",
    "OneTimePasswords",
    "/admin/failover/",
    ACTIVATION_KEY,
)
"""What no source at hand documents of the vendor's product, as it is typed."""

NEVER_RUN = Erratum(
    name="vendors-packages",
    kind="deviation",
    guide="the package installer file is installed",
    happens="OpenVPN Access Server is not free software; this project has never run it",
    fix="its packages come from the vendor's repository, under the vendor's licence, which whoever "
    "starts the run has accepted",
)

_KEYRING = "/etc/apt/keyrings/as-repository.asc"
_SOURCES = "/etc/apt/sources.list.d/openvpn-as-repo.list"
_REPOSITORY = "http://as-repository.openvpn.net/as/debian"
_SET_UP = f"""\
mkdir -p /etc/apt/keyrings
curl -fsS -o {_KEYRING} https://as-repository.openvpn.net/as-repo-public.asc
echo 'deb [arch=amd64 signed-by={_KEYRING}] {_REPOSITORY} bookworm main' > {_SOURCES}
apt-get update"""


def with_vendors_packages(
    steps: Iterable[Step], platform: Platform, heartbeat: str
) -> tuple[Step, ...]:
    """Return the drop-in's steps as they are with the vendor's packages.

    PlanError for a platform or a heartbeat that these are not for.
    """
    if platform is not DEBIAN_12:
        raise PlanError(
            f"the vendor's packages are installed on {DEBIAN_12.name} alone, not {platform.name}",
            hint=f"--image {DEBIAN_12.name}, or --software drop-in",
        )
    if heartbeat != "ucarp":
        raise PlanError(
            f"the vendor's Access Server has no {heartbeat}: its heartbeat is ucarp",
            hint="--heartbeat ucarp, or --software drop-in",
        )
    return tuple(_changed(step) for step in steps)


def invented_in(text: str) -> str:
    """Return what the drop-in invented of what is typed; "" for nothing."""
    return next((word for word in INVENTED if word in text), "")


def not_known(word: str) -> str:
    """Return why nothing can be said when something invented does not work."""
    return (
        f"UNKNOWN: {word} is this project's invention (provision/reference/access_server/README.md)"
        ", and the vendor's Access Server did not do it"
    )


def _changed(step: Step) -> Step:
    if step.name.startswith("Access Server on "):
        return replace(step, actions=_INSTALL, errata=(NEVER_RUN,), module=__name__)
    return replace(step, actions=tuple(_explained(_once(action)) for action in step.actions))


def _once(action: Action) -> Action:
    """Return a command that is known to have run by itself, not by a file of the drop-in's."""
    if isinstance(action, Command) and "node-role" in action.creates + action.unless:
        return replace(action, creates="", unless="", once="ovpn-init")
    return action


def _explained(action: Action) -> Action:
    """Return an action that says why, when what it types is invented and fails."""
    if not isinstance(action, Command | Check) or not (word := invented_in(action.text)):
        return action
    says = f"echo {shlex.quote(not_known(word))} >&2"
    if isinstance(action, Check):
        return replace(action, text=f"{action.text} || {{ {says}; false; }}")
    told = shlex.quote(f"[ $? -eq 0 ] || {says}")
    return replace(action, text=f"trap {told} EXIT\n{action.text}")


_INSTALL = (
    Command(_SET_UP, unless=f"apt-cache show {PACKAGE} >/dev/null 2>&1", timeout=300),
    Command(
        f"DEBIAN_FRONTEND=noninteractive apt-get -y install {PACKAGE}",
        unless=f"dpkg-query -W {PACKAGE} >/dev/null 2>&1",
        timeout=900,
        hides="the first password of the administrator, which the installation prints",
    ),
)
