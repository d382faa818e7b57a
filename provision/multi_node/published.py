"""The guide's own scripts, as they were published, and where they are amended.

They run as they stand in the archive. Where one does not work on today's system, it is amended in
the guest, by a command that a reader can type: the published file stays beside the amended one, and
an erratum says which words are meant. Nothing of the scripts' text is kept in this project.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from provision.action import Action, Check, Command
from provision.erratum import Erratum
from provision.files import Unpack, WriteFile
from provision.genuine.build import Built
from provision.genuine.repository import APT_SOURCE, GUEST, YUM_SOURCE
from provision.multi_node import genuine_errata as errata
from provision.multi_node.site import Host
from provision.platform import Platform
from provision.step import Step

# systemd 246 and later indent a list of units that is not plain, and mark failed ones
_PLAIN = "s/--no-legend/--plain --no-legend/"
_USE_VPN_CA = "/root/use-vpn-ca.sh"
_API_CONFIG = "/etc/vpn-server-api/config.php"

# awk: leaves out the sections that `cut` matches; a section begins with a line of #, its name, and
# another such line
_WITHOUT = (
    "{ line[NR] = $0 } END { for (i = 1; i <= NR; i++) {"
    " if (line[i] ~ /^####+$/ && line[i + 2] ~ /^####+$/ && line[i + 1] ~ /^# [A-Z]/)"
    " skip = (line[i + 1] ~ cut); if (!skip) print line[i] } }"
)


@dataclass(frozen=True)
class Amended:
    """A published script, and how another one is made of it.

    without: names of its sections that are left out. sed: expressions, in order. gone, there: words
    that the result must not, and must, have: an amendment that did not fit is found at once.
    """

    source: str
    target: str
    without: tuple[str, ...]
    sed: tuple[str, ...]
    gone: tuple[str, ...] = ()
    there: tuple[str, ...] = ()

    def actions(self, directory: str) -> tuple[Action, ...]:
        """Return what makes it in the unpacked archive `directory`."""
        cut = f"^# ({'|'.join(self.without)})$" if self.without else "^$"
        edits = " ".join(f"-e {shlex.quote(one)}" for one in self.sed)
        make = (
            f"cd {directory}\n"
            f"awk -v cut={shlex.quote(cut)} {shlex.quote(_WITHOUT)} {self.source} |\n"
            f"    sed {edits} > {self.target}.new\n"
            f"chmod 0755 {self.target}.new\n"
            f"mv {self.target}.new {self.target}"
        )
        path = f"{directory}/{self.target}"
        checks = [f"! grep -q -e {shlex.quote(word)} {path}" for word in self.gone]
        checks += [f"grep -q -e {shlex.quote(word)} {path}" for word in self.there]
        return Command(make, creates=path), Check(" && ".join([f"sh -n {path}", *checks]))


CONTROLLER = Amended(
    source="deploy_debian.sh",
    target="deploy_debian_controller.sh",
    without=("LOCALES", "NETWORK", "OPENVPN SERVER CONFIG", "FIREWALL"),
    sed=(
        "/repo\\.letsconnect-vpn\\.org/d",
        "s/ locales-all//",
        "s/vpn-server-node vpn-server-api/vpn-ca vpn-server-api/",
        "s/7\\.0/8.2/g",
        f"/^vpn-server-api-update-ip/i sh {_USE_VPN_CA}",
    ),
    gone=("letsconnect", "locales", "7\\.0", "openvpn-server@"),
    there=(
        "vpn-ca vpn-server-api",
        "php8.2-fpm",
        f"^sh {_USE_VPN_CA}",
        "^vpn-server-api-update-ip",
    ),
)

NODE = Amended(
    source="deploy_centos_node.sh",
    target="deploy_debian_node.sh",
    without=("SYSTEM", "SOFTWARE", "SELINUX"),
    sed=(
        "0,/^# NETWORK$/s//"
        "# SOFTWARE, as on Debian\\n"
        "apt update\\n"
        "DEBIAN_FRONTEND=noninteractive apt install -y iptables-persistent vpn-server-node\\n"
        "# NETWORK/",
        "s/^systemctl enable --now iptables$/systemctl enable netfilter-persistent\\n"
        "systemctl restart netfilter-persistent/",
        "/^systemctl enable --now ip6tables$/d",
    ),
    gone=("yum", "semanage", "selinuxenabled", "ip6tables"),
    there=("apt install -y iptables-persistent vpn-server-node", "restart netfilter-persistent"),
)

FOR_DEBIAN: Mapping[str, Amended] = {"controller": CONTROLLER, "node": NODE}


def repository_step(host: Host, built: Built, platform: Platform, section: str) -> Step:
    """Return the step that puts the packages where the deploy scripts look for theirs."""
    debian = platform.os_id == "debian"
    listed = "/etc/apt/sources.list.d/LC.list" if debian else "/etc/yum.repos.d/LC-v2.repo"
    actions: list[Action] = [
        Unpack(built.repository, GUEST.rpartition("/")[2], f"{GUEST}.tar.gz"),
        WriteFile(listed, APT_SOURCE if debian else YUM_SOURCE),
    ]
    if debian:
        # the lab reaches no archive, and each would be waited for
        aside = (
            "for list in /etc/apt/sources.list /etc/apt/sources.list.d/*; do "
            f'[ "$list" = {listed} ] || [ ! -s "$list" ] || mv "$list" "$list.unreachable"; done'
        )
        actions += [Command(aside, once="archives-aside"), Command("apt-get update", once="lists")]
    return Step(
        name=f"package repository on {host.name}",
        section=section,
        machine=host.name,
        changes=f"{GUEST} holds the packages that were built of the published sources",
        actions=tuple(actions),
        errata=(errata.REPOSITORY,),
        module=__name__,
    )


def deploy_script(role: str, platform: Platform, directory: str) -> tuple[Action, ...]:
    """Return what makes the deploy script of `role` fit for `platform` and the lab."""
    use_vpn_ca = (
        f"sed -i \"s|^return \\[|&\\n    'vpnCaPath' => '/usr/bin/vpn-ca',|\" {_API_CONFIG}\n"
    )
    before = (WriteFile(_USE_VPN_CA, use_vpn_ca),) if role == "controller" else ()
    if platform.os_id == "debian":
        return (*before, *FOR_DEBIAN[role].actions(directory))
    return (*before, _centos(f"{directory}/deploy_centos_{role}.sh", platform.release))


_SINCE_EL8 = r"s/\bpolicycoreutils-python\($\|[^-]\)/policycoreutils-python-utils\1/"
"""With a name that is not there the whole line of `yum install` installs nothing."""


def _centos(script: str, release: str) -> Command:
    """Return what lets a script for CentOS find the lab's packages. It was never run."""
    edits = (
        "/^rpm --import /d",
        f"s|^baseurl=https://repo\\.letsconnect-vpn\\.org/.*|baseurl=file://{GUEST}|",
        "s/^gpgcheck=1/gpgcheck=0/",
        "s/-y install vpn-server-api /-y install vpn-ca vpn-server-api /",
        f"/^vpn-server-api-update-ip/i sh {_USE_VPN_CA}",
        *(() if release == "7" else (_SINCE_EL8,)),
    )
    sed = " ".join(f"-e {shlex.quote(one)}" for one in edits)
    return Command(
        f"cp -p {script} {script}.published\nsed -i {sed} {script}",
        unless=f"grep -q file://{GUEST} {script}",
    )


def with_errata(steps: Iterable[Step], controller: str, platform: Platform) -> list[Step]:
    """Return steps with what is wrong with scripts that they run or bring, and is left so by them.

    controller: the machine's name.
    """
    convert: tuple[Erratum, ...] = (errata.CONVERT_NOT_EXECUTABLE, errata.CONVERT_MARKED_UNITS)
    if platform.os_id == "debian":
        convert += (errata.CONVERT_ON_DEBIAN,)
    more: dict[str, tuple[Erratum, ...]] = {
        "deploy the controller": (errata.PASSWORDS_LOGGED,),
        f"archive on {controller}": convert,
    }
    return [replace(one, errata=(*one.errata, *more.get(one.name, ()))) for one in steps]


def convert_amended(directory: str, platform: Platform) -> tuple[Action, ...]:
    """Return what lets convert_to_controller.sh be run, on Debian by its names for things."""
    script = f"{directory}/convert_to_controller.sh"
    may_run = Command(f"chmod +x {script}", unless=f"[ -x {script} ]")
    edits: tuple[str, ...] = (_PLAIN,)
    check = f"sh -n {script}"
    if platform.os_id == "debian":
        edits += (
            "s/^yum remove -y/DEBIAN_FRONTEND=noninteractive apt-get remove -y/",
            "/^semanage /d",
            f"s|/etc/sysconfig/iptables|{platform.firewall_ipv4}|",
            f"s|/etc/sysconfig/ip6tables|{platform.firewall_ipv6}|",
            f"s/restart iptables$/restart {platform.firewall_service}/",
            "/restart ip6tables$/d",
        )
        check += f" && ! grep -E -e 'yum|semanage|sysconfig|restart ip' {script}"
    sed = " ".join(f"-e {shlex.quote(one)}" for one in edits)
    return (
        may_run,
        Command(
            f"cp -p {script} {script}.published\nsed -i {sed} {script}",
            unless=f"[ -e {script}.published ]",
        ),
        Check(check),
    )


def apply_changes_amended(directory: str) -> tuple[Action, ...]:
    """Return what lets apply_changes.sh find the units that it stops, on systemd 246 and later."""
    script = f"{directory}/apply_changes.sh"
    return (
        Command(
            f"cp -p {script} {script}.published\nsed -i '{_PLAIN}' {script}",
            unless=f"grep -q -e --plain {script}",
        ),
    )
